"""Results tab: the paper's table beside what was measured here, each figure with its origin."""

from __future__ import annotations

from typing import Any, NamedTuple

import gradio as gr

from fer_core import result_figures
from fer_core.builder import ARCHITECTURES
from fer_core.measurements import Measurements
from fer_core.model_files import ModelFileError
from fer_core.results import PAPER, MeasuredRow, TrainingRun, read_results
from fer_core.splits import SPLITS, rows_of, served_row_of, split_named, why_not_measured
from fer_core.trade_off import choices

from . import panel
from . import results_views as views
from .board import Kept, board

INTRODUCTION = "\n".join(
    [
        "### Can these accuracies be believed?",
        "KDEF, the paper's data set, shows each person dozens of times. What a test says depends on whether its people "
        "were seen in training. Switch between the two ways of splitting it and watch the figures below:",
        *(f"- **{split.name}**: {split.meaning}" for split in SPLITS),
    ]
)

TABLE_NOTE = f"""### The paper's Table 2, and the same measured here
**px** is the resolution, the side of the square picture that the model sees. **Accuracy** is the share of pictures
answered rightly; a face that was not found counts as wrong. **Loss** (cross-entropy) is how surprised the model is by
the truth: 0 is perfect, giving each emotion a seventh makes 1.95. **F1** weighs false alarms against misses; *macro*
counts every emotion alike, *micro* every picture, *weighted* every emotion by how often it occurs. **Latency** is the
time that the model takes for one face; press Run in the Calibration tab to measure it on this machine. ± is the
standard deviation over repetitions, ≈ a latency between two measured sizes. Two things to notice in the paper
({PAPER}): micro F1 equals accuracy wherever each picture has one label and gets one answer, yet the table has them
apart; and it does not say that people are kept apart."""

LEAK_NOTE = "### What it is worth to have seen the people before"

TRADE_OFF_NOTE = """### Accuracy against latency (the paper's Figure 12)
One mark for each resolution: further up is better, further left is faster, green is real time (40 ms). The **Pareto
front** joins the choices that no other beats: whatever is faster is less accurate. The accuracy is that of the weights
that this page serves where those were scored, else of recorded runs. Open marks: latency between two measured sizes;
diamonds: the paper's own figures, on another machine."""
NOT_CALIBRATED = (
    "No latency was measured on this machine since it started: press Run in the Calibration tab. Until then only the "
    "paper's own points are shown, of another machine."
)
NOT_SCORED = (
    "None of the models whose latency is known has an accuracy with {}: only the paper's own points are shown, of "
    "another machine."
)

RESOLUTION_NOTE = """### What a smaller resolution costs
Along a line the weights stay the same, asked at every resolution. RAF-DB and FER+ are faces from the web, with
tests of their own: the switch does not change them."""

CONFUSION_NOTE = """### What is mistaken for what
A confusion matrix: rows are the truth, columns the answers, numbers are pictures. Perfect is all on the diagonal."""

ANGLE_NOTE = """### Turned heads
KDEF photographs everybody from five sides: FL and FR are the full profiles, HL and HR the half profiles, S is
straight. *1 fold*, hatched: the weights that this page serves, on 12 people; *5 folds*: five trainings, on everybody in
turn. The two cannot be compared."""

TRAINING_NOTE = """### Training, epoch by epoch (the paper's Figures 4 to 11)
An **epoch** is one pass through the training pictures, red; after it the model is tried on **validation** pictures,
blue, which it does not learn from. Training pictures are distorted at random, which makes them harder: red may lie on
the wrong side of blue. A new **stage** changes the pictures, their sizes or their labels."""

EVERY_NOTE = """### Every measured figure
**Calibration error** is how far the model's confidence lies from its hit rate. *Shipped*: the weights in `models/` give
this figure again; *run*: a recorded training run does, whose weights are not shipped."""

NOTHING = "Nothing measured yet: no model in models/ has figures. This measures one: python -m train evaluate --write"

HALF = 480
"""Least width in pixels of one of two columns; on narrower screens they stand below each other."""


class Tables(NamedTuple):
    """What a calibration may change, in the order of its components."""

    alerts: object
    table: str
    origins: str
    downloads: str
    trade_off: object
    trade_off_note: object


class Scored(NamedTuple):
    """What depends on the measured accuracies alone, in the order of its components."""

    leak: str
    splits: object
    by_resolution: object
    scored: object
    matrix: object
    angles: object
    angle_note: object
    every: str


def calibrations() -> list[Measurements]:
    """Returns this machine's last calibration of each model in each runtime, the newest first."""
    newest: dict[tuple[str, str], Kept] = {}
    for each in board.kept():
        newest.setdefault((each.measurements.model, each.measurements.runtime), each)
    return [each.measurements for each in newest.values()]


def _read() -> tuple[list[MeasuredRow], dict[str, TrainingRun], str]:
    """Reads all results afresh; a damaged file becomes an alert and does not hide the other models."""
    rows: list[MeasuredRow] = []
    runs: dict[str, TrainingRun] = {}
    alerts = ""
    for model in ARCHITECTURES:
        try:
            results = read_results(model)
        except ModelFileError as error:
            alerts += panel.message(str(error), alert=True)
            continue
        rows += results.rows
        if results.training is not None:
            runs[model] = results.training
    return rows, runs, alerts


def _plot(figure: object, shown: bool) -> object:
    return gr.update(value=figure, visible=True) if shown else gr.update(visible=False)


def _note(html: str) -> object:
    # An empty one would leave a gap.
    return gr.update(value=html, visible=bool(html))


def show_tables(split_name: str) -> Tables:
    """Fills the table, its downloads, and the figure of accuracy against latency."""
    split = split_named(split_name)
    rows, _, alerts = _read()
    measured = calibrations()
    table = views.table_2(rows, split, measured)
    chosen = [row for model in ARCHITECTURES if (row := served_row_of(rows, model, split))]
    offered = choices(chosen, measured)
    files = {
        "table_2.csv": table,
        "every_figure.csv": views.every_figure(rows),
        "accuracy_by_resolution.csv": views.by_resolution(rows),
    }
    return Tables(
        _note(alerts or ("" if rows else panel.message(NOTHING))),
        views.table_2_html(table, split),
        views.origins_html(rows, split, measured),
        views.downloads_html(files),
        result_figures.trade_off(offered),
        _note("" if offered else panel.message(NOT_SCORED.format(split.name) if measured else NOT_CALIBRATED)),
    )


def show_scores(split_name: str) -> Scored:
    """Fills the figures of accuracy after one split of KDEF, and of the data sets that have one split only."""
    split = split_named(split_name)
    rows, _, _ = _read()
    shown = rows_of(rows, split)
    turned = [row for row in shown if row.by_angle]
    names = [result_figures.row_name(row) for row in shown]
    return Scored(
        views.leak_html(rows),
        _plot(result_figures.splits(rows), any(row.protocol in split.protocols for split in SPLITS for row in rows)),
        _plot(result_figures.accuracy_by_resolution(shown), bool(shown)),
        gr.update(choices=names, value=names[0] if names else None),
        _plot(result_figures.confusion(shown[0].confusion) if shown else None, bool(shown)),
        _plot(result_figures.by_angle(turned), bool(turned)),
        _note("" if turned else panel.message(f"{split.name.capitalize()}: not measured by angle.")),
        views.every_figure_html(views.every_figure(rows)),
    )


def show_confusion(name: str | None) -> object:
    """Draws the confusion matrix of a measured row, by its name in the list."""
    for row in _read()[0]:
        if result_figures.row_name(row) == name:
            return _plot(result_figures.confusion(row.confusion), shown=True)
    return gr.update(visible=False)


def show_training(model: str) -> tuple[object, object, str]:
    """Draws loss and accuracy over the epochs of a model's training, or says that none is recorded."""
    rows, runs, _ = _read()
    run = runs.get(model)
    if run is None:
        measured = any(row.model == model for row in rows)
        reason = "" if measured else f"; its accuracy is {why_not_measured(model, SPLITS[0])}"
        note = panel.message(f"{model}: no training is recorded{reason}.")
        return gr.update(visible=False), gr.update(visible=False), note
    loss, accuracy = (result_figures.training(run, quantity) for quantity in ("loss", "accuracy"))
    return _plot(loss, shown=True), _plot(accuracy, shown=True), views.training_html(run)


def build(tab: gr.Tab) -> None:
    """Adds the tab's components to the Blocks under construction.

    Args:
        tab: The tab itself: whenever it is opened, calibrations that have ended meanwhile are shown.
    """
    gr.Markdown(INTRODUCTION)
    alerts = gr.HTML(visible=False, elem_id="results-alerts")
    split = gr.Radio(
        [each.name for each in SPLITS],
        value=SPLITS[0].name,
        label="KDEF, split with",
        elem_id="split",
    )
    gr.Markdown(TABLE_NOTE)
    plain: dict[str, Any] = {"css_template": views.TABLE_STYLE, "apply_default_css": False}
    table = gr.HTML(elem_id="table-2", **plain)
    origins = gr.HTML(elem_id="origins", **plain)
    downloads = gr.HTML(elem_id="results-downloads")
    with gr.Row():
        with gr.Column(min_width=HALF):
            gr.Markdown(LEAK_NOTE)
            leak = gr.HTML(elem_id="leak")
            splits = gr.Plot(show_label=False, elem_id="splits-figure")
        with gr.Column(min_width=HALF):
            gr.Markdown(ANGLE_NOTE)
            angle_note = gr.HTML(visible=False, elem_id="angle-note")
            angles = gr.Plot(show_label=False, elem_id="angle-figure")
    gr.Markdown(TRADE_OFF_NOTE)
    trade_off_note = gr.HTML(visible=False, elem_id="trade-off-note")
    trade_off = gr.Plot(show_label=False, elem_id="trade-off-figure")
    with gr.Row():
        with gr.Column(min_width=HALF):
            gr.Markdown(RESOLUTION_NOTE)
            by_resolution = gr.Plot(show_label=False, elem_id="resolution-figure")
        with gr.Column(min_width=HALF):
            gr.Markdown(CONFUSION_NOTE)
            scored = gr.Radio([], label="Scored on", elem_id="scored")
            matrix = gr.Plot(show_label=False, elem_id="confusion-figure")
    gr.Markdown(TRAINING_NOTE)
    trained = gr.Radio(list(ARCHITECTURES), value=next(iter(ARCHITECTURES)), label="Model", elem_id="trained")
    with gr.Row():
        loss = gr.Plot(show_label=False, elem_id="loss-figure")
        accuracy = gr.Plot(show_label=False, elem_id="accuracy-figure")
    training_note = gr.HTML(elem_id="training-note")
    gr.Markdown(EVERY_NOTE)
    every = gr.HTML(elem_id="every-figure", **plain)

    private: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    tables = [alerts, table, origins, downloads, trade_off, trade_off_note]
    # Without a trigger of its own, an event runs when the page is opened and when its input changes.
    gr.on(None, show_tables, [split], tables, **private)
    scores = [leak, splits, by_resolution, scored, matrix, angles, angle_note, every]
    gr.on(None, show_scores, [split], scores, **private)
    gr.on(None, show_training, [trained], [loss, accuracy, training_note], **private)
    scored.input(show_confusion, scored, matrix, **private)
    tab.select(show_tables, split, tables, **private)
