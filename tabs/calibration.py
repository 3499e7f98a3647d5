"""Calibration tab: measure this CPU, see the curves, ask for a target, get a resolution that was measured again."""

from __future__ import annotations

import math
from typing import Any

import gradio as gr

from fer_core.answers import UNMEASURED_ACCURACY, solve_calibration
from fer_core.builder import ARCHITECTURES
from fer_core.interpolation import CURVES
from fer_core.latency import PROTOCOLS
from fer_core.measuring import MeasurementCanceled, MeasurementFailed
from fer_core.model_files import ModelFileError
from fer_core.recognizer import DEFAULT_MODEL, DEFAULT_RUNTIME
from fer_core.results import REAL_TIME_MS
from fer_core.runtimes import RUNTIMES, missing_packages

from . import calibration_views as views
from . import engine, lessons, panel, resolution
from .api import read_calibration
from .board import FRESH_SECONDS, Kept, Task, board
from .calibration_answers import CLASSIFIER, EMPTY, FRAME, Shown, age, answered, classifier_target, described, in_turn
from .visitors import name_of, visitors

LADDERS = ("paper", "equispaced:10", "chebyshev:10")
SHOWN_AT_FIRST = ("lagrange", "quadratic")

INTRODUCTION = """### How large a face can this CPU afford?
Press **Run**: the model is timed at ten resolutions on the machine that serves this page, which takes some seconds.
Then move the target: every curve answers at once, nothing is measured again."""

OTHERS = "Another visitor's calibration is under way ({}, {}). Run yours after it."
FRESH = "Another visitor measured this {}. Every target is answered from it; it can be measured again in {} min."
NOT_USABLE = (
    f"Only one answer fits the live tab: for {FRAME}, without simulated noise, from {' or '.join(engine.models())} in "
    f"{DEFAULT_RUNTIME} as measured on this machine."
)


def on_run(model, runtime, ladder, protocol, target_ms, meaning, curves, noise, request: gr.Request):
    """Measures, showing points as they come, or follows the measurement under way."""
    visitors.of(request).asked += 1
    asked = (target_ms, meaning, curves, noise)
    owner = name_of(request)
    try:
        classifier_ms = classifier_target(target_ms, meaning, request)
        task = Task(model, runtime, ladder, protocol, classifier_ms)
        if fresh := board.fresh(task, owner):
            visitors.of(request).calibration = fresh
            minutes = math.ceil((FRESH_SECONDS - fresh.age_seconds) / 60)
            yield from answered(panel.message(FRESH.format(age(fresh), minutes)), asked, request)
            return
        for measured, progress in board.start_or_follow(task, owner):
            note = "" if measured == task else panel.message(OTHERS.format(measured.model, measured.runtime))
            figure = gr.skip()
            if len(progress.points) >= 2:
                figure = gr.update(value=views.progress_figure(progress.points, measured.target_ms), visible=True)
            yield Shown(note + views.progress_html(progress), figure)
    except (ValueError, MeasurementFailed, MeasurementCanceled) as error:
        # Whatever was shown of the failed run gives way to the last good calibration.
        yield from answered(panel.message(str(error), alert=True), asked, request)
        return
    visitors.of(request).calibration = kept = board.last(measured)
    assert kept is not None, "it was just measured"
    yield from answered(panel.message(f"Measured: {described(kept)}."), asked, request)


def on_cancel(request: gr.Request) -> str:
    """Cancels the visitor's own calibration."""
    if board.cancel(name_of(request)):
        return panel.message("Canceling: the last good calibration stays.")
    return panel.message("There is no calibration of yours to cancel.")


def on_solve(target_ms, meaning, curves, noise, request: gr.Request):
    """Answers for another target, other curves or another noise; measures nothing."""
    visitors.of(request).asked += 1
    yield from answered(None, (target_ms, meaning, curves, noise), request)


def on_open(target_ms, meaning, curves, noise, request: gr.Request):
    """Shows the last calibration of this machine to a visitor who opens the page."""
    # It must never take the place of what the visitor asks for meanwhile: to solve takes a moment, and at the end
    # Gradio sends what was yielded last once more.
    if visitors.of(request).asked:
        return
    kept = board.latest()
    if kept is None:
        yield Shown(panel.message(EMPTY))
        yield Shown()
        return
    yield Shown(panel.message(f"The last calibration of this machine: {described(kept)}."))
    for shown in answered(None, (target_ms, meaning, curves, noise), request):
        yield Shown() if visitors.of(request).asked else shown


def on_upload(data: bytes | None, target_ms, meaning, curves, noise, request: gr.Request):
    """Puts an earlier calibration beside the present one, or in its place where there is none."""
    visitor = visitors.of(request)
    visitor.asked += 1
    asked = (target_ms, meaning, curves, noise)
    if data is None:
        visitor.compared = None
        yield from answered(panel.message("The comparison is removed."), asked, request)
        return
    try:
        uploaded = read_calibration(data)
        record = yield from in_turn(lambda: solve_calibration(uploaded, target_ms), request)
    except ValueError as error:
        yield Shown(panel.message(str(error), alert=True))
        return
    if visitor.calibration is None and board.latest() is None:
        visitor.calibration = Kept(uploaded, record, 0.0)
    else:
        visitor.compared = uploaded
    machine = uploaded.environment.get("cpu") or "a machine that it does not name"
    note = f"Uploaded: {uploaded.model}, {uploaded.runtime}, measured on {machine}."
    yield from answered(panel.message(note), asked, request)


def on_use(request: gr.Request):
    """Hands the answer for the whole frame to the live tab: (model, resolution, status)."""
    answer = visitors.of(request).answer
    if answer is None:
        return gr.skip(), gr.skip(), panel.message(NOT_USABLE, alert=True)
    model, size = answer
    try:
        known = resolution.trained_range(model)
    except ModelFileError as error:
        return gr.skip(), gr.skip(), panel.message(str(error), alert=True)
    if known is None or not known[0] <= size <= known[1]:
        trained = "no sizes that are on record" if known is None else f"{known[0]} to {known[1]} px"
        text = f"{size} px: {UNMEASURED_ACCURACY}. The weights were trained for {trained}."
    else:
        update = gr.update(choices=resolution.choices(size), value=size)
        return model, update, panel.message(f"The live tab now uses {model} at {size} px.")
    return gr.skip(), gr.skip(), panel.message(text, alert=True)


def runtimes_here() -> tuple[list[str], str]:
    """Returns the runtimes whose packages are installed, and what is missing for the others, if anything is."""
    missing = {name: missing_packages(name) for name in RUNTIMES}
    lacking = dict.fromkeys(package for packages in missing.values() for package in packages)
    note = f"not installed on this server: {', '.join(lacking)}" if lacking else ""
    return [name for name, packages in missing.items() if not packages], note


def build(blocks: gr.Blocks, live_model: gr.Radio, live_resolution: gr.Radio, cameras: bool = True) -> None:
    """Adds the tab's components and wiring to the Blocks under construction.

    Args:
        blocks: The page.
        live_model: The live tab's choice of the model, to which an answer's model is handed.
        live_resolution: The live tab's choice of resolution, to which the answer is handed.
        cameras: Whether there are camera frames, for which alone the target can be that of a whole frame.
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
            visible=cameras,
            elem_id="meaning",
        )
    with gr.Row():
        run = gr.Button("Run", variant="primary", elem_id="run")
        cancel = gr.Button("Cancel", elem_id="cancel")
        use = gr.Button("Use this resolution", visible=cameras, elem_id="use")
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
    use.click(on_use, None, [live_model, live_resolution, status], queue=False, api_visibility="private")
    blocks.load(on_open, asked, shown, **private)
