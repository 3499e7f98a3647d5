"""The process in which one pipeline is timed, frame by frame, alone with its libraries and thread pools.

``benchmark.py`` is the side that asks. Requests by ``request``:

* ``load``: ``pipeline`` (a key of ``PIPELINES``), ``resolution`` -> ``loaded`` with ``precision``;
* ``reference``: -> ``reference``, the median of the reference task in ms;
* ``begin``: ``path`` of a video: warms up on its first frames and goes back to the beginning;
* ``block``: ``count`` -> ``block`` with its next ``frames``, fewer at the end of the video;
* ``memory``: -> ``memory``, the largest resident memory so far in MB.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import supervision as sv

from .compute import available_threads
from .drawing import draw_faces
from .latency import REFERENCE_RESOLUTION, warm_up
from .pictures import encode_jpeg
from .recognizer import EmotionRecognizer
from .runtimes import KerasPredict
from .stream import STAGES
from .video_canvas import Canvas
from .video_reader import VideoReader
from .worker_process import Send, serve

NAIVE_SMALLEST_FACE = 20
"""Shorter side of the smallest face that the naive pipeline looks for, in pixels: MTCNN's default."""

WARM_UP_FRAMES = 5
REFERENCE_RUNS = 15

Frames = Iterator[tuple[np.ndarray, float]]
"""Frames as they are decoded: RGB uint8 ``(H, W, 3)`` and media time in seconds."""


@dataclass(frozen=True)
class FrameRecord:
    """What a pipeline saw in one frame, and the time that it took.

    Attributes:
        boxes: ``(x0, y0, x1, y1)`` in pixels by face, largest first.
        labels: The most probable emotion of each in this frame alone, without smoothing.
        stages_ms: Milliseconds by stage of ``stream.STAGES``; 0 for a stage that the frame did not need.
        total_ms: Milliseconds from the request for the frame to the encoded answer.
    """

    boxes: list[list[float]]
    labels: list[str]
    stages_ms: dict[str, float]
    total_ms: float


class Pipeline(Protocol):
    """Takes a frame from its decoder to the encoded picture with boxes and labels."""

    recognizer: EmotionRecognizer

    def __init__(self, resolution: int) -> None:
        """Loads the pipeline at a resolution in pixels."""

    def restart(self) -> None:
        """Forgets all earlier frames."""

    def run(self, frames: Frames) -> FrameRecord | None:
        """Takes the next frame through all stages; returns None if there is none left."""


class StreamPipeline:
    """What the app does: ``recognizer.stream()`` on OpenVINO."""

    def __init__(self, resolution: int) -> None:
        self.recognizer = EmotionRecognizer.load(resolution=resolution)
        self.restart()

    def restart(self) -> None:
        self._session = self.recognizer.stream()

    def run(self, frames: Frames) -> FrameRecord | None:
        session = self._session
        started = time.perf_counter()
        with session.timed("decode"):
            image, seconds = next(frames, (None, 0.0))
        if image is None:
            return None
        faces = session.update(image, seconds)
        with session.timed("draw"):
            drawn = draw_faces(image, faces)
        with session.timed("encode"):
            encode_jpeg(drawn)
        total_ms = 1000 * (time.perf_counter() - started)
        timings = session.timings
        return FrameRecord(
            [list(face.box) for face in faces],
            [max(face.raw_probabilities, key=face.raw_probabilities.__getitem__) for face in faces],
            {stage: timings.get(stage, 0.0) for stage in STAGES},
            total_ms,
        )


class _WholeFrameMtcnn:
    """facenet-pytorch's MTCNN with its own thresholds, run as it comes; used where a ``FaceDetector`` is."""

    def __init__(self) -> None:
        import torch
        from facenet_pytorch import MTCNN

        torch.set_num_threads(available_threads())
        self._mtcnn = MTCNN(keep_all=True, min_face_size=NAIVE_SMALLEST_FACE, device="cpu")

    def detect(self, image: np.ndarray) -> sv.Detections:
        """Finds the faces of a frame, largest first, boxes clipped to it; see ``FaceDetector.detect``."""
        height, width = image.shape[:2]
        # MTCNN's pyramid is empty below this, and facenet-pytorch then fails.
        boxes, scores = self._mtcnn.detect(image) if min(height, width) >= NAIVE_SMALLEST_FACE else (None, None)
        if boxes is None:
            return sv.Detections.empty()
        boxes = np.asarray(boxes, np.float32).clip(0, [width, height, width, height])
        sides = boxes[:, 2:] - boxes[:, :2]
        order = [index for index in np.argsort(-sides.prod(axis=1), kind="stable") if sides[index].min() >= 1]
        return sv.Detections(xyxy=boxes[order], confidence=np.asarray(scores, np.float32)[order])


class NaivePipeline:
    """What comes to mind first: MTCNN on the whole of every frame, then Keras ``predict`` on what it found.

    Frames, weights, resolution, crops, drawing and encoding are those of ``StreamPipeline``.
    """

    def __init__(self, resolution: int) -> None:
        loaded = EmotionRecognizer.load(runtime=KerasPredict.name, resolution=resolution)
        self.recognizer = EmotionRecognizer(loaded.runtime, _WholeFrameMtcnn(), resolution, loaded.temperature)  # type: ignore[arg-type]

    def restart(self) -> None:
        """Nothing is kept from frame to frame."""

    def run(self, frames: Frames) -> FrameRecord | None:
        started = time.perf_counter()
        image, _ = next(frames, (None, 0.0))
        if image is None:
            return None
        decoded = time.perf_counter()
        analysis = self.recognizer.analyze(image)
        analyzed = time.perf_counter()
        picture = draw_faces(image, analysis.faces)
        drawn = time.perf_counter()
        encode_jpeg(picture)
        encoded = time.perf_counter()
        timings = analysis.timings_ms
        stages_ms = {
            "decode": 1000 * (decoded - started),
            "detect": timings["detect"],
            "classify": timings["crop"] + timings["classify"],
            "draw": 1000 * (drawn - analyzed),
            "encode": 1000 * (encoded - drawn),
        }
        return FrameRecord(
            [list(face.box) for face in analysis.faces],
            [face.emotion for face in analysis.faces],
            dict.fromkeys(STAGES, 0.0) | stages_ms,
            1000 * (encoded - started),
        )


def read_frames(path: Path) -> Frames:
    """Opens a video and returns its frames as the video tab sees them: upright RGB, reduced to 1280 px.

    The first is decoded when the file is opened, so only the second and later cost what decoding costs.

    Raises:
        VideoError: If it is no video or not one frame of it can be decoded.
    """
    reader = VideoReader(path)
    canvas = Canvas(reader.width, reader.height, reader.pixel_aspect)

    def frames() -> Frames:
        with reader:
            for frame in reader:
                yield canvas.place(frame.picture).image, frame.time_s

    return frames()


PIPELINES: dict[str, type[Pipeline]] = {"stream": StreamPipeline, "naive": NaivePipeline}


def memory_mb(field: str) -> float | None:
    """Returns a figure of this process's memory in MB (10^6 bytes), or None where the system does not tell.

    Args:
        field: Of Linux's ``/proc/self/status``: ``"VmRSS"`` is what is resident now, ``"VmHWM"`` the most so far.
            (``getrusage`` counts what the parent had before this program began.)
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    kib = next((line.split()[1] for line in lines if line.startswith(f"{field}:")), None)
    return None if kib is None else int(kib) * 1024 / 1e6


class _Worker:
    def __init__(self, send: Send) -> None:
        self._send = send

    def load(self, pipeline: str, resolution: int) -> None:
        self._pipeline = PIPELINES[pipeline](resolution)
        self._send("loaded", precision=self._pipeline.recognizer.runtime.precision)

    def reference(self) -> None:
        runtime = self._pipeline.recognizer.runtime
        shape = 1, REFERENCE_RESOLUTION, REFERENCE_RESOLUTION, 3
        image = np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)
        runtime.prepare(REFERENCE_RESOLUTION)

        def run(_: int) -> tuple[float, float]:
            started = time.perf_counter()
            runtime.run(image)
            return 0.0, 1000 * (time.perf_counter() - started)

        warm_up(run, REFERENCE_RESOLUTION)
        times = [run(REFERENCE_RESOLUTION)[1] for _ in range(REFERENCE_RUNS)]
        self._send("reference", median_ms=float(np.median(times)))

    def begin(self, path: str) -> None:
        self._pipeline.restart()
        first = itertools.islice(read_frames(Path(path)), WARM_UP_FRAMES)
        while self._pipeline.run(first):
            pass
        self._pipeline.restart()
        self._frames = read_frames(Path(path))

    def block(self, count: int) -> None:
        records = itertools.islice(iter(lambda: self._pipeline.run(self._frames), None), count)
        self._send("block", frames=[asdict(record) for record in records])

    def memory(self) -> None:
        self._send("memory", peak_mb=memory_mb("VmHWM"))


def actions(send: Send) -> dict[str, Callable[..., None]]:
    """Returns what answers each request; see the top of this file."""
    worker = _Worker(send)
    return {
        "load": worker.load,
        "reference": worker.reference,
        "begin": worker.begin,
        "block": worker.block,
        "memory": worker.memory,
    }


if __name__ == "__main__":
    serve(actions)
