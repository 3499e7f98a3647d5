"""Calibration tab: measure this CPU, see the curves, ask for a target, get a resolution that was measured again."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import gradio as gr

from fer_core import figures
from fer_core.answers import UNMEASURED_ACCURACY, solve_calibration
from fer_core.builder import ARCHITECTURES
from fer_core.interpolation import CURVES
from fer_core.latency import PROTOCOLS
from fer_core.measuring import MeasurementCanceled, MeasurementFailed
from fer_core.model_files import ModelFileError
from fer_core.points import check_target
from fer_core.recognizer import DEFAULT_MODEL, DEFAULT_RUNTIME
from fer_core.results import REAL_TIME_MS
from fer_core.runtimes import RUNTIMES, missing_packages

from . import calibration_views as views
from . import lessons, panel, resolution
from .api import read_calibration
from .board import FRESH_SECONDS, Kept, Task, board
from .visitors import name_of, visitors

LADDERS = ("paper", "equispaced:10", "chebyshev:10")
SHOWN_AT_FIRST = ("lagrange", "quadratic")

INTRODUCTION = """### How large a face can this CPU afford?
Press **Run**: the model is timed at ten resolutions on the machine that serves this page, which takes some seconds.
Then move the target: every curve answers at once, nothing is measured again."""

OTHERS = "Another visitor's calibration is under way ({}, {}). Run yours after it."
FRESH = "Another visitor measured this {}. Every target is answered from it; it can be measured again in {} min."
CLASSIFIER, FRAME = "the classifier alone (the paper)", "the whole frame"
NO_FRAMES = (
    "The other stages of a frame have not been measured for you yet: start the camera in the Live tab for some seconds."
)
EMPTY = "Nothing measured yet on this machine since it started. Press Run."
NOT_USABLE = (
    f"Only one answer fits the live tab: for {FRAME}, without simulated noise, from {DEFAULT_MODEL} in "
    f"{DEFAULT_RUNTIME} as measured on this machine."
)


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


def _age(kept: Kept) -> str:
    minutes = kept.age_seconds / 60
    return "just now" if minutes < 1 else f"{minutes:.0f} min ago"


def _described(kept: Kept) -> str:
    return f"{kept.measurements.model}, {kept.measurements.runtime}, {_age(kept)}"


def _classifier_target(target_ms: float, meaning: str, request: gr.Request) -> float:
    """Returns what the target leaves for the classifier in ms; a ValueError where the other stages are not measured."""
    target_ms = check_target(target_ms)
    if meaning == CLASSIFIER:
        return target_ms
    others = visitors.of(request).other_stages_p95_ms
    if others is None:
        raise ValueError(NO_FRAMES)
    return max(target_ms - others, 1.0)


def _usable_px(kept: Kept, meaning: str, noise: float, record: dict) -> int | None:
    """Returns the answer if the live tab may use it: it runs one model in one runtime, whole frames, here."""
    fits = resolution.is_of_this_machine(kept) and meaning == FRAME and not noise
    return record["answer"]["resolution"] if fits else None


def _solved(status: str | None, asked: tuple, request: gr.Request) -> Shown:
    """Answers from the calibration that the visitor looks at; measures nothing.

    Args:
        status: HTML of the status line; None leaves it as it is.
        asked: Target in ms, its meaning, names of the curves to show, simulated noise in percent.
        request: Whose page it is.
    """
    frame_target_ms, meaning, curves, noise = asked
    visitor = visitors.of(request)
    visitor.answer_px = None
    kept = visitor.calibration or board.latest()
    if kept is None:
        return Shown(status or panel.message(EMPTY), gr.update(visible=False))
    visitor.calibration = kept
    try:
        target_ms = _classifier_target(frame_target_ms, meaning, request)
        # The record as measured holds the verification; for any other target there is none.
        as_measured = target_ms == kept.record["target_ms"]
        record = kept.record if as_measured else solve_calibration(kept.measurements, target_ms)
    except ValueError as error:
        return Shown(panel.message(str(error), alert=True))
    visitor.answer_px = _usable_px(kept, meaning, noise, record)
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


def on_run(model, runtime, ladder, protocol, target_ms, meaning, curves, noise, request: gr.Request):
    """Measures, showing points as they come, or follows the measurement under way."""
    visitors.of(request).asked += 1
    asked = (target_ms, meaning, curves, noise)
    owner = name_of(request)
    try:
        classifier_ms = _classifier_target(target_ms, meaning, request)
        task = Task(model, runtime, ladder, protocol, classifier_ms)
        if fresh := board.fresh(task, owner):
            visitors.of(request).calibration = fresh
            minutes = math.ceil((FRESH_SECONDS - fresh.age_seconds) / 60)
            yield _solved(panel.message(FRESH.format(_age(fresh), minutes)), asked, request)
            return
        for measured, progress in board.start_or_follow(task, owner):
            note = "" if measured == task else panel.message(OTHERS.format(measured.model, measured.runtime))
            figure = gr.skip()
            if len(progress.points) >= 2:
                figure = gr.update(value=figures.latency(progress.points, {}, measured.target_ms), visible=True)
            yield Shown(note + views.progress_html(progress), figure)
    except (ValueError, MeasurementFailed, MeasurementCanceled) as error:
        # Whatever was shown of the failed run gives way to the last good calibration.
        yield _solved(panel.message(str(error), alert=True), asked, request)
        return
    visitors.of(request).calibration = kept = board.last(measured)
    assert kept is not None, "it was just measured"
    yield _solved(panel.message(f"Measured: {_described(kept)}."), asked, request)


def on_cancel(request: gr.Request) -> str:
    """Cancels the visitor's own calibration."""
    if board.cancel(name_of(request)):
        return panel.message("Canceling: the last good calibration stays.")
    return panel.message("There is no calibration of yours to cancel.")


def on_solve(target_ms, meaning, curves, noise, request: gr.Request):
    """Answers for another target, other curves or another noise; measures nothing."""
    visitors.of(request).asked += 1
    return _solved(None, (target_ms, meaning, curves, noise), request)


def on_open(target_ms, meaning, curves, noise, request: gr.Request):
    """Shows the last calibration of this machine to a visitor who opens the page."""
    # It must never take the place of what the visitor asks for meanwhile: to solve takes a moment, and at the end
    # Gradio sends what was yielded last once more.
    if visitors.of(request).asked:
        return
    kept = board.latest()
    shown = Shown()
    if kept is None:
        yield Shown(panel.message(EMPTY))
    else:
        yield Shown(panel.message(f"The last calibration of this machine: {_described(kept)}."))
        shown = _solved(None, (target_ms, meaning, curves, noise), request)
    yield Shown() if visitors.of(request).asked else shown


def on_upload(data: bytes | None, target_ms, meaning, curves, noise, request: gr.Request):
    """Puts an earlier calibration beside the present one, or in its place where there is none."""
    visitor = visitors.of(request)
    visitor.asked += 1
    asked = (target_ms, meaning, curves, noise)
    if data is None:
        visitor.compared = None
        return _solved(panel.message("The comparison is removed."), asked, request)
    try:
        uploaded = read_calibration(data)
        record = solve_calibration(uploaded, target_ms)
    except ValueError as error:
        return Shown(panel.message(str(error), alert=True))
    if visitor.calibration is None and board.latest() is None:
        visitor.calibration = Kept(uploaded, record, 0.0)
    else:
        visitor.compared = uploaded
    machine = uploaded.environment.get("cpu") or "a machine that it does not name"
    note = f"Uploaded: {uploaded.model}, {uploaded.runtime}, measured on {machine}."
    return _solved(panel.message(note), asked, request)


def on_use(request: gr.Request):
    """Hands the answer for the whole frame to the live tab: (resolution, status)."""
    size = visitors.of(request).answer_px
    try:
        known = resolution.trained_range()
    except ModelFileError as error:
        return gr.skip(), panel.message(str(error), alert=True)
    if size is None:
        text = NOT_USABLE
    elif known is None or not known[0] <= size <= known[1]:
        trained = "no sizes that are on record" if known is None else f"{known[0]} to {known[1]} px"
        text = f"{size} px: {UNMEASURED_ACCURACY}. The weights were trained for {trained}."
    else:
        choices = resolution.choices(size)
        return gr.update(choices=choices, value=size), panel.message(f"The live tab now uses {size} px.")
    return gr.skip(), panel.message(text, alert=True)


def runtimes_here() -> tuple[list[str], str]:
    """Returns the runtimes whose packages are installed, and what is missing for the others, if anything is."""
    missing = {name: missing_packages(name) for name in RUNTIMES}
    lacking = dict.fromkeys(package for packages in missing.values() for package in packages)
    note = f"not installed on this server: {', '.join(lacking)}" if lacking else ""
    return [name for name, packages in missing.items() if not packages], note


def build(blocks: gr.Blocks, live_resolution: gr.Radio) -> None:
    """Adds the tab's components and wiring to the Blocks under construction.

    Args:
        blocks: The page.
        live_resolution: The live tab's choice of resolution, to which an answer is handed.
    """
    gr.Markdown(INTRODUCTION)
    with gr.Row():
        model = gr.Dropdown(
            list(ARCHITECTURES), value=DEFAULT_MODEL, label="Model", info="the paper's four", min_width=220
        )
        offered, missing = runtimes_here()
        runtime = gr.Dropdown(
            offered,
            value=DEFAULT_RUNTIME if DEFAULT_RUNTIME in offered else next(iter(offered), None),
            label="Runtime",
            info=missing or "the library that runs it",
            min_width=220,
            elem_id="runtime",
        )
        ladder = gr.Dropdown(
            list(LADDERS),
            value=LADDERS[0],
            allow_custom_value=True,
            label="Ladder: sizes to measure",
            info="the paper's ten, or type: 48,96,128",
            min_width=220,
            elem_id="ladder",
        )
        protocol = gr.Dropdown(
            list(PROTOCOLS), value=PROTOCOLS[0], label="Protocol", info="paper: a mean of ten runs", min_width=220
        )
    with gr.Row():
        target = gr.Slider(
            5,
            200,
            value=REAL_TIME_MS,
            step=1,
            label="Target, ms",
            info="40 ms is real time: 25 frames a second",
            min_width=280,
            elem_id="target",
        )
        meaning = gr.Radio(
            [CLASSIFIER, FRAME],
            value=CLASSIFIER,
            label="The target is for",
            info="a frame also has to be decoded, searched for faces, drawn and encoded",
            min_width=280,
            elem_id="meaning",
        )
    with gr.Row():
        run = gr.Button("Run", variant="primary", elem_id="run")
        cancel = gr.Button("Cancel", elem_id="cancel")
        use = gr.Button("Use this resolution", elem_id="use")
    status = gr.HTML(panel.message(EMPTY), elem_id="calibration-status")
    answer = gr.HTML(elem_id="calibration-answer")
    curves = gr.CheckboxGroup(list(CURVES), value=list(SHOWN_AT_FIRST), label="Curves to show", elem_id="curves")
    figure = gr.Plot(show_label=False, visible=False, elem_id="calibration-figure")
    with gr.Accordion("Why? Three explanations of a minute each", open=False):
        for text in (lessons.FLOOR, lessons.POLYNOMIAL, lessons.EXTRAPOLATION):
            gr.Markdown(text, latex_delimiters=[{"left": "$", "right": "$", "display": False}])
    with gr.Column(visible=False) as details:
        gr.Markdown(lessons.NOISE)
        noise = gr.Slider(0, 20, value=0, step=0.5, label="Simulated noise, %", elem_id="noise")
        # Gradio's own table style draws heavy lines around every cell.
        table = gr.HTML(elem_id="curve-table", apply_default_css=False)
        with gr.Row():
            with gr.Column(scale=3, min_width=320):
                points = gr.HTML(elem_id="points", apply_default_css=False)
            with gr.Column(scale=2, min_width=320):
                environment = gr.HTML(elem_id="environment", apply_default_css=False)
        downloads = gr.HTML(elem_id="downloads")
    upload = gr.File(
        label="Compare with an earlier calibration (JSON)",
        file_types=[".json"],
        type="binary",
        height=120,
        elem_id="upload",
    )

    shown = [status, figure, answer, details, table, points, environment, downloads]
    asked: list[Any] = [target, meaning, curves, noise]
    private: dict[str, Any] = {"show_progress": "hidden", "concurrency_limit": 16, "api_visibility": "private"}
    run.click(on_run, [model, runtime, ladder, protocol, *asked], shown, **private)
    cancel.click(on_cancel, None, status, queue=False, api_visibility="private")
    for component in asked:
        # A slider that is dragged asks for its last place alone.
        component.change(on_solve, asked, shown, trigger_mode="always_last", **private)
    upload.change(on_upload, [upload, *asked], shown, **private)
    use.click(on_use, None, [live_resolution, status], queue=False, api_visibility="private")
    blocks.load(on_open, asked, shown, **private)
