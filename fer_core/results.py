"""The paper's figures and this project's measured ones, in one schema."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import model_files
from .builder import ARCHITECTURES
from .model_files import ModelFileError

PAPER = "Ghadami & Rezvanian, 2024, Table 2"
PAPER_MACHINE = "Intel Core i5-11400H, 6 cores"
REAL_TIME_MS = 40.0


@dataclass(frozen=True)
class PaperRow:
    """One column of the paper's Table 2: resolution in pixels, shares 0 to 1, latency in milliseconds."""

    resolution: int
    accuracy: float
    loss: float
    f1_macro: float
    f1_micro: float
    f1_weighted: float
    latency_ms: float


PAPER_TABLE_2: dict[str, PaperRow] = {
    "scalable-env2b0": PaperRow(302, 0.96, 0.16, 0.95, 0.96, 0.97, 40),
    "scalable-env2s": PaperRow(94, 0.92, 0.26, 0.92, 0.93, 0.92, 40),
    "bdf-inceptionv3": PaperRow(299, 0.69, 0.81, 0.70, 0.70, 0.68, 54),
    "bdf-mobilenet": PaperRow(224, 0.74, 0.76, 0.74, 0.73, 0.73, 16),
}


@dataclass(frozen=True)
class MeasuredRow:
    """One protocol of one model, from its ``metrics.json``; shares 0 to 1, resolution in pixels.

    Attributes:
        weights: ``"shipped"`` if the files in ``models/`` reproduce it, ``"run"`` if a recorded run does.
        date: Day of the measurement, as recorded.
        machine: Machine of the measurement, as recorded.
    """

    model: str
    protocol: str
    description: str
    resolution: int
    accuracy: float
    loss: float
    f1_macro: float
    f1_micro: float
    f1_weighted: float
    calibration_error: float
    images: int
    faces_missed: int
    people: int | None
    confusion: list[list[int]]
    accuracy_by_resolution: dict[int, float]
    weights: str
    date: str
    machine: str


def measured_rows(models: Path | None = None) -> list[MeasuredRow]:
    """Reads every protocol of every model that has a ``metrics.json``.

    Args:
        models: Folder of all models; by default this project's.

    Raises:
        ModelFileError: If a file is damaged.
    """
    rows = []
    for name in ARCHITECTURES:
        metrics = model_files.read_metrics(name, models) or {}
        for protocol, figures in metrics.get("protocols", {}).items():
            try:
                by_resolution = {int(size): value for size, value in figures["accuracy_by_resolution"].items()}
                taken = {field: figures[field] for field in MeasuredRow.__dataclass_fields__ if field in figures}
                taken["accuracy_by_resolution"] = by_resolution
                rows.append(MeasuredRow(**{"model": name, "protocol": protocol} | taken))
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise ModelFileError(f"model {name}: metrics.json: {protocol} is damaged: {error}") from error
    return rows
