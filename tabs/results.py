"""Results tab: the paper's table beside what was measured here, each figure with its origin."""

from __future__ import annotations

import gradio as gr
import pandas as pd

from fer_core import figures
from fer_core.model_files import ModelFileError
from fer_core.results import PAPER, PAPER_MACHINE, PAPER_TABLE_2, MeasuredRow, measured_rows

from . import panel

PAPER_NOTE = f"""### The paper's Table 2
{PAPER}; latency on an {PAPER_MACHINE}. Two things to notice: micro F1 equals accuracy wherever each picture has one
label and gets one answer, yet the table has them apart; and the paper does not say that people are kept apart, so the
same person may stand in training and test."""

MEASURED_NOTE = """### Measured here
With the weights that this page serves. **Accuracy** is the share of pictures answered rightly. KDEF is scored from the
photograph, and a face that was not found counts as wrong (the loss and what follows it are of those found); RAF-DB and
FER+ are faces already. **Loss** is cross-entropy: how surprised the model is by the truth (0 is perfect).
**F1** weighs false alarms against misses; *macro* counts every emotion alike, *weighted* by how often it occurs.
**Calibration error** is how far its confidence lies from its hit rate."""

EMPTY = """### Measured here
Nothing yet: no model in `models/` has a `metrics.json`. `python -m train evaluate --write` measures one."""


def paper_table() -> pd.DataFrame:
    """Returns the paper's Table 2, a row per model."""
    return pd.DataFrame(
        [
            {
                "model": model,
                "resolution, px": row.resolution,
                "accuracy": row.accuracy,
                "loss": row.loss,
                "F1 macro": row.f1_macro,
                "F1 micro": row.f1_micro,
                "F1 weighted": row.f1_weighted,
                "latency, ms": row.latency_ms,
            }
            for model, row in PAPER_TABLE_2.items()
        ]
    )


def measured_table(rows: list[MeasuredRow]) -> pd.DataFrame:
    """Returns the measured figures, a row per model and protocol."""
    return pd.DataFrame(
        [
            {
                "model": row.model,
                "scored on": row.description,
                "resolution, px": row.resolution,
                "accuracy": f"{row.accuracy:.3f}",
                "loss": f"{row.loss:.3f}",
                "F1 macro": f"{row.f1_macro:.3f}",
                "F1 weighted": f"{row.f1_weighted:.3f}",
                "calibration error": f"{row.calibration_error:.3f}",
                "pictures": row.images,
                "faces missed": row.faces_missed,
                "weights": row.weights,
                "measured": f"{row.date}, {row.machine}",
            }
            for row in rows
        ]
    )


def _html(table: pd.DataFrame) -> str:
    return f'<div class="fer-wide">{table.to_html(index=False, border=0, classes="fer-curves")}</div>'


def build() -> None:
    """Adds the tab's components to the Blocks under construction."""
    try:
        rows = measured_rows()
    except ModelFileError as error:
        rows = []
        gr.HTML(panel.message(str(error), alert=True))
    if rows:
        gr.Markdown(MEASURED_NOTE)
        gr.HTML(_html(measured_table(rows)))
        gr.Markdown(
            "### What a smaller resolution costs\nOne set of weights, asked at every resolution; none was trained "
            "for one size alone."
        )
        gr.Plot(figures.accuracy_by_resolution(rows), show_label=False)
        gr.Markdown("### What is mistaken for what\nRows are the truth, columns the answers.")
        by_name = {f"{row.model}, {row.protocol}": row for row in rows}
        chosen = gr.Radio(list(by_name), value=next(iter(by_name)), label="Scored on")
        matrix = gr.Plot(figures.confusion(rows[0].confusion), show_label=False)
        chosen.change(lambda name: figures.confusion(by_name[name].confusion), chosen, matrix, api_visibility="private")
    else:
        gr.Markdown(EMPTY)
    gr.Markdown(PAPER_NOTE)
    gr.HTML(_html(paper_table()))
