"""The panel beside a picture, as HTML: bars of the seven probabilities, timings, sizes, messages."""

from __future__ import annotations

from html import escape

from fer_core.emotions import COLORS, EMOTIONS
from fer_core.recognizer import Analysis, Face

FACE_CHOICES = ("largest", "2nd", "3rd", "4th", "5th")

NO_FACE = "No face found. A face needs about 40 px, or a thirtieth of a large picture: come closer, or try more light."

STYLE = """
.fer-bars {display: grid; grid-template-columns: max-content 1fr 3.5em; gap: .35em .7em; align-items: center;
  font-size: 1.05rem; margin: .4em 0}
.fer-track {height: 1.1em; border-radius: .3em; background: color-mix(in srgb, currentColor 12%, transparent)}
.fer-fill {height: 100%; border-radius: .3em; min-width: 2px}
.fer-value {text-align: right; font-variant-numeric: tabular-nums}
.fer-top {font-weight: 700}
.fer-facts {display: flex; flex-wrap: wrap; gap: .3em 1.4em; margin: .6em 0; font-variant-numeric: tabular-nums}
.fer-note {opacity: .8; margin: .3em 0}
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


def _bars(face: Face) -> str:
    rows = []
    for emotion in EMOTIONS:
        share = face.probabilities[emotion]
        top = " fer-top" if emotion == face.emotion else ""
        rows.append(
            f'<span class="fer-name{top}">{emotion}</span>'
            f'<div class="fer-track"><div class="fer-fill" style="width:{share:.1%};background:{COLORS[emotion]}">'
            f'</div></div><span class="fer-value{top}">{share:.0%}</span>'
        )
    label = f"Probabilities of the seven emotions; the highest is {face.emotion}"
    return f'<div class="fer-bars" role="img" aria-label="{label}">{"".join(rows)}</div>'


def _fact(name: str, value: str) -> str:
    return f"<span>{name} <b>{value}</b></span>"


def render(
    analysis: Analysis,
    chosen: str,
    resolution: int,
    milliseconds: float | None = None,
    frames_per_second: float | None = None,
) -> str:
    """Renders what was found in a picture or a frame.

    Args:
        analysis: Faces and timings.
        chosen: One of ``FACE_CHOICES``: whose bars to show.
        resolution: Side of the model's input in pixels.
        milliseconds: From the bytes of the picture to those of the answer, decoding and drawing included.
        frames_per_second: Analyzed frames per second of a stream.
    """
    parts = []
    faces = analysis.faces
    wanted = FACE_CHOICES.index(chosen)
    if not faces:
        parts.append(message(NO_FACE))
    else:
        face = faces[min(wanted, len(faces) - 1)]
        if wanted >= len(faces):
            parts.append(message(f"Only {len(faces)} face{'s' if len(faces) > 1 else ''} here; this is the smallest."))
        side = max(face.box[2] - face.box[0], face.box[3] - face.box[1])
        parts.append(_bars(face))
        faces_found = f"{len(faces)} face{'s' if len(faces) > 1 else ''}"
        parts.append(
            '<div class="fer-facts">'
            + _fact("found", faces_found)
            + _fact("this face", f"{side} px")
            + _fact("the model sees", f"{resolution} x {resolution} px")
            + "</div>"
        )
        if side * 2 < resolution:
            parts.append(message("This face is much smaller than what the model sees: it is enlarged and blurred."))
    timings = [_fact(stage, f"{milliseconds:.0f} ms") for stage, milliseconds in analysis.timings_ms.items()]
    if milliseconds is not None:
        timings.append(_fact("with decoding and drawing", f"{milliseconds:.0f} ms"))
    if frames_per_second is not None:
        timings.append(_fact("analyzed", f"{frames_per_second:.1f} frames/s"))
    parts.append(f'<div class="fer-facts">{"".join(timings)}</div>')
    return "".join(parts)
