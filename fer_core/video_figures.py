"""The figure of a video: the seven emotions of one person over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from .emotions import COLORS, EMOTIONS
from .figures import styled

LONGEST_GAP_SECONDS = 0.5
"""Where a face was not seen for longer, its lines are interrupted."""


def timeline(
    times_s: Sequence[float], probabilities: Sequence[Mapping[str, float]], seconds: float, unsure_below: float
) -> go.Figure:
    """Plots the smoothed probabilities of one track against media time.

    Args:
        times_s: Media time of each frame in which the face was followed, in seconds, growing.
        probabilities: The seven probabilities of each of them, by emotion.
        seconds: Length of the video.
        unsure_below: Confidence under which the answer is "unsure", drawn as a line; 0 for none.
    """
    figure = go.Figure()
    times: list[float] = []
    rows: list[Mapping[str, float] | None] = []
    for time, row in zip(times_s, probabilities, strict=True):
        if times and time - times[-1] > LONGEST_GAP_SECONDS:
            times.append(time)
            rows.append(None)
        times.append(time)
        rows.append(row)
    for emotion in EMOTIONS:
        figure.add_scatter(
            x=times,
            y=[None if row is None else row[emotion] for row in rows],
            mode="lines" if len(times) > 1 else "markers",
            name=emotion,
            line={"color": COLORS[emotion], "width": 2.5},
            hovertemplate="%{x:.2f} s: %{y:.0%}<extra>" + emotion + "</extra>",
        )
    if unsure_below > 0:
        figure.add_hline(
            unsure_below, line={"color": "#888", "dash": "dot"}, annotation_text=f"unsure under {unsure_below:.0%}"
        )
    styled(figure, "time in the video, s", "probability")
    figure.update_xaxes(range=[0, seconds])
    figure.update_yaxes(range=[0, 1.02], tickformat=".0%")
    return figure
