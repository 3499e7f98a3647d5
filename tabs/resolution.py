"""What the model sees in the live tab: a size that the visitor chose, or what this machine's calibration answers."""

from __future__ import annotations

import time
from dataclasses import dataclass

from fer_core import model_files
from fer_core.answers import economical_answer, known_accuracy, largest_answer
from fer_core.recognizer import DEFAULT_RESOLUTION, DEFAULT_RUNTIME
from fer_core.results import REAL_TIME_MS

from .board import Kept, board
from .visitors import Visitor

RESOLUTIONS = (64, 96, 128, 160)  # px; larger ones are less accurate with these weights (see models/)
FOLLOW = "follow the calibration"

NO_CALIBRATION = "No calibration of {} on this machine to follow yet: press Run in the Calibration tab."
NO_FRAMES = "Following begins once ten camera frames with a face have been timed."

_AGAIN_SECONDS = 10.0  # between two looks at what the other stages of a frame leave
_WAITING_SECONDS = 1.0  # the same as long as there is no answer
_SAME_SHARE = 0.05  # an answer this close to the one in use is not worth compiling the model for


@dataclass(frozen=True)
class Followed:
    """What following the calibration came to.

    Attributes:
        pixels: The answer for the whole frame, or what is used where there is none.
        answered: Whether it is the calibration's answer.
        note: Why, in plain words.
        kept: The calibration.
        model: The model that runs.
        target_ms: Target of the whole frame in ms.
        decided: When, ``time.monotonic``.
    """

    pixels: int
    answered: bool
    note: str
    kept: Kept | None
    model: str
    target_ms: float
    decided: float


def choices(*further: int) -> list[int | str]:
    """Returns what the live tab offers: sizes in pixels, further ones among them, and following the calibration."""
    return [*sorted({*RESOLUTIONS, *further}), FOLLOW]


def trained_range(model: str) -> tuple[int, int] | None:
    """Returns the smallest and largest resolution that a model's weights were trained for, in pixels, if known."""
    metrics = model_files.read_metrics(model) or {}
    sizes = metrics.get("trained_sizes")
    return (min(sizes), max(sizes)) if sizes else None


def is_of_this_machine(kept: Kept) -> bool:
    """Whether a calibration was measured here, of a model that the live tab runs, in its runtime."""
    of = kept.measurements
    return kept.owner is not None and of.runtime == DEFAULT_RUNTIME and model_files.is_trained(of.model)


def _followable(visitor: Visitor, model: str) -> Kept | None:
    """Returns the newest calibration of this machine and this model, or the one that the visitor looks at."""
    for kept in (*board.kept(), visitor.calibration):
        if kept is not None and kept.measurements.model == model and is_of_this_machine(kept):
            return kept
    return None


def follow(visitor: Visitor, model: str, target_ms: float) -> Followed:
    """Returns what the calibration of this machine answers for a visitor's frames; asked again now and then.

    Args:
        visitor: Whose frames they are; remembers what was decided last.
        model: The model that runs.
        target_ms: Target of the whole frame in ms.
    """
    kept = _followable(visitor, model)
    last, now = visitor.followed, time.monotonic()
    if last is not None and (last.kept is not kept or (last.model, last.target_ms) != (model, target_ms)):
        last = None  # that was another question
    if last is not None and now - last.decided < (_AGAIN_SECONDS if last.answered else _WAITING_SECONDS):
        return last
    pixels, answered, note = _answer(kept, model, visitor.other_stages_p95_ms, target_ms)
    if last is not None and last.answered and answered and abs(pixels - last.pixels) <= _SAME_SHARE * last.pixels:
        pixels, note = last.pixels, last.note
    visitor.followed = followed = Followed(pixels, answered, note, kept, model, target_ms, now)
    return followed


def _answer(kept: Kept | None, model: str, others_ms: float | None, target_ms: float) -> tuple[int, bool, str]:
    """Returns (pixels, whether the calibration answered them, why)."""
    if kept is None:
        return DEFAULT_RESOLUTION, False, NO_CALIBRATION.format(model)
    if others_ms is None:
        return DEFAULT_RESOLUTION, False, NO_FRAMES
    left_ms = target_ms - others_ms
    if left_ms <= 0:
        note = f"No resolution fits: the other stages alone take {others_ms:.0f} ms of {target_ms:g} ms."
        return min(RESOLUTIONS), False, note
    known = known_accuracy(model, kept.measurements.weights)
    largest = largest_answer(kept.measurements, left_ms, known)
    if largest.resolution is None:
        return min(RESOLUTIONS), False, f"For {left_ms:.1f} ms, {largest.reason}."
    economical = economical_answer(kept.measurements, left_ms, known, largest)
    pixels = (economical and economical.resolution) or largest.resolution
    note = f"The calibration says {pixels} px for the {left_ms:.1f} ms that the other stages leave."
    trained = trained_range(model)
    if trained is None:
        return DEFAULT_RESOLUTION, False, f"{note} Which sizes the weights know is not on record."
    if pixels < trained[0]:
        return trained[0], False, f"{note} The weights know none under {trained[0]} px."
    if pixels > trained[1]:
        return trained[1], True, f"{note} The weights know none over {trained[1]} px, which fits too."
    return pixels, True, note


def resolved(wanted: int | str, visitor: Visitor, model: str, target_ms: float | None = None) -> tuple[int, str | None]:
    """Returns the resolution in pixels for one of ``choices``, and a note where the calibration is followed.

    Args:
        wanted: One of ``choices``.
        visitor: Whose picture or frame it is.
        model: The model that runs.
        target_ms: Target of the whole frame in ms; without one, that of the visitor's last frames or real time.
    """
    if isinstance(wanted, int):
        return wanted, None
    if target_ms is None:
        target_ms = visitor.followed.target_ms if visitor.followed else REAL_TIME_MS
    followed = follow(visitor, model, target_ms)
    return followed.pixels, followed.note
