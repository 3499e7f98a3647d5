"""The whole frame timed on a video: the stream pipeline against the naive one, in the same minutes.

Each pipeline lives in a process of its own (``benchmark_worker.py``). They take turns in blocks of 50 frames, the
other sleeping meanwhile, so that a machine that becomes slower does so for both. The whole is repeated, and of each
pipeline the repetition with its smallest median counts: taken from the stream's best alone, the speed-up would also
count what disturbed the naive pipeline in it.

What is timed, with the same code in both: **decode** (the next frame of the file by PyAV and its conversion to RGB;
on the page it is the JPEG that the browser posted instead), **detect** and **track** (the naive pipeline only
detects), **classify** (crops included), **draw**, and **encode** (JPEG). The **total** is the wall time from the
request for a frame to its encoded answer, so it holds what lies between the stages too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import supervision as sv

from .benchmark_worker import FrameRecord
from .builder import check_resolution
from .environment import environment
from .recognizer import DEFAULT_MODEL, DEFAULT_RESOLUTION
from .stream import STAGES
from .video_reader import VideoReader
from .worker_process import WorkerProcess

SCHEMA_VERSION = 1
BLOCK_FRAMES = 50
REPEATS = 3
SAME_FACE_IOU = 0.7
"""Overlap, intersection over union, from which two boxes count as the same."""

_PERCENTILES = {"p50": 50, "p95": 95, "p99": 99}


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """Returns ``p50``, ``p95`` and ``p99`` of at least one value, in the same unit."""
    return {name: float(np.percentile(values, rank)) for name, rank in _PERCENTILES.items()}


def compare(stream: Sequence[FrameRecord], naive: Sequence[FrameRecord]) -> dict[str, int | float | None]:
    """Compares what two pipelines saw in the same frames.

    Args:
        stream: Records of the stream pipeline.
        naive: Records of the naive pipeline for the same frames.

    Returns:
        ``frames_with_face`` and ``naive_frames_with_face``; ``recall``, the share of frames with a naive face in which
        the stream has one; of the frames where both have one, taking the largest naive face and the stream's face
        that overlaps it most: ``iou_share_above_0_7``, the share with an intersection over union of at least 0.7, and
        ``label_agreement``, the share with the same unsmoothed label. A share of nothing is None.
    """
    pairs = list(zip(stream, naive, strict=True))
    with_naive = [(ours, theirs) for ours, theirs in pairs if theirs.boxes]
    both = [(ours, theirs) for ours, theirs in with_naive if ours.boxes]
    overlapping, agreeing = [], []
    for ours, theirs in both:
        overlaps = sv.box_iou_batch(np.array(theirs.boxes[:1], np.float64), np.array(ours.boxes, np.float64))[0]
        best = int(overlaps.argmax())
        overlapping.append(overlaps[best] >= SAME_FACE_IOU)
        agreeing.append(ours.labels[best] == theirs.labels[0])
    return {
        "frames_with_face": sum(bool(ours.boxes) for ours, _ in pairs),
        "naive_frames_with_face": len(with_naive),
        "recall": len(both) / len(with_naive) if with_naive else None,
        "iou_share_above_0_7": float(np.mean(overlapping)) if both else None,
        "label_agreement": float(np.mean(agreeing)) if both else None,
    }


def stage_percentiles(records: Sequence[FrameRecord]) -> dict[str, dict[str, float]]:
    """Returns the percentiles of every stage in ms; a frame that did without a stage counts as 0."""
    return {stage: percentiles([record.stages_ms[stage] for record in records]) for stage in STAGES}


class PipelineProcess(WorkerProcess):
    """A pipeline in a process of its own. Use it as a context manager.

    Args:
        pipeline: A key of ``benchmark_worker.PIPELINES``.
        resolution: Side of the model's input in pixels.

    Every method raises a MeasurementFailed if the process failed or died.
    """

    def __init__(self, pipeline: str, resolution: int) -> None:
        super().__init__("fer_core.benchmark_worker", f"the {pipeline} pipeline")
        self._pipeline = pipeline
        self._resolution = resolution

    def load(self) -> str:
        """Loads the pipeline, the first thing to ask for; returns the precision that its runtime computes in."""
        (answer,) = self.ask("load", "loading", pipeline=self._pipeline, resolution=self._resolution)
        return answer["precision"]

    def reference_ms(self) -> float:
        """Times the reference task, a fixed inference; returns its median in ms."""
        (answer,) = self.ask("reference", "timing the reference")
        return answer["median_ms"]

    def begin(self, path: Path) -> None:
        """Opens a video, warms up on its first frames and goes back to its beginning."""
        list(self.ask("begin", "warming up", path=str(path.resolve())))

    def block(self, count: int) -> list[FrameRecord]:
        """Returns the records of the next frames, fewer than asked for at the end of the video."""
        (answer,) = self.ask("block", "measuring", count=count)
        return [FrameRecord(**record) for record in answer["frames"]]

    def peak_memory_mb(self) -> float | None:
        """Returns the largest resident memory so far in MB, or None where the system does not tell."""
        (answer,) = self.ask("memory", "reading its memory")
        return answer["peak_mb"]


def run_benchmark(
    path: Path,
    resolution: int = DEFAULT_RESOLUTION,
    frames: int | None = None,
    repeats: int = REPEATS,
    progress: Callable[[str], None] = lambda message: None,
) -> dict:
    """Times both pipelines on a video.

    Args:
        path: The video, any file that PyAV reads.
        resolution: Side of the model's input in pixels.
        frames: Only the first so many frames, at least 1; by default all.
        repeats: How often the whole is done, at least 1; the best counts.
        progress: Told in words how far it is.

    Returns:
        JSON-ready. ``schema_version``, ``file`` (its name), ``model``, ``resolution``, ``block_frames``,
        ``environment``, ``peak_memory_mb`` and ``naive_peak_memory_mb`` (of the whole process, in MB; null where the
        system does not tell), ``runs`` (one record for each repetition, as of ``repetition``), ``best_run`` and
        ``naive_best_run`` (the numbers of those that count, from 1), and the entries of the best run, with the times
        of the naive pipeline from its own best run and ``speedup_p50`` from both.

    Raises:
        ValueError: If the video or an argument is unusable.
        MeasurementFailed: If a process failed or died.
    """
    for name, value in (("frames", frames), ("repeats", repeats)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, but got {value}")
    check_resolution(DEFAULT_MODEL, resolution)
    VideoReader(path).close()  # says what is wrong with it before anything is loaded
    with PipelineProcess("stream", resolution) as stream, PipelineProcess("naive", resolution) as naive:
        progress("loading the stream pipeline")
        precision = stream.load()
        progress("loading the naive pipeline")
        naive.load()
        runs = []
        for number in range(1, repeats + 1):
            run = repetition(path, stream, naive, frames, lambda text, n=number: progress(f"run {n}/{repeats}: {text}"))  # type: ignore[misc]
            progress(
                f"run {number}/{repeats}: p50 {run['total_ms']['p50']:.1f} ms, naive "
                f"{run['naive_total_ms']['p50']:.1f} ms, reference {run['reference_ms']:.2f} ms"
            )
            runs.append(run)
        memory = {"peak_memory_mb": stream.peak_memory_mb(), "naive_peak_memory_mb": naive.peak_memory_mb()}
    best, naive_best = _best(runs, "total_ms"), _best(runs, "naive_total_ms")
    naive_times = {name: runs[naive_best][name] for name in ("naive_total_ms", "naive_stages_ms")}
    return {
        "schema_version": SCHEMA_VERSION,
        "file": path.name,
        "model": DEFAULT_MODEL,
        "resolution": resolution,
        "block_frames": BLOCK_FRAMES,
        "best_run": best + 1,
        "naive_best_run": naive_best + 1,
        **runs[best],
        **naive_times,
        "speedup_p50": naive_times["naive_total_ms"]["p50"] / runs[best]["total_ms"]["p50"],
        **memory,
        "runs": runs,
        "environment": environment(precision),
    }


def _best(runs: Sequence[dict], total: str) -> int:
    return min(range(len(runs)), key=lambda index: runs[index][total]["p50"])


def repetition(
    path: Path, stream: PipelineProcess, naive: PipelineProcess, frames: int | None, progress: Callable[[str], None]
) -> dict:
    """Takes a video once through both pipelines, in turns of 50 frames.

    Args:
        path: The video.
        stream: The stream pipeline, loaded.
        naive: The naive pipeline, loaded.
        frames: Only the first so many frames, or None for all.
        progress: Told in words how far it is.

    Returns:
        JSON-ready: ``frames`` (their number), ``total_ms``, ``naive_total_ms``, ``stages_ms`` and ``naive_stages_ms``
        (by stage; a frame that does without a stage counts as 0), each ``p50``, ``p95`` and ``p99``, ``speedup_p50``,
        the entries of ``compare``, and ``reference_ms``, ``reference_before_ms`` and ``reference_after_ms``: the
        median of a fixed inference before and after the frames, which tells how fast the machine was, and their mean.
    """
    before = stream.reference_ms()
    stream.begin(path)
    naive.begin(path)
    ours: list[FrameRecord] = []
    theirs: list[FrameRecord] = []
    while frames is None or len(ours) < frames:
        count = BLOCK_FRAMES if frames is None else min(BLOCK_FRAMES, frames - len(ours))
        block = stream.block(count)
        ours += block
        theirs += naive.block(count)
        progress(f"{len(ours)} frames")
        if len(block) < count:
            break
    after = stream.reference_ms()
    total, naive_total = (percentiles([record.total_ms for record in records]) for records in (ours, theirs))
    return {
        "frames": len(ours),
        "total_ms": total,
        "naive_total_ms": naive_total,
        "speedup_p50": naive_total["p50"] / total["p50"],
        **compare(ours, theirs),
        "stages_ms": stage_percentiles(ours),
        "naive_stages_ms": stage_percentiles(theirs),
        "reference_ms": (before + after) / 2,
        "reference_before_ms": before,
        "reference_after_ms": after,
    }
