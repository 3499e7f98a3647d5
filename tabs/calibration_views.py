"""What the calibration tab shows: figure, answers, tables, downloads."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from functools import lru_cache
from html import escape

import numpy as np
import plotly.graph_objects as go
from gradio.components.plot import PlotData

from fer_core import figures
from fer_core.answers import KnownAccuracy, largest_answer
from fer_core.calibration import Progress
from fer_core.closed_loop import latency_curve
from fer_core.latency import SPREAD_WARNING, STRONG_SPREAD_WARNING, Point
from fer_core.measurements import Measurements
from fer_core.results import PAPER_TABLE_2, measured_rows

from . import panel

_ACCURACY_PROTOCOL = "kdef-unseen-people-fold0"
NOT_ECONOMICAL = (
    "needs the accuracy at each size on people never seen in training (five folds), which is not measured for these "
    "weights"
)


def shaken(measurements: Measurements, percent: float) -> Measurements:
    """Returns measurements whose points carry simulated noise: a summary, without the runs behind it."""
    if not percent:
        return measurements
    factors = np.random.default_rng(1).normal(1, percent / 100, len(measurements.points)).clip(0.1)
    points = [
        replace(
            point,
            median_ms=point.median_ms * factor,
            p10_ms=point.p10_ms * factor,
            p90_ms=point.p90_ms * factor,
            mean_ms=None if point.mean_ms is None else point.mean_ms * factor,
            visits=(),
        )
        for point, factor in zip(measurements.points, factors, strict=True)
    ]
    return replace(measurements, points=tuple(points))


def _accuracy(model: str) -> dict[int, float]:
    for row in measured_rows():
        if row.model == model and row.protocol == _ACCURACY_PROTOCOL:
            return row.accuracy_by_resolution
    return {}


def _unlike(measurements: Measurements, other: Measurements) -> str:
    """Names an uploaded calibration by what sets it apart from the one that is shown."""
    mine = (measurements.model, measurements.runtime, measurements.environment.get("cpu"))
    theirs = (other.model, other.runtime, other.environment.get("cpu"))
    apart = [str(there or "unknown CPU") for here, there in zip(mine, theirs, strict=True) if here != there]
    date = str(other.environment.get("date") or "unknown date")[:10]
    return "compared: " + escape(", ".join(apart) or f"the same, {date}")


def figure(
    measurements: Measurements,
    curves: list[str],
    record: dict,
    frame_target_ms: float,
    other: Measurements | None,
    noise_percent: float = 0,
) -> go.Figure:
    """Draws points, curves, both meanings of the target, the answer, the paper's own point, and accuracy.

    Args:
        measurements: What was measured, or its points with simulated noise.
        curves: Names of the curves to draw.
        record: The answers; its ``target_ms`` is what the target leaves for the classifier.
        frame_target_ms: The target as asked for.
        other: A calibration to compare with, or None.
        noise_percent: Simulated noise of the points.
    """
    answer = record["answer"]
    marked = None
    if answer["resolution"] is not None:
        marked = answer["resolution"], answer["verified_ms"] or answer["predicted_ms"]
    paper = PAPER_TABLE_2[measurements.model]
    drawn = figures.latency(
        measurements.points,
        {name: latency_curve(measurements.points, name) for name in curves},
        record["target_ms"],
        marked,
        paper=(paper.resolution, paper.latency_ms),
        compared=() if other is None else other.points,
        accuracy=_accuracy(measurements.model),
        frame_target_ms=frame_target_ms,
    )
    names = {"answer": "answer, " + ("predicted" if answer["verified_ms"] is None else "verified")}
    if noise_percent:
        names["measured"] = f"measured, shaken by {noise_percent:g} %"
    if other is not None:
        names["compared"] = _unlike(measurements, other)
    for name, full in names.items():
        drawn.update_traces(name=full, selector={"name": name})
    return drawn


def _answer_line(title: str, answer: dict) -> str:
    if answer["resolution"] is None:
        return f"<p><b>{title}</b>: {escape(answer['reason'])}</p>"
    verified = "not measured for this target"
    if answer["verified_ms"] is not None:
        verified = f"verified {answer['verified_ms']:.1f} ms"
    label = f" <i>({escape(answer['label'])})</i>" if answer["label"] else ""
    return (
        f"<p><b>{title}: {answer['resolution']} px</b>, predicted {answer['predicted_ms']:.1f} ms, {verified}{label}"
        f'<br><span class="fer-note">{escape(answer["reason"])}</span></p>'
    )


def answer_html(
    record: dict, frame_target_ms: float, other: Measurements | None = None, noise_percent: float = 0
) -> str:
    """Renders both answers, what the paper's polynomial says, and the answer of a calibration to compare with.

    Args:
        record: The answers; its ``target_ms`` is what the target leaves for the classifier.
        frame_target_ms: The target as asked for.
        other: A calibration to compare with, or None.
        noise_percent: Simulated noise of the points.
    """
    target_ms, (largest, economical) = record["target_ms"], record["answers"].values()
    parts = []
    if noise_percent:
        parts.append(panel.message(f"Answers from points with {noise_percent:g} % of simulated noise."))
    if frame_target_ms != target_ms:
        parts.append(
            panel.message(
                f"Of {frame_target_ms:g} ms for the whole frame, the other stages of your frames take "
                f"{frame_target_ms - target_ms:.1f} ms (95th percentile): {target_ms:.1f} ms are left for the model."
            )
        )
    parts.append(_answer_line("Largest", largest))
    if economical is not None:
        parts.append(_answer_line("Economical", economical))
    elif largest["resolution"] is not None:
        parts.append(f"<p><b>Economical</b>: {NOT_ECONOMICAL}</p>")
    lagrange = record["curves"]["lagrange"]
    crossings = ", ".join(f"{size:.0f}" for size in lagrange["crossings"])
    said = "no answer" if lagrange["resolution"] is None else f"{lagrange['resolution']:.0f} px"
    meets = f"it passes {target_ms:.3g} ms at {crossings} px" if crossings else f"it never passes {target_ms:.3g} ms"
    parts.append(f"<p><b>The paper's polynomial says: {said}</b>; {meets}</p>")
    if other is not None:
        theirs = largest_answer(other, target_ms, KnownAccuracy())
        said = theirs.reason if theirs.resolution is None else f"{theirs.resolution} px, {theirs.predicted_ms:.1f} ms"
        machine = other.environment.get("cpu") or "a machine that it does not name"
        parts.append(f"<p><b>Compared</b> ({escape(f'{other.model}, {other.runtime}, {machine}')}): {escape(said)}</p>")
    return '<div class="fer-answer">' + "".join(parts) + _warnings_html(record) + "</div>"


def _warnings_html(record: dict) -> str:
    noisy = [point["resolution"] for point in record["points"] if point["warning"]]
    general = [text for text in record["warnings"] if text not in {point["warning"] for point in record["points"]}]
    if noisy:
        general.append(f"{len(noisy)} of {len(record['points'])} sizes are noisy (see the points): measure again")
    return "".join(panel.message(text, alert=True) for text in general)


def curves_html(record: dict) -> str:
    """Renders a row per curve: its answer and how far to trust it."""
    heads = ("curve", "answer", "95 % interval", "crossings", "extrapolated", "ever falls", "noise gain", "warnings")
    rows = []
    for name, curve in record["curves"].items():
        low, high = curve["interval"] or (None, None)
        row = (
            name,
            "none" if curve["resolution"] is None else f"{curve['resolution']:.0f} px",
            "" if low is None else f"{low:.0f} to {'beyond' if high is None else f'{high:.0f}'} px",
            len(curve["crossings"]),
            "yes" if curve["extrapolated"] else "no",
            "no" if curve["monotone"] else "yes",
            "" if curve["noise_gain"] is None else f"{curve['noise_gain']:.3g}",
            "; ".join(curve["warnings"]),
        )
        rows.append(row)
    note = panel.message(
        "Interval: where the answer falls if the measured runs are drawn again. Noise gain: milliseconds of error in "
        "the prediction per millisecond of error in the points."
    )
    return _table(heads, rows) + note


def _spread(point: Point) -> str:
    spread = point.relative_spread
    if spread <= SPREAD_WARNING:
        return f"{spread:.0%}"
    return f"{spread:.0%}, {'very ' if spread > STRONG_SPREAD_WARNING else ''}noisy"


def points_html(points: tuple[Point, ...]) -> str:
    """Renders a row per measured size."""
    heads = ("resolution", "measured as", "runs", "median, ms", "p10, ms", "p90, ms", "IQR / median")
    rows = []
    for point in points:
        latencies = (f"{latency:.2f}" for latency in (point.median_ms, point.p10_ms, point.p90_ms))
        rows.append((f"{point.resolution} px", point.role, point.runs, *latencies, _spread(point)))
    note = panel.message(
        f"Measured points. IQR: the range of the middle half of the runs; above {SPREAD_WARNING:.0%} of the median a "
        "size is noisy."
    )
    return note + _table(heads, rows)


def _table(heads: tuple[str, ...], rows: list[tuple]) -> str:
    head = "".join(f"<th>{cell}</th>" for cell in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="fer-wide"><table class="fer-curves"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        "</div>"
    )


def environment_html(measurements: Measurements) -> str:
    """Renders the machine that was measured, and what was timed."""
    rows = [("model", f"{measurements.model}, {measurements.weights} weights"), ("runtime", measurements.runtime)]
    rows += [("timed", text) for name, text in measurements.timed.items() if name != "preprocessing"]
    for name, value in measurements.environment.items():
        if isinstance(value, dict):
            value = ", ".join(f"{library} {version}" for library, version in value.items())
        rows.append((name.replace("_", " "), "unknown" if value is None else value))
    rows += [("skipped", f"{item.resolution} px: {item.reason}") for item in measurements.skipped]
    cells = "".join(f"<tr><th>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>" for name, value in rows)
    return f'<table class="fer-environment">{cells}</table>'


def downloads_html(record: dict) -> str:
    """Renders links to the record as JSON and its points as CSV."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["resolution", "median_ms", "p10_ms", "p90_ms", "runs"])
    writer.writerows([p["resolution"], p["median_ms"], p["p10_ms"], p["p90_ms"], p["runs"]] for p in record["points"])
    return (
        '<p class="fer-downloads">Download: '
        + panel.download_link("calibration.json", "application/json", json.dumps(record, indent=2).encode())
        + " · "
        + panel.download_link("calibration.csv", "text/csv", table.getvalue().encode())
        + "</p>"
    )


@lru_cache(maxsize=1)
def progress_figure(points: tuple[Point, ...], target_ms: float) -> PlotData:
    """Plots a calibration under way; as that costs time beside the measurement, one drawing serves all who follow.

    Args:
        points: Points so far, by rising resolution.
        target_ms: Upper edge of the green zone, in ms.

    Returns:
        The figure as ``gr.Plot`` sends it, serialized.
    """
    return PlotData(type="plotly", plot=figures.latency(points, {}, target_ms).to_json())


def progress_html(progress: Progress) -> str:
    """Renders how far a calibration is."""
    return (
        f"<progress max='1' value='{progress.fraction:.3f}' style='width:100%' "
        "aria-label='progress of the calibration'></progress>" + panel.message(progress.message)
    )
