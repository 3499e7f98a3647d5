"""Answers of the calibration tab from what was measured: for any target, in a turn of the visitor who asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from typing import NamedTuple, TypeVar

import gradio as gr

from fer_core.answers import solve_calibration
from fer_core.compute import MeasurementRunning, gate
from fer_core.points import check_target

from . import calibration_views as views
from . import panel, resolution
from .board import Kept, board
from .visitors import name_of, visitors

CLASSIFIER, FRAME = "the classifier alone (the paper)", "the whole frame"
NO_FRAMES = (
    "The other stages of a frame have not been measured for you yet: start the camera in the Live tab for some seconds."
)
EMPTY = "Nothing measured yet on this machine since it started. Press Run."
AFTERWARDS = "{}. What you asked for is answered after it."
ENDED = "The measurement has ended."

_POLL_SECONDS = 0.25

T = TypeVar("T")


class Shown(NamedTuple):
    """What the tab shows of a calibration, in the order of its components; by default all stay as they are."""

    status: object = gr.skip()
    figure: object = gr.skip()
    answer: object = gr.skip()
    details: object = gr.skip()
    curves: object = gr.skip()
    points: object = gr.skip()
    environment: object = gr.skip()
    downloads: object = gr.skip()


def age(kept: Kept) -> str:
    """Returns when a calibration ended, in words."""
    minutes = kept.age_seconds / 60
    return "just now" if minutes < 1 else f"{minutes:.0f} min ago"


def described(kept: Kept) -> str:
    """Returns what a calibration measured and when, in words."""
    return f"{kept.measurements.model}, {kept.measurements.runtime}, {age(kept)}"


def classifier_target(target_ms: float, meaning: str, request: gr.Request) -> float:
    """Returns what the target leaves for the classifier in ms; a ValueError where the other stages are not measured."""
    target_ms = check_target(target_ms)
    if meaning == CLASSIFIER:
        return target_ms
    others = visitors.of(request).other_stages_p95_ms
    if others is None:
        raise ValueError(NO_FRAMES)
    return max(target_ms - others, 1.0)


def _usable(kept: Kept, meaning: str, noise: float, record: dict) -> tuple[str, int] | None:
    """Returns model and pixels if the live tab may use the answer: it runs trained ones in one runtime, here."""
    fits = resolution.is_of_this_machine(kept) and meaning == FRAME and not noise
    pixels = record["answer"]["resolution"] if fits else None
    return None if pixels is None else (kept.measurements.model, pixels)


def _solved(status: str | None, asked: tuple, request: gr.Request) -> Shown:
    """Answers from the calibration that the visitor looks at; measures nothing.

    Args:
        status: HTML of the status line; None leaves it as it is.
        asked: Target in ms, its meaning, names of the curves to show, simulated noise in percent.
        request: Whose page it is.
    """
    frame_target_ms, meaning, curves, noise = asked
    visitor = visitors.of(request)
    visitor.answer = None
    kept = visitor.calibration or board.latest()
    if kept is None:
        return Shown(status or panel.message(EMPTY), gr.update(visible=False))
    visitor.calibration = kept
    try:
        target_ms = classifier_target(frame_target_ms, meaning, request)
        # The record as measured holds the verification; for any other target there is none.
        as_measured = target_ms == kept.record["target_ms"]
        record = kept.record if as_measured else solve_calibration(kept.measurements, target_ms)
    except ValueError as error:
        return Shown(panel.message(str(error), alert=True))
    visitor.answer = _usable(kept, meaning, noise, record)
    # What the tables and the downloads hold was measured; noise is for the eye alone.
    measured = record
    measurements = views.shaken(kept.measurements, noise)
    if noise:
        record = solve_calibration(measurements, target_ms)
    figure = views.figure(measurements, curves, record, frame_target_ms, visitor.compared, noise)
    return Shown(
        gr.skip() if status is None else status,
        gr.update(value=figure, visible=True),
        views.answer_html(record, frame_target_ms, visitor.compared, noise),
        gr.update(visible=True),
        views.curves_html(record),
        views.points_html(kept.measurements.points),
        views.environment_html(kept.measurements),
        views.downloads_html(measured),
    )


def in_turn(work: Callable[[], T], request: gr.Request) -> Generator[Shown, None, T]:
    """Returns what some work comes to, in a turn of the visitor: not beside a measurement, which it waits for.

    Yields:
        What the tab shows of the waiting, if there is any.
    """
    told = False
    while True:
        try:
            with gate.turn(name_of(request)):
                result = work()
            break
        except MeasurementRunning:
            if not told:
                yield Shown(panel.message(AFTERWARDS.format(board.paused())))
            told = True
            time.sleep(_POLL_SECONDS)
    if told:
        yield Shown(panel.message(ENDED))
    return result


def answered(status: str | None, asked: tuple, request: gr.Request) -> Iterator[Shown]:
    """Yields what ``_solved`` makes of what is asked, and before it, where it has to wait, for what."""
    yield (yield from in_turn(lambda: _solved(status, asked, request), request))
