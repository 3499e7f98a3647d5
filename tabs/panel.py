"""The panel beside a picture, as HTML: bars of the seven probabilities, timings, sizes, messages."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from fer_core.drawing import UNSURE
from fer_core.emotions import COLORS, EMOTIONS
from fer_core.face import Face, TrackedFace

FACE_CHOICES = ("largest", "2nd", "3rd", "4th", "5th")

NO_FACE = "No face found. A face needs about 40 px, or a thirtieth of a large picture: come closer, or try more light."

_VISIBLE_DIFFERENCE = 0.01  # between smoothed and raw probabilities

STYLE = """
.dark {--color-accent: var(--primary-400)}
.fer-bars {display: grid; grid-template-columns: max-content 1fr 3.5em; gap: .35em .7em; align-items: center;
  font-size: 1.05rem; margin: .4em 0}
.fer-track {height: 1.1em; border-radius: .3em; background: color-mix(in srgb, currentColor 12%, transparent)}
.fer-track {position: relative}
.fer-track > i {position: absolute; top: 0; bottom: 0; width: 0; border-left: 2px solid currentColor}
.fer-fill {height: 100%; border-radius: .3em; min-width: 2px; box-sizing: border-box;
  border: 1px solid color-mix(in srgb, currentColor 55%, transparent)}
#picture-answer .progress-level {padding: 0 1em}
@media (max-width: 700px) {#camera-panel > .html-container, #picture-panel > .html-container {min-height: 0 !important}}
.fer-headline {font-size: 1.15rem; margin: .2em 0}
.fer-why {display: flex; gap: .6em; align-items: center}
.fer-why .fer-scale {flex: 1; max-width: 12em; height: .8em; border-radius: .3em;
  background: linear-gradient(to right, #440154, #3B528B, #21918C, #5EC962, #FDE725)}
.fer-value {text-align: right; font-variant-numeric: tabular-nums}
.fer-top {font-weight: 700}
.fer-facts {display: flex; flex-wrap: wrap; gap: .3em 1.4em; margin: .6em 0; font-variant-numeric: tabular-nums}
.fer-note {opacity: .8; margin: .3em 0}
.fer-budget {margin: .6em 0; font-variant-numeric: tabular-nums}
.fer-budget-bar {position: relative; display: flex; height: 1.5em; margin: .3em 0 .1em; border-radius: .3em;
  background: color-mix(in srgb, currentColor 12%, transparent)}
.fer-budget-bar > span {height: 100%; box-sizing: border-box; border-right: 1px solid var(--body-background-fill)}
.fer-budget-bar > i {position: absolute; top: -.25em; bottom: -.25em; width: 0; border-left: 3px solid currentColor}
.fer-budget-bar > i.fer-p95 {border-left: 3px dotted currentColor}
.fer-stages {border-collapse: collapse; margin: .4em 0}
.fer-stages th {text-align: right; font-weight: 400; padding: .1em 1em .1em 0}
.fer-stages td {text-align: right; padding: .1em 1em}
.fer-stages th:first-child {text-align: left}
.fer-swatch {display: inline-block; width: .8em; height: .8em; border-radius: .2em; margin-right: .5em}
.fer-slow {border-left: 4px solid #D55E00; padding: .5em .8em; margin: .4em 0;
  background: color-mix(in srgb, #D55E00 12%, transparent)}
.fer-alert {border-left: 4px solid #D55E00; padding: .5em .8em; margin: .4em 0;
  background: color-mix(in srgb, #D55E00 12%, transparent)}
.fer-answer {font-size: 1.1rem}
.fer-environment th {text-align: left; padding-right: 1em; font-weight: 600; vertical-align: top}
.fer-environment td {overflow-wrap: anywhere}
.fer-wide {overflow-x: auto}
.fer-curves {border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums}
.fer-curves th, .fer-curves td {text-align: left; padding: .3em .7em; vertical-align: top;
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent)}
.fer-curves td:first-child {white-space: nowrap; font-weight: 600}
.fer-curves td:last-child {min-width: 16em}
.fer-downloads a {text-decoration: underline}
"""


def message(text: str, alert: bool = False) -> str:
    """Returns one line of text for the panel; an alert stands out and is read aloud by screen readers."""
    if alert:
        return f'<div class="fer-alert" role="alert">{escape(text)}</div>'
    return f'<p class="fer-note">{escape(text)}</p>'


@dataclass(frozen=True)
class View:
    """What was found in a picture or a frame, as the panel shows it.

    Attributes:
        faces: Faces, largest first.
        unsure: Which of them are under the visitor's threshold.
        model: The model that read the faces.
        resolution: Side of its input in pixels.
        unsure_below: The threshold, 0 to 1.
        timings_ms: Milliseconds by stage; empty where the budget bar shows them.
        grid: Rows and columns of the activation maps on the picture, or None without them.
        note: Why this resolution, or None.
        smoothing_s: Time constant of the average over frames in seconds; 0 without one.
    """

    faces: Sequence[Face]
    unsure: Sequence[bool]
    model: str
    resolution: int
    unsure_below: float = 0.0
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    grid: tuple[int, int] | None = None
    note: str | None = None
    smoothing_s: float = 0.0


def download_link(name: str, kind: str, data: bytes) -> str:
    """Returns a link to a file that is inside the page itself: one on the server would be gone after a minute.

    Args:
        name: Of the file.
        kind: Media type, for example ``"text/csv"``.
        data: Contents.
    """
    return f'<a download="{name}" href="data:{kind};base64,{base64.b64encode(data).decode()}">{name}</a>'


def _bars(face: Face) -> str:
    raw = face.raw_probabilities if isinstance(face, TrackedFace) else None
    rows = []
    for emotion in EMOTIONS:
        share = face.probabilities[emotion]
        top = " fer-top" if emotion == face.emotion else ""
        tick = ""
        if raw is not None and abs(raw[emotion] - share) >= _VISIBLE_DIFFERENCE:
            tick = f'<i style="left:{raw[emotion]:.1%}"></i>'
        rows.append(
            f'<span class="fer-name{top}">{emotion}</span>'
            f'<div class="fer-track"><div class="fer-fill" style="width:{share:.1%};background:{COLORS[emotion]}">'
            f'</div>{tick}</div><span class="fer-value{top}">{share:.0%}</span>'
        )
    label = f"Probabilities of the seven emotions; the highest is {face.emotion}"
    return f'<div class="fer-bars" role="img" aria-label="{label}">{"".join(rows)}</div>'


def _headline(face: Face, unsure: bool, unsure_below: float) -> str:
    if unsure:
        guess = f"best guess {face.emotion}, confidence {face.confidence:.0%}, under {unsure_below:.0%}"
        return f'<p class="fer-headline"><b>{UNSURE}</b> <span>{guess}</span></p>'
    return f'<p class="fer-headline"><b>{face.emotion}</b> <span>confidence {face.confidence:.0%}</span></p>'


def _why(grid: tuple[int, int]) -> str:
    return (
        '<div class="fer-why"><span>less</span><span class="fer-scale"></span><span>more</span></div>'
        '<p class="fer-note">Why: yellow marks the parts of the face that spoke most for the emotion, dark purple '
        f"those that spoke least, within each face. It is coarse: the model judges a grid of {grid[0]} x {grid[1]} "
        "fields, and each field also sees its surroundings.</p>"
    )


def _fact(name: str, value: str) -> str:
    return f"<span>{name} <b>{value}</b></span>"


def render(view: View, chosen: str) -> str:
    """Renders what was found; ``chosen`` of ``FACE_CHOICES`` says whose bars to show."""
    parts = []
    faces, wanted = view.faces, FACE_CHOICES.index(chosen)
    facts = [_fact(f"{view.model} sees", f"{view.resolution} x {view.resolution} px")]
    if not faces:
        parts.append(message(NO_FACE))
    else:
        index = min(wanted, len(faces) - 1)
        face = faces[index]
        parts.append(_headline(face, view.unsure[index], view.unsure_below))
        parts.append(_bars(face))
        if view.smoothing_s:
            lag = f"a sudden change turns the label after about {math.log(2) * view.smoothing_s:.1f} s"
            parts.append(message(f"Smoothed: {lag}. Thin lines: this frame alone, where it differs."))
        plural = "s" if len(faces) > 1 else ""
        if wanted >= len(faces):
            parts.append(message(f"Only {len(faces)} face{plural} here; this is the smallest."))
        side = max(face.box[2] - face.box[0], face.box[3] - face.box[1])
        facts[:0] = [_fact("found", f"{len(faces)} face{plural}"), _fact("this face", f"{side} px")]
        if isinstance(face, TrackedFace):
            facts.insert(1, _fact("followed as", f"number {face.track_id}"))
        if side * 2 < view.resolution:
            parts.append(message("This face is much smaller than what the model sees: it is enlarged and blurred."))
    facts += [_fact(stage, f"{milliseconds:.0f} ms") for stage, milliseconds in view.timings_ms.items()]
    parts.append(f'<div class="fer-facts">{"".join(facts)}</div>')
    if view.grid is not None and faces:
        parts.append(_why(view.grid))
    if view.note is not None:
        parts.append(message(view.note))
    return "".join(parts)
