"""What the results tab shows beside its figures: tables, where each number comes from, downloads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from fer_core.measurements import Measurements
from fer_core.recognizer import DEFAULT_RUNTIME
from fer_core.results import PAPER_MACHINE, PAPER_TABLE_2, MeasuredRow, TrainingRun
from fer_core.splits import PEOPLE_APART, PEOPLE_MIXED, Split, leak, measuring_command, row_of, why_not_measured
from fer_core.trade_off import latency_at

from . import panel

SCORES = {
    "px": "resolution",
    "accuracy": "accuracy",
    "loss": "loss",
    "F1 macro": "f1_macro",
    "F1 micro": "f1_micro",
    "F1 weighted": "f1_weighted",
}
"""Column heads and fields that the paper's table and ours share."""

LATENCY = "latency, ms"
NO_LATENCY = "not measured"
_OURS = 'class="fer-ours"'
_WRAPS = 'class="fer-text"'

# Numbers stay on one line, so that a narrow screen scrolls instead of squeezing; only text wraps.
TABLE_STYLE = """
.fer-results {border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .9rem}
.fer-results th, .fer-results td {text-align: left; padding: .3em .45em; vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent)}
.fer-results td {white-space: nowrap}
.fer-results .fer-text {white-space: normal; min-width: 18em; overflow-wrap: anywhere}
.fer-results th[scope=row] {white-space: nowrap; position: sticky; left: 0; background: var(--background-fill-primary)}
.fer-results .fer-ours {border-left: 3px solid color-mix(in srgb, currentColor 35%, transparent)}
.fer-origins li {margin: .3em 0}
"""


def own_latency(
    model: str, resolution: int, calibrations: Sequence[Measurements]
) -> tuple[float, bool, Measurements] | None:
    """Returns a model's latency on this machine: in the runtime of the app if that was calibrated, else in another.

    Args:
        model: A model of ``builder.ARCHITECTURES``.
        resolution: Side of the input in pixels.
        calibrations: Calibrations of this machine, the newest first.

    Returns:
        Latency in ms, whether it was measured at this very size, and its calibration; None if there is none.
    """
    mine = [each for each in calibrations if each.model == model]
    for measurements in sorted(mine, key=lambda each: each.runtime != DEFAULT_RUNTIME):
        if latency := latency_at(measurements, resolution):
            return *latency, measurements
    return None


def table_2(rows: Sequence[MeasuredRow], split: Split, calibrations: Sequence[Measurements]) -> pd.DataFrame:
    """Returns the paper's Table 2 with this project's figures beside it, a row per model.

    Args:
        rows: All measured rows.
        split: The split of KDEF that our figures are of.
        calibrations: Calibrations of this machine, the newest first.
    """
    records = []
    for model, paper in PAPER_TABLE_2.items():
        row = row_of(rows, model, split)
        latency = own_latency(model, (row or paper).resolution, calibrations)
        records.append(
            {"model": model}
            | {f"paper: {head}": getattr(paper, field) for head, field in SCORES.items()}
            | {f"paper: {LATENCY}": paper.latency_ms}
            | {f"here: {head}": row and getattr(row, field) for head, field in SCORES.items()}
            | {
                f"here: {LATENCY}": latency and latency[0],
                "accuracy std": row and row.accuracy_std,
                "protocol": row and row.protocol,
                "date": row and row.date,
                "machine": row and row.machine,
                "latency between measured sizes": latency and not latency[1],
                "latency runtime": latency and latency[2].runtime,
                "latency date": latency and latency[2].environment.get("date"),
                "latency machine": latency and latency[2].environment.get("cpu"),
                "note": "" if row else f"paper: {paper.accuracy:.2f}; {why_not_measured(model, split)}",
            }
        )
    # Whole numbers would become fractions where one is missing.
    return pd.DataFrame(records).astype({"here: px": "Int64"})


def table_2_html(table: pd.DataFrame, split: Split) -> str:
    """Renders ``table_2``: both halves in one table, so that its rows stand side by side on any screen."""
    heads = [f"<th>{head}</th>" for head in (*SCORES, LATENCY)]
    first_of_ours = heads[0].replace("<th", f"<th {_OURS}")
    lines = [
        f'<tr><td></td><th colspan="{len(heads)}">The paper, 2024, latency on an {escape(PAPER_MACHINE)}</th>'
        f'<th {_OURS} colspan="{len(heads)}">Here, {escape(split.name)}</th></tr>',
        f"<tr><th>model</th>{''.join([*heads, first_of_ours, *heads[1:]])}</tr>",
    ]
    for record in table.to_dict("records"):
        cells = [f'<th scope="row">{record["model"]}</th>']
        cells += [f"<td>{_shown(record[f'paper: {head}'], 2)}</td>" for head in (*SCORES, LATENCY)]
        if record["note"]:
            cells.append(f'<td {_OURS} colspan="{len(SCORES)}"><div {_WRAPS}>{escape(record["note"])}</div></td>')
        else:
            size, _, *scores = (_shown(record[f"here: {head}"]) for head in SCORES)
            cells.append(f"<td {_OURS}>{size}</td>")
            cells += [f"<td>{score}</td>" for score in (_with_spread(record, "here: accuracy"), *scores)]
        latency = record[f"here: {LATENCY}"]
        if pd.isna(latency):
            cells.append(f"<td>{NO_LATENCY}</td>")
        else:
            cells.append(f"<td>{'≈ ' if record['latency between measured sizes'] else ''}{latency:.1f}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return _wide("".join(lines))


def _with_spread(record: Mapping[str, float], head: str = "accuracy") -> str:
    std = record["accuracy std"]
    return _shown(record[head]) + ("" if pd.isna(std) else f" ± {std:.3f}")


def _shown(value: object, digits: int = 3) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def _wide(lines: str) -> str:
    return f'<div class="fer-wide"><table class="fer-results">{lines}</table></div>'


def origins_html(rows: Sequence[MeasuredRow], split: Split, calibrations: Sequence[Measurements]) -> str:
    """Says of each figure of ours in ``table_2`` what was scored, when, where, and how to repeat it."""
    items = []
    for model, paper in PAPER_TABLE_2.items():
        row = row_of(rows, model, split)
        latency = own_latency(model, (row or paper).resolution, calibrations)
        parts = [] if row is None else [_origin(row)]
        if latency is not None:
            parts.append(_latency_origin(latency[2], (row or paper).resolution))
        if row is not None and (accuracy := row.accuracy_at(paper.resolution)) is not None:
            parts.append(f"At the paper's {paper.resolution} px: accuracy {accuracy:.3f}.")
        if parts:
            items.append(f"<li><b>{model}</b>: {' '.join(parts)}</li>")
    return f'<ul class="fer-origins">{"".join(items)}</ul>' if items else ""


def _origin(row: MeasuredRow) -> str:
    people = "" if row.people is None else f", {row.people} people"
    runtime = "" if row.runtime is None else f", {row.runtime}"
    kind = "the weights that this page serves" if row.weights == "shipped" else "recorded training runs"
    said = (
        f"{row.description}; {row.images:,} pictures{people}, faces not found: {row.faces_missed}. "
        f"Measured {row.date} on {row.machine}{runtime}, with {kind}; repeat with "
    )
    return f"{escape(said)}<code>{measuring_command(row.protocol, row.model, row.weights)}</code>."


def _latency_origin(measurements: Measurements, resolution: int) -> str:
    environment = measurements.environment
    return escape(
        f"Latency at {resolution} px: {measurements.runtime}, {measurements.weights} weights, measured "
        f"{str(environment['date'])[:10]} on {environment['cpu']}, {environment['threads']} threads."
    )


def leak_html(rows: Sequence[MeasuredRow]) -> str:
    """States what mixing the people adds to the accuracy, model by model; says how to measure what is missing."""
    found = [each for model in PAPER_TABLE_2 if (each := leak(rows, model))]
    lines = []
    for each in found:
        mixed_px, apart_px = each.resolutions
        sizes = f"at {mixed_px} px" if mixed_px == apart_px else f"at {mixed_px} and {apart_px} px"
        line = f"<b>{each.model}</b> {sizes}: {each.mixed:.3f} with people mixed, {each.apart:.3f} kept apart. "
        points = f"{abs(each.gap) * 100:.1f} percentage points"
        if each.gap <= 0:
            line += f"No leak shows: mixing the people made it no better ({points} lower)."
        elif each.spread is not None and each.gap < 2 * each.spread:
            line += f"The gap of {points} may be chance: its standard deviation is {each.spread * 100:.1f}."
        else:
            line += (
                f"The gap of <b>{points}</b> comes with having seen the tested people in training: expect the lower "
                "figure for a new visitor of this page."
            )
        lines.append(f"<p>{line}</p>")
    for split in (PEOPLE_APART, PEOPLE_MIXED):
        if not any(row_of(rows, model, split) for model in PAPER_TABLE_2):
            lines.append(
                f"<p>{split.name.capitalize()}: not measured yet, so there is no gap to state. This measures it: "
                f"<code>{measuring_command(split.protocols[0])}</code></p>"
            )
    if not lines:
        lines.append("<p>No model was measured both ways with the same kind of weights yet: there is no gap.</p>")
    return "".join(lines)


def every_figure(rows: Sequence[MeasuredRow]) -> pd.DataFrame:
    """Returns every protocol of every model, a row each, unrounded."""
    records = [
        {"model": row.model, "scored on": row.description}
        | {head: getattr(row, field) for head, field in SCORES.items()}
        | {
            "accuracy std": row.accuracy_std,
            "calibration error": row.calibration_error,
            "pictures": row.images,
            "people": row.people,
            "faces missed": row.faces_missed,
            "weights": row.weights,
            "measured": ", ".join(filter(None, (row.date, row.machine, row.runtime))),
            "repeat with": measuring_command(row.protocol, row.model, row.weights),
        }
        for row in rows
    ]
    return pd.DataFrame(records).astype({"people": "Int64"}) if records else pd.DataFrame()


def every_figure_html(table: pd.DataFrame) -> str:
    """Renders ``every_figure``, numbers rounded to three digits, without the commands."""
    heads = [head for head in table.columns if head not in ("accuracy std", "weights", "measured", "repeat with")]
    lines = ["<tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"]
    for record in table.to_dict("records"):
        cells = {head: _shown(record[head]) for head in heads}
        cells["accuracy"] = _with_spread(record)
        # Columns of their own would be too narrow for long texts.
        origin = panel.message(f"{record['weights']}, measured {record['measured']}")
        cells["scored on"] = f"<div {_WRAPS}>{escape(record['scored on'])}{origin}</div>"
        model = f'<th scope="row">{cells.pop("model")}</th>'
        lines.append(f"<tr>{model}{''.join(f'<td>{cell}</td>' for cell in cells.values())}</tr>")
    return _wide("".join(lines))


def by_resolution(rows: Sequence[MeasuredRow]) -> pd.DataFrame:
    """Returns the accuracy at each resolution, a row per model, protocol and resolution."""
    return pd.DataFrame(
        [
            {"model": row.model, "protocol": row.protocol, "px": size, "accuracy": accuracy}
            for row in rows
            for size, accuracy in sorted(row.accuracy_by_resolution.items())
        ]
    )


def downloads_html(tables: Mapping[str, pd.DataFrame]) -> str:
    """Renders links to tables as CSV files, by file name. They lie inside the page, so none is left on the server."""
    links = []
    for name, table in tables.items():
        links.append(panel.download_link(name, "text/csv", table.to_csv(index=False).encode()))
    return '<p class="fer-downloads">Download: ' + " · ".join(links) + "</p>"


def training_html(run: TrainingRun) -> str:
    """Says what was trained, where and for how long, and what the paper reports."""
    duration = "" if run.seconds is None else f", {run.seconds / 60:.0f} minutes"
    command = "" if run.command is None else f"<code>{escape(run.command)}</code>, "
    note = f" {escape(run.note)}" if run.note else ""
    gap = any(epoch.loss is None for epoch in run.epochs)
    peak = PAPER_TABLE_2[run.model].peak_validation_accuracy
    return (
        f"<p>{run.model}, {len(run.epochs)} epochs: {command}{escape(run.hardware or 'machine not recorded')}, "
        f"{escape(run.date or 'date not recorded')}{duration}.{note} The paper's validation accuracy for this "
        f"model peaks at {peak:.2f}, on its own data and machine.</p>"
    ) + (panel.message("Where the training curve has a gap, the figure was not recorded.") if gap else "")
