"""The paper's figures and this project's measured ones, in one schema."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from . import model_files
from .builder import ARCHITECTURES
from .emotions import EMOTIONS, KDEF_ANGLES
from .model_files import ModelFileError

PAPER = "Ghadami & Rezvanian, 2024, Table 2"
PAPER_MACHINE = "Intel Core i5-11400H, 6 cores"
REAL_TIME_MS = 40.0

_WEIGHTS = ("shipped", "run")


@dataclass(frozen=True)
class Scores:
    """What the paper and this project both report of a model: resolution in pixels, shares 0 to 1."""

    resolution: int
    accuracy: float
    loss: float
    f1_macro: float
    f1_micro: float
    f1_weighted: float


@dataclass(frozen=True)
class PaperRow(Scores):
    """One column of the paper's Table 2, and what its text adds; latency in milliseconds on ``PAPER_MACHINE``."""

    latency_ms: float
    peak_validation_accuracy: float


PAPER_TABLE_2: dict[str, PaperRow] = {
    "scalable-env2b0": PaperRow(302, 0.96, 0.16, 0.95, 0.96, 0.97, 40, 0.95),
    "scalable-env2s": PaperRow(94, 0.92, 0.26, 0.92, 0.93, 0.92, 40, 0.94),
    "bdf-inceptionv3": PaperRow(299, 0.69, 0.81, 0.70, 0.70, 0.68, 54, 0.65),
    "bdf-mobilenet": PaperRow(224, 0.74, 0.76, 0.74, 0.73, 0.73, 16, 0.66),
}


@dataclass(frozen=True)
class MeasuredRow(Scores):
    """One protocol of one model, from its ``metrics.json``; shares 0 to 1, resolutions in pixels.

    Attributes:
        description: What was scored, in words.
        people: People in the test, or None where the pictures do not say.
        confusion: Counts, 7 x 7, rows true.
        accuracy_by_resolution: Accuracy of the same weights by resolution.
        by_angle: Accuracy by key of ``emotions.KDEF_ANGLES``; empty for other data sets.
        accuracy_std: Standard deviation of the accuracy over folds or seeds, or None for a single run.
        weights: ``"shipped"`` if the files in ``models/`` reproduce it, ``"run"`` if a recorded run does.
        date: Day of the measurement, as recorded.
        machine: Machine of the measurement, as recorded.
        runtime: Runtime and precision, as recorded, or None.
    """

    model: str
    protocol: str
    description: str
    calibration_error: float
    images: int
    faces_missed: int
    people: int | None
    confusion: list[list[int]]
    accuracy_by_resolution: dict[int, float]
    by_angle: dict[str, float]
    accuracy_std: float | None
    weights: str
    date: str
    machine: str
    runtime: str | None

    def accuracy_at(self, resolution: int) -> float | None:
        """Returns the accuracy at a resolution in pixels, or None if it was not measured there."""
        return self.accuracy if resolution == self.resolution else self.accuracy_by_resolution.get(resolution)


@dataclass(frozen=True)
class Epoch:
    """One pass through the training pictures; None where a figure was not recorded. Accuracies are 0 to 1."""

    epoch: int
    stage: int | None
    loss: float | None
    accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None


@dataclass(frozen=True)
class TrainingRun:
    """How the weights of a model were trained; None where it was not recorded."""

    model: str
    epochs: tuple[Epoch, ...]
    command: str | None
    hardware: str | None
    date: str | None
    note: str | None
    seconds: float | None


@dataclass(frozen=True)
class ModelResults:
    """All that was measured of one model: its protocols in the order of the file, and its training if recorded."""

    rows: tuple[MeasuredRow, ...] = ()
    training: TrainingRun | None = None


def read_results(name: str, models: Path | None = None) -> ModelResults:
    """Reads the ``metrics.json`` of a model; without one, the result is empty.

    Args:
        name: A model of ``builder.ARCHITECTURES``.
        models: Folder of all models; by default this project's.

    Raises:
        ModelFileError: If the file is damaged; says where.
    """
    metrics = model_files.read_metrics(name, models)
    if metrics is None:
        return ModelResults()
    place = "protocols"
    try:
        rows = []
        for protocol, figures in _fields(metrics.get("protocols", {}), "protocols").items():
            place = protocol
            rows.append(_row(name, protocol, _fields(figures, "each protocol")))
        place = "history"
        return ModelResults(tuple(rows), _training(name, metrics))
    except ValueError as error:
        raise ModelFileError(f"model {name}: metrics.json: {place} is damaged: {error}") from error


def measured_rows(models: Path | None = None) -> list[MeasuredRow]:
    """Reads every protocol of every model that has a ``metrics.json``.

    Args:
        models: Folder of all models; by default this project's.

    Raises:
        ModelFileError: If a file is damaged.
    """
    return [row for name in ARCHITECTURES for row in read_results(name, models).rows]


def results_record(models: Path | None = None) -> dict:
    """Returns every accuracy that was measured, with its origin, and the paper's table, JSON-ready.

    Args:
        models: Folder of all models; by default this project's.

    Returns:
        ``measured``, a list of ``MeasuredRow``, and ``paper``, its Table 2 by model; keys are texts.

    Raises:
        ModelFileError: If a file is damaged.
    """
    measured = []
    for row in measured_rows(models):
        by_resolution = {str(size): share for size, share in row.accuracy_by_resolution.items()}
        measured.append(asdict(row) | {"accuracy_by_resolution": by_resolution})
    paper = {model: asdict(row) for model, row in PAPER_TABLE_2.items()}
    return {"schema_version": model_files.SCHEMA_VERSION, "measured": measured, "paper": paper}


def _row(model: str, protocol: str, figures: dict) -> MeasuredRow:
    weights = _text(figures, "weights")
    if weights not in _WEIGHTS:
        raise ValueError(f"weights must be one of {', '.join(_WEIGHTS)}, but got {weights!r}")
    sizes = _fields(figures.get("accuracy_by_resolution"), "accuracy_by_resolution")
    by_angle = _fields(figures.get("by_angle") or {}, "by_angle")
    if not by_angle.keys() <= KDEF_ANGLES.keys():
        raise ValueError(f"by_angle must be of {', '.join(KDEF_ANGLES)}, but got {', '.join(by_angle)}")
    std = figures.get("std")
    return MeasuredRow(
        model=model,
        protocol=protocol,
        description=_text(figures, "description"),
        resolution=_count(figures, "resolution"),
        **{name: _number(figures, name, 1) for name in ("accuracy", "f1_macro", "f1_micro", "f1_weighted")},
        loss=_number(figures, "loss"),
        calibration_error=_number(figures, "calibration_error", 1),
        images=_count(figures, "images"),
        faces_missed=_count(figures, "faces_missed"),
        people=None if figures.get("people") is None else _count(figures, "people"),
        confusion=_confusion(figures.get("confusion")),
        accuracy_by_resolution={int(size): _number(sizes, size, 1) for size in sizes},
        by_angle={angle: _number(by_angle, angle, 1) for angle in KDEF_ANGLES if angle in by_angle},
        # One number, or one for each figure.
        accuracy_std=_optional({"accuracy": std} if not isinstance(std, dict) else std, "accuracy"),
        weights=weights,
        date=_text(figures, "date"),
        machine=_text(figures, "machine"),
        runtime=_optional_text(figures, "runtime"),
    )


def _training(model: str, metrics: dict) -> TrainingRun | None:
    history = metrics.get("history") or []
    if not isinstance(history, list):
        raise ValueError(f"history must be a list of epochs, but got {type(history).__name__}")
    if not history:
        return None
    figures = ("loss", "accuracy", "validation_loss", "validation_accuracy")
    epochs = tuple(
        Epoch(
            epoch=_count(_fields(record, "each epoch"), "epoch"),
            stage=None if record.get("stage") is None else _count(record, "stage"),
            **{name: _optional(record, name) for name in figures},
        )
        for record in history
    )
    trained = _fields(metrics.get("trained_with") or {}, "trained_with")
    texts = {name: _optional_text(trained, name) for name in ("command", "hardware", "date", "note")}
    return TrainingRun(model, epochs, **texts, seconds=_optional(trained, "training_seconds"))


def _fields(value: object, name: str) -> dict:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object, but got {type(value).__name__}")
    return value


def _number(figures: dict, name: str, most: float = math.inf) -> float:
    value = figures.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        raise ValueError(f"{name} must be a number of 0 to {most:g}, but got {value!r}")
    return float(value)


def _optional(figures: dict, name: str) -> float | None:
    return None if figures.get(name) is None else _number(figures, name)


def _count(figures: dict, name: str) -> int:
    value = figures.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} must be a whole number of at least 0, but got {value!r}")
    return value


def _text(figures: dict, name: str) -> str:
    value = figures.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} must be text, but got {value!r}")
    return value


def _optional_text(figures: dict, name: str) -> str | None:
    return None if figures.get(name) is None else _text(figures, name)


def _confusion(rows: object) -> list[list[int]]:
    side = len(EMOTIONS)
    square = isinstance(rows, list) and [len(row) for row in rows if isinstance(row, list)] == [side] * side
    if not square or not all(isinstance(count, int) and count >= 0 for row in rows for count in row):  # type: ignore[attr-defined]
        raise ValueError(f"confusion must be {side} x {side} counts, but got something else")
    return cast(list[list[int]], rows)
