"""The two ways to split KDEF into training and test, and what the difference between them is worth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .answers import ACCURACY_PROTOCOLS
from .recognizer import DEFAULT_MODEL
from .results import MeasuredRow


@dataclass(frozen=True)
class Split:
    """A way to split KDEF.

    Attributes:
        name: Two or three words for a switch or a legend.
        protocols: Protocols that score it, the most thorough first.
        meaning: A sentence for somebody who has never heard of it.
    """

    name: str
    protocols: tuple[str, ...]
    meaning: str


PEOPLE_APART = Split(
    "people kept apart",
    ACCURACY_PROTOCOLS,
    "Nobody in the test was seen in training, as with a visitor of this page.",
)
PEOPLE_MIXED = Split(
    "people mixed as in the paper",
    ("kdef-paper-split",),
    "Each photograph is drawn by itself, so training has seen nearly everybody of the test, in other photographs. The "
    "paper does not say that people are kept apart; this is our reading of it.",
)
SPLITS: tuple[Split, ...] = (PEOPLE_APART, PEOPLE_MIXED)

PROTOCOL_NAMES: dict[str, str] = {
    "kdef-unseen-people": "KDEF, people kept apart, 5 folds",
    "kdef-unseen-people-fold0": "KDEF, people kept apart, 1 fold",
    "kdef-paper-split": "KDEF, people mixed",
    "raf-db-test": "RAF-DB",
    "ferplus-test": "FER+",
}
"""Short names of the protocols, for legends and lists."""

_NEVER_MEASURED = {"bdf-inceptionv3": "ImageNet weights not available here"}


def split_named(name: str) -> Split:
    """Returns a split by name.

    Raises:
        ValueError: If there is no such split; names those there are.
    """
    for split in SPLITS:
        if split.name == name:
            return split
    raise ValueError(f"split must be one of {', '.join(split.name for split in SPLITS)}, but got {name!r}")


def row_of(rows: Iterable[MeasuredRow], model: str, split: Split) -> MeasuredRow | None:
    """Returns a model's measurement by the split's most thorough protocol of which there are any figures, or None.

    One protocol for all models: five folds of one and one fold of another, of other weights, cannot be compared.
    """
    rows = list(rows)
    measured = {row.protocol for row in rows}
    protocol = next((name for name in split.protocols if name in measured), None)
    return next((row for row in rows if (row.model, row.protocol) == (model, protocol)), None)


def served_row_of(rows: Iterable[MeasuredRow], model: str, split: Split) -> MeasuredRow | None:
    """Returns what a model's shipped weights were measured to do after a split, else what ``row_of`` returns."""
    rows = list(rows)
    shipped = (
        row for row in rows if (row.model, row.weights) == (model, "shipped") and row.protocol in split.protocols
    )
    return next(shipped, None) or row_of(rows, model, split)


def rows_of(rows: Iterable[MeasuredRow], split: Split) -> list[MeasuredRow]:
    """Returns what is shown of a split: its protocols one after the other, then those of other data sets than KDEF."""
    rows = list(rows)
    of_either = {protocol for each in SPLITS for protocol in each.protocols}
    of_split = [row for name in split.protocols for row in rows if row.protocol == name]
    return of_split + [row for row in rows if row.protocol not in of_either]


def measuring_command(protocol: str, model: str = DEFAULT_MODEL, weights: str = "run") -> str:
    """Returns the command that measures a protocol, by the weights in ``models/`` or by a new training run."""
    chosen = "" if model == DEFAULT_MODEL else f" --model {model}"
    return f"python -m train evaluate{chosen} --protocol {protocol}" + (" --retrain" if weights == "run" else "")


def why_not_measured(model: str, split: Split) -> str:
    """Returns why a model has no figures after a split, or how to get them."""
    if model in _NEVER_MEASURED:
        return f"not measured: {_NEVER_MEASURED[model]}"
    return f"not measured yet; this measures it: {measuring_command(split.protocols[0], model)}"


@dataclass(frozen=True)
class Leak:
    """How much higher a model scores where people are mixed.

    Attributes:
        model: A model of ``builder.ARCHITECTURES``.
        mixed: Accuracy with people mixed, 0 to 1.
        apart: Accuracy with people kept apart, 0 to 1.
        resolutions: Sides in pixels at which the two were measured; the same one where both were.
        spread: Standard deviation of the difference where both were repeated, else None.
    """

    model: str
    mixed: float
    apart: float
    resolutions: tuple[int, int]
    spread: float | None

    @property
    def gap(self) -> float:
        """Mixed minus apart."""
        return self.mixed - self.apart


def leak(rows: Iterable[MeasuredRow], model: str) -> Leak | None:
    """Compares a model's figures after both splits, at one resolution if one was measured after both.

    Shipped weights and recorded runs were trained differently: what lies between them is no leak.

    Args:
        rows: All measured rows.
        model: A model of ``builder.ARCHITECTURES``.

    Returns:
        The comparison, or None unless both were measured of the same kind of weights.
    """
    rows = list(rows)
    mixed, apart = row_of(rows, model, PEOPLE_MIXED), row_of(rows, model, PEOPLE_APART)
    if mixed is None or apart is None or mixed.weights != apart.weights:
        return None
    spread = None
    if mixed.accuracy_std is not None and apart.accuracy_std is not None:
        spread = (mixed.accuracy_std**2 + apart.accuracy_std**2) ** 0.5
    for size in (mixed.resolution, apart.resolution):
        with_mixed, with_apart = mixed.accuracy_at(size), apart.accuracy_at(size)
        if with_mixed is not None and with_apart is not None:
            return Leak(model, with_mixed, with_apart, (size, size), spread)
    return Leak(model, mixed.accuracy, apart.accuracy, (mixed.resolution, apart.resolution), spread)
