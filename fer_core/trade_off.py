"""Accuracy against latency: what each model gives at each resolution, and which of these nothing beats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .closed_loop import latency_curve
from .interpolation import Monotone
from .measurements import Measurements
from .results import MeasuredRow


@dataclass(frozen=True)
class Choice:
    """A model in a runtime at a resolution: what it costs and what it gives.

    Attributes:
        model: A model of ``builder.ARCHITECTURES``.
        runtime: A key of ``runtimes.RUNTIMES``.
        resolution: Side of the input in pixels.
        latency_ms: Latency of one face in ms.
        accuracy: Share of right answers, 0 to 1.
        measured: Whether the latency was measured at this very size, or read off a curve between two that were.
    """

    model: str
    runtime: str
    resolution: int
    latency_ms: float
    accuracy: float
    measured: bool = True


def latency_at(measurements: Measurements, resolution: int) -> tuple[float, bool] | None:
    """Returns the latency at a resolution.

    Args:
        measurements: What was measured, two points at least.
        resolution: Side in pixels.

    Returns:
        Latency in ms, and whether it was measured at this size; between measured sizes it is read off the monotone
        curve. None outside of them: nothing is extrapolated.
    """
    latencies = {point.resolution: point.latency_ms for point in measurements.points}
    if resolution in latencies:
        return latencies[resolution], True
    if not min(latencies) < resolution < max(latencies):
        return None
    return float(latency_curve(measurements.points, Monotone.name)(resolution)), False


def choices(rows: Iterable[MeasuredRow], calibrations: Iterable[Measurements]) -> list[Choice]:
    """Joins accuracy and latency of the same model at the same resolution.

    Args:
        rows: Measured accuracies, one row a model.
        calibrations: Measured latencies of one machine, one a model and runtime.

    Returns:
        A choice for every resolution that both know.
    """
    by_model = {row.model: row for row in rows}
    found = []
    for measurements in calibrations:
        if row := by_model.get(measurements.model):
            for size in sorted({row.resolution, *row.accuracy_by_resolution}):
                latency, accuracy = latency_at(measurements, size), row.accuracy_at(size)
                if latency is not None and accuracy is not None:
                    found.append(Choice(row.model, measurements.runtime, size, latency[0], accuracy, latency[1]))
    return found


def pareto_front(offered: Iterable[Choice]) -> list[Choice]:
    """Returns the choices that no other beats, by rising latency.

    One beats another if it is at least as fast and at least as accurate, and better in one of the two.
    """
    front: list[Choice] = []
    for choice in sorted(offered, key=lambda choice: (choice.latency_ms, -choice.accuracy)):
        last = front[-1] if front else None
        same = last and (choice.latency_ms, choice.accuracy) == (last.latency_ms, last.accuracy)
        if last is None or same or choice.accuracy > last.accuracy:
            front.append(choice)
    return front
