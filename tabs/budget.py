"""The budget bar, as HTML: what the stages of a frame take of the target, and what would make it faster."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from fer_core.answers import FASTEST_FIRST
from fer_core.recognizer import DEFAULT_MODEL
from fer_core.stream import STAGES

from .panel import message

# Contrast of at least 3 to white and to near-black; in this order neighbors differ in hue and lightness.
STAGE_COLORS: dict[str, str] = {
    "decode": "#7A7A7A",
    "detect": "#D55E00",
    "track": "#2A7FC0",
    "classify": "#B07D00",
    "draw": "#8F5FBF",
    "encode": "#0A8F68",
}

LEAST_FRAMES = 10
"""Frames before their 95th percentile is shown."""

_TAGS = re.compile("<[^>]+>")


def percentiles(timings: Sequence[Mapping[str, float]]) -> dict[str, float] | None:
    """Returns the 95th percentile of every stage and of ``total`` in ms, or None before the tenth frame."""
    if len(timings) < LEAST_FRAMES:
        return None
    names = (*STAGES, "total")
    table = np.array([[frame[name] for name in names] for frame in timings])
    return dict(zip(names, np.percentile(table, 95, axis=0).tolist(), strict=True))


def render(timings: Sequence[Mapping[str, float]], target_ms: float, pace: float) -> str:
    """Renders the last frame's stages as one stacked bar against the target, with the 95th percentiles beside.

    Args:
        timings: Milliseconds by stage of the last frames, this one last, ``total`` among them.
        target_ms: Target of the whole frame.
        pace: Analyzed frames per second.
    """
    now, p95 = timings[-1], percentiles(timings)
    slowest = now["total"] if p95 is None else max(now["total"], p95["total"])
    full_ms = 1.05 * max(1.25 * target_ms, slowest)
    bar = [
        f'<span style="width:{now[stage] / full_ms:.2%};background:{color}"></span>'
        for stage, color in STAGE_COLORS.items()
        if now[stage] > 0
    ]
    bar.append(f'<i style="left:{target_ms / full_ms:.2%}"></i>')
    said = f"This frame: <b>{now['total']:.0f} ms</b> of <b>{target_ms:g} ms</b> (line). "
    if p95 is not None:
        bar.append(f'<i class="fer-p95" style="left:{p95["total"] / full_ms:.2%}"></i>')
        said += f"95 % of the last {len(timings)}: at most <b>{p95['total']:.0f} ms</b> (dots). "
    rows = []
    for stage in (*STAGES, "total"):
        swatch = f'<span class="fer-swatch" style="background:{STAGE_COLORS.get(stage, "transparent")}"></span>'
        usual = "" if p95 is None else f"<td>{p95[stage]:.1f}</td>"
        rows.append(f"<tr><th>{swatch}{stage}</th><td><b>{now[stage]:.1f}</b></td>{usual}</tr>")
    head = "<th>ms</th><th>this frame</th>" + ("" if p95 is None else "<th>95 %</th>")
    return (
        f'<div class="fer-budget"><div>{said}Analyzed: <b>{pace:.1f} frames/s</b>.</div>'
        f'<div class="fer-budget-bar" role="img" aria-label="{_TAGS.sub("", said)}">{"".join(bar)}</div>'
        f'<table class="fer-stages"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        + message("On the server; the network and the browser come on top.")
        + "</div>"
    )


def is_slow(timings: Sequence[Mapping[str, float]], target_ms: float) -> bool:
    """Whether more than 5 % of the frames take longer than the target; False while they are too few to tell."""
    p95 = percentiles(timings)
    return p95 is not None and p95["total"] > target_ms


def advice(
    timings: Sequence[Mapping[str, float]],
    target_ms: float,
    *,
    faces: int,
    model: str,
    resolution: int,
    fitting_px: int | None,
    runtime: str,
    smaller_camera: bool,
    why: bool,
) -> str:
    """Renders what would make frames fast enough, where they are slow: the levers of the stage that takes most.

    Args:
        timings: Milliseconds by stage of the last frames.
        target_ms: Target of the whole frame.
        faces: Faces in view.
        model: The model that runs.
        resolution: Side of its input in pixels.
        fitting_px: What the calibration says for the whole frame, in pixels; None where it says nothing.
        runtime: A key of ``runtimes.RUNTIMES``.
        smaller_camera: Whether the camera can be asked for a smaller picture.
        why: Whether activation maps are drawn.

    Returns:
        HTML; empty where the frames are in time.
    """
    p95 = percentiles(timings)
    if p95 is None or not is_slow(timings, target_ms):
        return ""
    stage = max(STAGES, key=lambda name: p95[name])
    levers = []
    if stage == "classify":
        if model != DEFAULT_MODEL:
            levers.append(f"the smaller model {DEFAULT_MODEL}")
        if runtime != FASTEST_FIRST[0]:
            levers.append(f"the runtime {FASTEST_FIRST[0]} in place of {runtime}")
        if fitting_px is None:
            levers.append("a smaller resolution: the Calibration tab finds the one that fits")
        elif fitting_px < resolution:
            levers.append(f"{fitting_px} px in place of {resolution} px, as the calibration says")
        else:
            levers.append("a smaller resolution, or a new calibration: by the present one this size should fit")
    if stage == "draw" and why:
        levers.append("switching Show why off")
    if stage in ("detect", "track", "classify") and faces > 1:
        levers.append(f"fewer people in view: each of the {faces} faces takes its share")
    if stage in ("decode", "detect", "draw", "encode") and smaller_camera:
        levers.append("a smaller camera picture, in which faces have to be nearer to be found")
    if not levers:
        levers.append("less other work on this machine, or a longer target: no setting here makes this stage faster")
    slow = f"Too slow: 5 % of the frames take {p95['total']:.0f} ms or more, most of it for {stage}."
    # No alert: a screen reader would read it aloud with every frame.
    return f'<div class="fer-slow">{slow} What helps: {"; or ".join(levers)}.</div>'
