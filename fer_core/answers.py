"""Answers from measurements: which resolution meets a target, by every curve and all told. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import model_files
from .closed_loop import fitted_points, latency_curve, predict, trusted_curve
from .interpolation import CURVES, DEFAULT_DEGREE, Curve, Monotone, check_curve
from .ladders import LARGEST_RESOLUTION, STAIR
from .latency import Point
from .measurements import Measurements
from .points import check_target
from .runtimes import KerasPredict, OpenVino, TensorFlowGraph
from .solving import resample_normal, resample_runs, solve

ACCURACY_PROTOCOLS = ("kdef-unseen-people", "kdef-unseen-people-fold0")
"""What the accuracy of an answer is measured by, on people never seen in training, the most thorough first."""
ACCURACY_MARGIN = 0.005
"""The economical answer may be this much less accurate than the best that meets the target."""

UNMEASURED_ACCURACY = "latency only, accuracy not measured"

FASTEST_FIRST = (OpenVino.name, TensorFlowGraph.name, KerasPredict.name)
"""Runtimes by their floors, as measured on every machine so far."""


@dataclass(frozen=True)
class Answer:
    """A resolution for a target, or the reason why there is none.

    Attributes:
        reason: Why this resolution, or why none, in plain words.
        curve: Name of the curve that predicted it.
        resolution: Side in pixels, rounded down, or None.
        predicted_ms: Latency by the curve, in ms.
        verified_ms: Latency measured at this resolution afterwards, in ms; None if nothing was measured.
        label: ``UNMEASURED_ACCURACY`` outside the sizes that the weights were trained for, else None.
        floor_ms: Least measured latency of the runtime, in ms.
    """

    reason: str
    curve: str | None = None
    resolution: int | None = None
    predicted_ms: float | None = None
    verified_ms: float | None = None
    label: str | None = None
    floor_ms: float | None = None


@dataclass(frozen=True)
class KnownAccuracy:
    """What the accuracy of a model's weights is known to be.

    Attributes:
        trained_sizes: Smallest and largest side trained for, in pixels, or None.
        by_resolution: Accuracy, 0 to 1, by side in pixels, on people never seen in training.
    """

    trained_sizes: tuple[int, int] | None = None
    by_resolution: Mapping[int, float] = field(default_factory=dict)

    def label(self, resolution: int) -> str | None:
        """Returns ``UNMEASURED_ACCURACY`` outside the trained sizes, else None."""
        if self.trained_sizes is not None and self.trained_sizes[0] <= resolution <= self.trained_sizes[1]:
            return None
        return UNMEASURED_ACCURACY

    def economical_size(self, fitting: Sequence[int]) -> int | None:
        """Returns the smallest of some sizes whose accuracy is within 0.005 of the best among them, or None."""
        known = {size: self.by_resolution[size] for size in fitting if size in self.by_resolution}
        if not known:
            return None
        # Decimal shares are not exact in binary: 0.805 is within 0.005 of 0.81.
        worst_allowed = max(known.values()) - ACCURACY_MARGIN - 1e-9
        return min(size for size, accuracy in known.items() if accuracy >= worst_allowed)


def known_accuracy(model: str, weights: str, models: Path | None = None) -> KnownAccuracy:
    """Reads the accuracy of a model from its ``metrics.json``: of the first of ``ACCURACY_PROTOCOLS`` that is there.

    Args:
        model: A model of ``builder.ARCHITECTURES``.
        weights: ``"trained"`` or ``"random"``; random weights have no accuracy.
        models: Folder of all models; by default this project's.

    Raises:
        ModelFileError: If the file is damaged.
    """
    metrics = model_files.read_metrics(model, models) if weights == "trained" else None
    if metrics is None:
        return KnownAccuracy()
    sizes = metrics.get("trained_sizes") or []
    by_resolution: Any = metrics
    measured = metrics.get("protocols")
    known = [name for name in ACCURACY_PROTOCOLS if isinstance(measured, dict) and name in measured]
    for name in ("protocols", (known or ACCURACY_PROTOCOLS)[0], "accuracy_by_resolution"):
        by_resolution = by_resolution.get(name, {})
        if not isinstance(by_resolution, dict):
            raise model_files.ModelFileError(f"model {model}: metrics.json is damaged: {name} must be an object")
    try:
        shares = {int(size): float(share) for size, share in by_resolution.items()}
    except (ValueError, TypeError, OverflowError) as error:
        raise model_files.ModelFileError(f"model {model}: metrics.json is damaged: {error}") from error
    return KnownAccuracy((min(sizes), max(sizes)) if sizes else None, shares)


def no_answer(measurements: Measurements, target_ms: float) -> Answer:
    """Says that no resolution reaches a target with this runtime, and which runtime would."""
    floor = measurements.floor
    reason = (
        f"no resolution reaches {target_ms:g} ms with {measurements.runtime}; its floor is {floor.floor_ms:.1f} ms "
        f"(at {floor.resolution} px)"
    )
    faster = FASTEST_FIRST[: FASTEST_FIRST.index(measurements.runtime)]
    reaching = [other for other in measurements.other_floors if other.floor_ms <= target_ms]
    if reaching:
        best = min(reaching, key=lambda other: other.floor_ms)
        reason += f"; {best.runtime} would: its floor is {best.floor_ms:.1f} ms"
    elif measurements.other_floors or not faster:
        reason += "; no other runtime of this project does"
    else:
        reason += f"; {faster[0]} has a lower floor: calibrate it"
    return Answer(reason, floor_ms=floor.floor_ms)


def _predicted(reason: str, curve: Curve, size: int, measurements: Measurements, known: KnownAccuracy) -> Answer:
    return Answer(reason, curve.name, size, predict(curve, size), None, known.label(size), measurements.floor.floor_ms)


def largest_answer(measurements: Measurements, target_ms: float, known: KnownAccuracy) -> Answer:
    """Predicts the largest resolution that meets a target.

    Args:
        measurements: What was measured.
        target_ms: Target latency in ms.
        known: Accuracy of the weights.
    """
    points = sorted(measurements.points, key=lambda point: point.resolution)
    fitting = [point.resolution for point in points if point.latency_ms <= target_ms]
    if not fitting:
        return no_answer(measurements, target_ms)
    low = max(fitting)
    curve = trusted_curve(points, target_ms)
    if low == points[-1].resolution:
        size, why = low, "the largest measured size still meets the target"
        if low < LARGEST_RESOLUTION:
            why += ": larger ones have to be measured"
    else:
        high = min(point.resolution for point in points if point.resolution > low)
        crossing = solve(curve, target_ms).resolution
        size = low if crossing is None else min(max(int(crossing), low), high - 1)
        if predict(curve, size) > target_ms:
            # The points contradict this curve, or noise put a small size above a larger one: the monotone decides.
            curve = latency_curve(points, Monotone.name)
            crossing = solve(curve, target_ms).resolution
            size = size if crossing is None else min(size, int(crossing))
        why = f"the {curve.name} curve meets {target_ms:g} ms here"
    return _predicted(f"{size} px: {why}", curve, size, measurements, known)


def economical_answer(
    measurements: Measurements, target_ms: float, known: KnownAccuracy, largest: Answer
) -> Answer | None:
    """Predicts the smallest resolution that is about as accurate as the best that meets a target.

    Args:
        measurements: What was measured.
        target_ms: Target latency in ms.
        known: Accuracy of the weights.
        largest: The largest resolution that meets the target.

    Returns:
        The answer, or None where no accuracy is known or nothing meets the target.
    """
    if largest.resolution is None:
        return None
    curve = trusted_curve(measurements.points, target_ms)
    fitting = [size for size in known.by_resolution if size <= largest.resolution]
    size = known.economical_size(fitting)
    if size is None:
        return None
    return _predicted(economical_reason(size, known, fitting), curve, size, measurements, known)


def economical_reason(size: int, known: KnownAccuracy, fitting: Sequence[int]) -> str:
    """Says why a size is the economical one among those that meet the target."""
    best = max((known.by_resolution[other], -other) for other in fitting)
    return (
        f"{size} px: accuracy {known.by_resolution[size]:.3f} on people never seen in training, within "
        f"{ACCURACY_MARGIN} of the best that meets the target ({best[0]:.3f} at {-best[1]} px)"
    )


def verified_reason(resolution: int, predicted_ms: float, verified_ms: float, points: Sequence[Point]) -> str:
    """Says why a verified size is the largest that meets the target."""
    reason = f"{resolution} px: predicted {predicted_ms:.1f} ms, measured {verified_ms:.1f} ms"
    if resolution % STAIR == 0:
        reason += f"; the top of a stair, as the last feature map grows after every multiple of {STAIR} px"
    larger = [point for point in points if point.resolution > resolution]
    if larger:
        following = min(larger, key=lambda point: point.resolution)
        return f"{reason}; {following.resolution} px took {following.latency_ms:.1f} ms"
    return f"{reason}; the largest size that is measured"


def resample_points(points: Sequence[Point]) -> np.ndarray:
    """Draws latencies that could as well have been measured: from the runs, or the summary where there are none.

    Returns:
        Latencies in ms, ``(draws, points)``.
    """
    if all(point.visits for point in points):
        return resample_runs([point.visits for point in points])
    latencies = np.array([point.latency_ms for point in points])
    return resample_normal(latencies, np.array([point.standard_error_ms for point in points]))


def curve_records(
    points: Sequence[Point], target_ms: float, names: Sequence[str] = CURVES, degree: int = DEFAULT_DEGREE
) -> dict[str, dict]:
    """Solves every curve for a target; JSON-ready, by name of the curve."""
    records = {}
    for name in names:
        resampled = resample_points(fitted_points(points, name))
        solution = solve(latency_curve(points, name, degree), target_ms, resampled)
        record = asdict(solution) | {"crossings": [crossing.resolution for crossing in solution.crossings]}
        record["rising_crossings"] = [crossing.resolution for crossing in solution.crossings if crossing.rising]
        record["interval"] = None if solution.interval is None else list(solution.interval)
        record["warnings"] = list(solution.warnings)
        del record["curve"], record["target_ms"]
        records[name] = record
    return records


def calibration_record(
    measurements: Measurements,
    target_ms: float,
    largest: Answer,
    economical: Answer | None,
    curves: Sequence[str] = CURVES,
    degree: int = DEFAULT_DEGREE,
) -> dict:
    """Puts measurements, curves and answers together in the schema of ``calibrate`` and ``solve``; JSON-ready."""
    answer = largest if economical is None else economical
    return measurements.record() | {
        "target_ms": target_ms,
        "floor_ms": measurements.floor.floor_ms,
        "curves": curve_records(measurements.points, target_ms, curves, degree),
        "answers": {"largest": asdict(largest), "economical": None if economical is None else asdict(economical)},
        "answer": asdict(answer),
        "warnings": list(measurements.warnings),
    }


def solve_calibration(
    measurements: Measurements,
    target_ms: float,
    curves: Sequence[str] = CURVES,
    degree: int = DEFAULT_DEGREE,
    models: Path | None = None,
) -> dict:
    """Answers for a target from what was measured before, without measuring.

    Args:
        measurements: What was measured.
        target_ms: Target latency in ms.
        curves: Names of the curves to solve; the answers do not depend on them.
        degree: Degree of the polynomial regression.
        models: Folder of all models; by default this project's.

    Returns:
        The schema of ``calibrate``, with ``verified_ms`` null.

    Raises:
        ValueError: If the target, a curve or the degree is unusable.
    """
    target = check_target(target_ms)
    for name in curves:
        check_curve(name)
    known = known_accuracy(measurements.model, measurements.weights, models)
    largest = largest_answer(measurements, target, known)
    economical = economical_answer(measurements, target, known, largest)
    return calibration_record(measurements, target, largest, economical, curves, degree)
