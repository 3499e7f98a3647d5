"""The page's operations as named endpoints for ``gradio_client``; the README calls each of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr
from gradio_client.utils import is_file_obj_with_meta

from fer_core.answers import solve_calibration
from fer_core.calibration import parse_calibration
from fer_core.calibration_files import LARGEST_FILE
from fer_core.compute import MeasurementRunning, gate
from fer_core.latency import PROTOCOLS
from fer_core.measurements import Measurements
from fer_core.measuring import MeasurementCanceled, MeasurementFailed
from fer_core.points import check_target
from fer_core.recognition_record import recognition_record
from fer_core.recognizer import DEFAULT_MODEL, DEFAULT_RESOLUTION
from fer_core.results import REAL_TIME_MS, results_record
from fer_core.stream import DEFAULT_SMOOTHING_S, DEFAULT_UNSURE_BELOW
from fer_core.video import VideoCanceled

from . import engine, waiting
from .board import Task, board
from .components import read_upload
from .resolution import RESOLUTIONS
from .video import BUSY
from .video_job import Settings, VideoJob
from .visitors import name_of, visitors


@contextmanager
def _refusing() -> Iterator[None]:
    """Hands what was expected and what came to the client; of any other error it learns nothing."""
    try:
        yield
    except MeasurementRunning as error:
        raise gr.Error(board.paused(), print_exception=False) from error
    except (ValueError, MeasurementFailed, MeasurementCanceled, VideoCanceled) as error:
        raise gr.Error(str(error), print_exception=False) from error


def read_calibration(calibration: str | bytes | dict) -> Measurements:
    """Reads a calibration as it comes from a visitor: JSON text, bytes or an object.

    Raises:
        ValueError: If it is too large or no calibration; says what is wrong.
    """
    if isinstance(calibration, dict):
        calibration = json.dumps(calibration)
    if isinstance(calibration, str):
        calibration = calibration.encode(errors="replace")
    if not isinstance(calibration, bytes):
        raise ValueError(f"expected a calibration as JSON text or an object, but got {type(calibration).__name__}")
    if len(calibration) > LARGEST_FILE:
        raise ValueError(f"a calibration has at most {LARGEST_FILE:,} bytes, but this has {len(calibration):,}")
    return parse_calibration(calibration)


def calibrate(
    model: str,
    runtime: str,
    target_ms: float = REAL_TIME_MS,
    ladder: str = "paper",
    protocol: str = PROTOCOLS[0],
    request: gr.Request = None,  # type: ignore[assignment]
) -> dict:
    """Measures the server's CPU and finds the resolution for a target, after whatever is measured already.

    Args:
        model: A model of ``builder.ARCHITECTURES``.
        runtime: A key of ``runtimes.RUNTIMES``.
        target_ms: Target latency of the classifier in ms.
        ladder: See ``ladders.ladder``.
        protocol: One of ``latency.PROTOCOLS``.

    Returns:
        The record of ``calibrate``.

    Raises:
        gr.Error: If an argument is unusable, or the measurement failed or was canceled.
    """
    with _refusing():
        task = Task(model, runtime, ladder, protocol, check_target(target_ms))
        return board.measure(task, name_of(request), waiting.tell_calibration).record


def solve(
    calibration: Any,
    target_ms: float,
    request: gr.Request = None,  # type: ignore[assignment]
) -> dict:
    """Answers for another target from an earlier calibration; measures nothing.

    Args:
        calibration: A record of ``calibrate`` or ``solve``, as an object or as JSON text.
        target_ms: Target latency of the classifier in ms.

    Returns:
        The record of ``solve``: that of ``calibrate`` with ``verified_ms`` null.

    Raises:
        gr.Error: If the calibration or the target is unusable, or the CPU is being measured.
    """
    with _refusing():
        measurements = read_calibration(calibration)
        with gate.turn(name_of(request)):
            return solve_calibration(measurements, target_ms)


def _check_resolution(resolution: int) -> None:
    if resolution not in RESOLUTIONS:
        raise ValueError(f"resolution must be one of {', '.join(map(str, RESOLUTIONS))}, but got {resolution!r}")


def _uploaded(name: str, value: Any) -> bytes:
    # Gradio has made sure that this, and nothing else with a path, lies among the uploads.
    if not is_file_obj_with_meta(value):
        raise ValueError(f"{name} must be an uploaded file, but got {type(value).__name__}")
    return read_upload(value["path"])


def recognize(
    picture: Any,
    resolution: int = DEFAULT_RESOLUTION,
    request: gr.Request = None,  # type: ignore[assignment]
) -> dict:
    """Finds the faces of a picture and their emotions.

    Args:
        picture: An uploaded file, with ``gradio_client`` a ``handle_file(...)``.
        resolution: Side of the model's input in pixels, one of the live tab's.

    Returns:
        One entry of ``recognize --json``.

    Raises:
        gr.Error: If an argument is unusable, the model's files are, or the CPU is being measured.
    """
    with _refusing():
        _check_resolution(resolution)
        data = _uploaded("picture", picture)
        with gate.turn(name_of(request), waiting.tell_place):
            recognizer = engine.recognizer().at(resolution)
            record = recognition_record(picture.get("orig_name") or "picture", data, recognizer)
        if record["error"] is not None:
            raise ValueError(record["error"])
        return record


def video(
    film: Any,
    resolution: int = DEFAULT_RESOLUTION,
    request: gr.Request = None,  # type: ignore[assignment]
) -> dict:
    """Follows the faces of a video and their emotions, frame by frame.

    Args:
        film: An uploaded file, with ``gradio_client`` a ``handle_file(...)``.
        resolution: Side of the model's input in pixels, one of the live tab's.

    Returns:
        The table that ``video --table OUT.json`` writes.

    Raises:
        gr.Error: If an argument is unusable, the model's files are, or the client's last video is not finished.
    """
    with _refusing():
        _check_resolution(resolution)
        settings = Settings(resolution, DEFAULT_SMOOTHING_S, DEFAULT_UNSURE_BELOW, DEFAULT_MODEL)
        job = VideoJob(_uploaded("film", film), settings, name_of(request))
        visitor = visitors.of(request)
        if visitor.video is not None and not visitor.video.ended.is_set():
            raise ValueError(BUSY)
        visitor.watch(job)
        job.start()
        job.ended.wait()
        result = job.take_result()
        assert result is not None, "nobody else takes it"
        return json.loads(result.json)


def results() -> dict:
    """Returns every accuracy that was measured, with its origin, and the paper's table.

    Returns:
        The record of ``results.results_record``.

    Raises:
        gr.Error: If the record of a model is damaged.
    """
    with _refusing():
        return results_record()


def build(uploads: bool = True) -> None:
    """Registers the endpoints with the Blocks under construction.

    Args:
        uploads: Whether pictures and videos are taken: without them there is neither ``/recognize`` nor ``/video``.
    """
    # Whoever waits for a measurement holds a place; who computes is the board's and the gate's matter.
    for endpoint in (calibrate, solve, results, *([recognize, video] if uploads else [])):
        description = (endpoint.__doc__ or "").partition("\n")[0]
        gr.api(
            endpoint,
            api_name=endpoint.__name__,
            api_description=description,
            concurrency_limit=waiting.MOST_WAITING,
        )
