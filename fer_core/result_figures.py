"""Plotly figures of what was measured and trained, and of what the paper reports beside it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import plotly.graph_objects as go

from .builder import ARCHITECTURES
from .emotions import EMOTIONS, KDEF_ANGLES
from .figures import SERIES_COLORS, styled
from .results import PAPER_MACHINE, PAPER_TABLE_2, REAL_TIME_MS, MeasuredRow, TrainingRun
from .runtimes import RUNTIMES
from .splits import PEOPLE_APART, PEOPLE_MIXED, PROTOCOL_NAMES, SPLITS, row_of
from .trade_off import Choice, pareto_front

# One color a model, in every figure.
MODEL_COLORS = dict(zip(ARCHITECTURES, SERIES_COLORS, strict=False))

# As in the paper's Figures 4 to 11.
TRAINING_COLOR, VALIDATION_COLOR = "#E0433A", "#2F7FD6"

_RUNTIME_SYMBOLS = dict(zip(RUNTIMES, ("square", "triangle-up", "circle"), strict=True))
_PROTOCOL_DASHES = dict(zip(PROTOCOL_NAMES, ("solid", "dashdot", "solid", "dot", "dash"), strict=True))
_MOST_LABELED_BARS = 3  # for each angle
_PROTOCOL_PATTERNS = {"kdef-unseen-people-fold0": "/"}
_LATENCY_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
# Labels stand this factor of latency apart, at least.
_LABEL_GAP = 1.6
_PAPER_COLOR = "#999999"


def row_name(row: MeasuredRow) -> str:
    """Returns a name for a measured row that is short enough for a legend."""
    return f"{row.model}: {PROTOCOL_NAMES.get(row.protocol, row.protocol)}"


def accuracy_by_resolution(rows: Iterable[MeasuredRow]) -> go.Figure:
    """Plots accuracy against the resolution of the same weights: a color a model, a dash a protocol."""
    figure = go.Figure()
    for row in rows:
        sizes = sorted(row.accuracy_by_resolution)
        figure.add_scatter(
            x=sizes,
            y=[row.accuracy_by_resolution[size] for size in sizes],
            mode="lines+markers",
            name=_two_lines(row_name(row)),
            line={"color": MODEL_COLORS[row.model], "dash": _PROTOCOL_DASHES.get(row.protocol, "longdash")},
            hovertemplate="%{x} px: %{y:.3f}<extra>%{fullData.name}</extra>",
        )
    return _legend_below(styled(figure, "resolution, px", "accuracy"))


def confusion(matrix: Sequence[Sequence[int]]) -> go.Figure:
    """Draws a confusion matrix, rows true, as shares of each true class with counts in the cells."""
    shares = [[count / max(1, sum(row)) for count in row] for row in matrix]
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=EMOTIONS,
            y=EMOTIONS,
            text=[[str(count) for count in row] for row in matrix],
            texttemplate="%{text}",
            colorscale="Blues",
            zmin=0,
            zmax=1,
            hovertemplate="true %{y}, answered %{x}: %{text} (%{z:.0%})<extra></extra>",
            colorbar={"tickformat": ".0%", "thickness": 14},
        )
    )
    figure.update_yaxes(autorange="reversed")
    return styled(figure, "answered", "true")


def by_angle(rows: Iterable[MeasuredRow]) -> go.Figure:
    """Draws accuracy by the angle of the head, KDEF's five from left to right, a bar a row, hatched if of one fold."""
    rows = list(rows)
    figure = go.Figure()
    for row in rows:
        angles = [angle for angle in KDEF_ANGLES if angle in row.by_angle]
        figure.add_bar(
            x=[_angle_label(angle) for angle in angles],
            y=[row.by_angle[angle] for angle in angles],
            name=_two_lines(row_name(row)),
            # In narrower bars nobody could read them.
            text=[f"{row.by_angle[angle]:.2f}" for angle in angles] if len(rows) <= _MOST_LABELED_BARS else None,
            textangle=0,
            customdata=[KDEF_ANGLES[angle] for angle in angles],
            marker={"color": MODEL_COLORS[row.model], "pattern": {"shape": _PROTOCOL_PATTERNS.get(row.protocol, "")}},
            hovertemplate="%{customdata}: %{y:.3f}<extra>%{fullData.name}</extra>",
        )
    figure.update_xaxes(tickangle=0)
    figure.update_yaxes(range=[0, 1])
    # The labels under the axis are three lines high.
    return _legend_below(styled(figure, "", "accuracy"), y=-0.3)


def _angle_label(angle: str) -> str:
    # Narrow enough for five beside each other on a phone.
    return "<br>".join([angle, *KDEF_ANGLES[angle].removesuffix(" profile").split(" ")])


def _two_lines(name: str) -> str:
    return name.replace(": ", ":<br>", 1)


def splits(rows: Sequence[MeasuredRow]) -> go.Figure:
    """Draws each model's accuracy after both splits of KDEF, beside the paper's; bars reach one deviation both ways."""
    models = [name for name in ARCHITECTURES if any(row_of(rows, name, split) for split in SPLITS)]
    figure = go.Figure()
    paper = [PAPER_TABLE_2[name].accuracy for name in models]
    _split_bars(figure, "the paper, split not stated", models, paper, [None] * len(models), _PAPER_COLOR)
    for split, color in ((PEOPLE_MIXED, "#D55E00"), (PEOPLE_APART, "#0072B2")):
        found = {name: row for name in models if (row := row_of(rows, name, split))}
        accuracies = [row.accuracy for row in found.values()]
        stds = [row.accuracy_std for row in found.values()]
        if found:
            _split_bars(figure, f"here, {split.name}", list(found), accuracies, stds, color)
    figure.update_xaxes(tickangle=0)
    figure.update_yaxes(range=[0, 1.05])
    return _legend_below(styled(figure, "", "accuracy on KDEF"))


def _split_bars(
    figure: go.Figure, name: str, models: list[str], accuracies: list[float], stds: list[float | None], color: str
) -> None:
    figure.add_bar(
        x=[model.replace("-", "-<br>") for model in models],
        y=accuracies,
        name=name,
        text=[f"{accuracy:.3f}" if name.startswith("here") else f"{accuracy:.2f}" for accuracy in accuracies],
        textposition="inside",
        insidetextanchor="middle",
        textangle=0,
        marker={"color": color},
        # Without caps, a bar of no length is not seen.
        error_y={"type": "data", "array": [std or 0 for std in stds], "color": "#888", "width": 0},
        customdata=models,
        hovertemplate="%{customdata}: %{y:.3f}<extra>" + name + "</extra>",
    )


def trade_off(offered: Sequence[Choice]) -> go.Figure:
    """Plots accuracy against latency after the paper's Figure 12, with the Pareto front and the paper's own points.

    Args:
        offered: What was measured on this machine; a filled mark was timed at its very size, an open one between two.
    """
    figure = go.Figure()
    figure.add_vrect(0.1, REAL_TIME_MS, fillcolor="#009E73", opacity=0.12, line_width=0, layer="below")
    front = pareto_front(offered)
    if front:
        figure.add_scatter(
            x=[choice.latency_ms for choice in front],
            y=[choice.accuracy for choice in front],
            mode="lines",
            name="Pareto front",
            line={"color": "#888", "dash": "dot", "shape": "hv"},
            hoverinfo="skip",
        )
    labeled = _apart(front)
    for model, runtime in dict.fromkeys((choice.model, choice.runtime) for choice in offered):
        line = [choice for choice in offered if (choice.model, choice.runtime) == (model, runtime)]
        symbol = _RUNTIME_SYMBOLS[runtime]
        figure.add_scatter(
            x=[choice.latency_ms for choice in line],
            y=[choice.accuracy for choice in line],
            customdata=[choice.resolution for choice in line],
            text=[f"{choice.resolution} px" if choice in labeled else "" for choice in line],
            textposition="top left",
            mode="lines+markers+text",
            name=f"here: {model},<br>{runtime}",
            line={"color": MODEL_COLORS[model], "width": 1},
            marker={
                "color": MODEL_COLORS[model],
                "symbol": [symbol if choice.measured else f"{symbol}-open" for choice in line],
                "size": 10,
            },
            hovertemplate="%{customdata} px: %{x:.2f} ms, accuracy %{y:.3f}<extra>%{fullData.name}</extra>",
        )
    figure.add_scatter(
        x=[row.latency_ms for row in PAPER_TABLE_2.values()],
        y=[row.accuracy for row in PAPER_TABLE_2.values()],
        text=[f"{model}, {row.resolution} px" for model, row in PAPER_TABLE_2.items()],
        mode="markers",
        name=f"the paper's, on another machine:<br>{PAPER_MACHINE}",
        marker={
            "color": [MODEL_COLORS[model] for model in PAPER_TABLE_2],
            "symbol": "diamond-open",
            "size": 13,
            "line": {"width": 2.5},
        },
        hovertemplate="%{text}: %{x} ms, accuracy %{y:.2f}<extra>the paper, another machine</extra>",
    )
    styled(figure, "latency of one face, ms (logarithmic)", "accuracy")
    latencies = [choice.latency_ms for choice in offered] + [row.latency_ms for row in PAPER_TABLE_2.values()]
    ends = [math.log10(min(latencies) / 2), math.log10(max(latencies) * 1.5)]
    figure.update_xaxes(
        type="log", range=ends, tickvals=_LATENCY_TICKS, ticktext=[f"{tick}" for tick in _LATENCY_TICKS]
    )
    return _legend_below(figure)


def _apart(front: Sequence[Choice]) -> list[Choice]:
    """Returns those of a front, by rising latency, whose labels do not cover each other, the last among them."""
    kept: list[Choice] = []
    for choice in reversed(front):
        if not kept or choice.latency_ms * _LABEL_GAP < kept[-1].latency_ms:
            kept.append(choice)
    return kept


def training(run: TrainingRun, quantity: str) -> go.Figure:
    """Plots one quantity over the epochs after the paper's Figures 4 to 11: training red, validation blue.

    Args:
        run: The recorded training.
        quantity: ``"loss"`` or ``"accuracy"``.
    """
    figure = go.Figure()
    numbers = [epoch.epoch for epoch in run.epochs]
    for name, prefix, color in (("training", "", TRAINING_COLOR), ("validation", "validation_", VALIDATION_COLOR)):
        figure.add_scatter(
            x=numbers,
            y=[getattr(epoch, prefix + quantity) for epoch in run.epochs],
            mode="lines+markers",
            name=name,
            line={"color": color},
            hovertemplate="epoch %{x}: %{y:.3f}<extra>" + name + "</extra>",
        )
    for before, after in zip(run.epochs, run.epochs[1:], strict=False):
        if before.stage != after.stage:
            figure.add_vline(
                (before.epoch + after.epoch) / 2,
                line={"color": "#888", "dash": "dot", "width": 1},
                annotation_text=f"stage {after.stage}",
                annotation_position="top",
                annotation_font_size=11,
            )
    # The legend above the names of the stages, these above the curves.
    return styled(figure, "epoch", quantity).update_layout(legend_y=1.1)


def _legend_below(figure: go.Figure, y: float = -0.22) -> go.Figure:
    # Long names fill several lines; above the figure they would cover it. Plotly gives a legend half the height at
    # most, and a scroll bar where that is too little.
    figure.update_layout(
        showlegend=True, legend={"yanchor": "top", "y": y}, height=max(520, 400 + 40 * len(figure.data))
    )
    return figure
