"""The look of every Plotly figure, and the figure of a calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from .interpolation import Curve
from .latency import Point

HEIGHT = 420
# Okabe and Ito's palette without its yellow, which fades on white.
SERIES_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_GRID = "rgba(128,128,128,0.25)"


def styled(figure: go.Figure, x_title: str, y_title: str) -> go.Figure:
    """Gives a figure the project's look: transparent, so that it fits light and dark pages."""
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 60, "r": 20, "t": 30, "b": 50},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 14, "color": "#888"},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02},
        hovermode="closest",
    )
    figure.update_xaxes(title=x_title, gridcolor=_GRID, zeroline=False)
    figure.update_yaxes(title=y_title, gridcolor=_GRID, zeroline=False)
    return figure


# One color a curve, whichever are shown; the paper's polynomial is the one that stands out.
CURVE_COLORS = dict(
    zip(("quadratic", "lagrange", "newton", "polynomial-regression", "monotone"), SERIES_COLORS, strict=False)
)


def latency(
    points: Sequence[Point],
    curves: Mapping[str, Curve],
    target_ms: float,
    answer: tuple[float, float] | None = None,
    paper: tuple[float, float] | None = None,
    compared: Sequence[Point] = (),
    accuracy: Mapping[int, float] | None = None,
    frame_target_ms: float | None = None,
) -> go.Figure:
    """Plots latency against resolution: measured points, curves, and the green zone of the paper's Figures 2 and 3.

    Args:
        points: Measured points; bars reach from the 10th to the 90th percentile.
        curves: Curves by name.
        target_ms: Upper edge of the green zone, in ms.
        answer: Resolution in pixels and latency in ms to mark, if there is an answer.
        paper: Resolution in pixels and latency in ms that the paper reports of its own machine.
        compared: Points of another machine or runtime.
        accuracy: Measured accuracy, 0 to 1, by resolution in pixels, for the second axis.
        frame_target_ms: Target for the whole frame in ms, drawn as a line where it differs from the classifier's.
    """
    figure = go.Figure()
    figure.add_hrect(0, target_ms, fillcolor="#009E73", opacity=0.15, line_width=0, layer="below")
    if frame_target_ms is not None and frame_target_ms != target_ms:
        figure.add_hline(frame_target_ms, line={"color": "#009E73", "dash": "dot"}, annotation_text="whole frame")
    sizes = np.array([point.resolution for point in points], float)
    medians = np.array([point.latency_ms for point in points])
    at = np.unique(np.concatenate([np.linspace(sizes.min(), sizes.max(), 600), sizes]))
    for name, curve in curves.items():
        figure.add_scatter(
            x=at,
            y=curve(at),
            mode="lines",
            name=name,
            line={"color": CURVE_COLORS[name], "width": 2, "dash": "dash" if curve.interpolates else "solid"},
            hovertemplate="%{x:.0f} px: %{y:.1f} ms<extra>" + name + "</extra>",
        )
    above = np.array([point.p90_ms for point in points]) - medians
    below = medians - np.array([point.p10_ms for point in points])
    figure.add_scatter(
        x=sizes,
        y=medians,
        error_y={"type": "data", "array": above.clip(0), "arrayminus": below.clip(0), "thickness": 1.5},
        mode="markers",
        name="measured",
        marker={"color": "#888", "size": 9, "line": {"color": "white", "width": 1}},
        hovertemplate="%{x} px: %{y:.2f} ms<extra>measured</extra>",
    )
    _mark(figure, "answer", answer, "star", "#D55E00")
    _mark(figure, "the paper's machine", paper, "diamond-open", "#CC79A7")
    if compared:
        figure.add_scatter(
            x=[point.resolution for point in compared],
            y=[point.latency_ms for point in compared],
            mode="lines+markers",
            name="compared",
            line={"color": "#56B4E9", "dash": "dot"},
            hovertemplate="%{x} px: %{y:.2f} ms<extra>compared</extra>",
        )
    styled(figure, "resolution, px", "latency of one face, ms")
    # The paper's polynomial leaves every scale; the points and the target stay in view.
    figure.update_yaxes(range=[0, 1.25 * max(float((medians + above).max()), target_ms)])
    if accuracy:
        known = sorted(accuracy)
        figure.add_scatter(
            x=known,
            y=[accuracy[size] for size in known],
            yaxis="y2",
            mode="lines",
            name="accuracy (right axis)",
            line={"color": "#E69F00", "dash": "dashdot"},
            hovertemplate="%{x} px: accuracy %{y:.3f}<extra></extra>",
        )
        axis = {"title": "accuracy", "overlaying": "y", "side": "right", "range": [0, 1], "showgrid": False}
        figure.update_layout(yaxis2=axis, margin_r=60)
    return figure


def _mark(figure: go.Figure, name: str, place: tuple[float, float] | None, symbol: str, color: str) -> None:
    if place is None:
        return
    figure.add_scatter(
        x=[place[0]],
        y=[place[1]],
        mode="markers",
        name=name,
        marker={"symbol": symbol, "size": 15, "color": color, "line": {"color": color, "width": 2}},
        hovertemplate="%{x:.0f} px: %{y:.1f} ms<extra>" + name + "</extra>",
    )
