"""From a predicted resolution to a verified one: solve, measure there, and solve again where it missed.

Nothing is measured here. The loop says which sizes it wants to know next and is told their latencies, so that the
calibration of a machine and the simulations in ``benchmarks/`` run the same steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .interpolation import DEFAULT_CURVE, Curve, Monotone, Quadratic, build_curve
from .ladders import STAIR, next_multiple
from .latency import ROLES, Point, merge_points
from .points import check_target
from .solving import solve

MOST_REPEATS = 4
LARGEST_MISS = 0.1
"""Prediction and verification may differ by this share before the solve repeats."""

# The first solve, its repeats, and measuring ladder sizes again that turn out to be the answer.
_MOST_PASSES = 3 * MOST_REPEATS
_LEAST_MARGIN = 0.01
_LARGEST_MARGIN = 0.1
_WORTHWHILE_GAIN = 0.02


@dataclass(frozen=True)
class Verified:
    """A resolution that meets the target and was measured.

    Attributes:
        curve: Name of the curve that predicted its latency.
        resolution: Side in pixels.
        predicted_ms: Latency that the curve predicted before the measurement, in ms.
        verified_ms: Latency measured after that, in ms.
    """

    curve: str
    resolution: int
    predicted_ms: float
    verified_ms: float


def fitted_points(points: Sequence[Point], name: str) -> list[Point]:
    """Returns the points that a curve is fitted to, by rising resolution.

    The paper's polynomials go through the ladder as it was asked for, as in the paper; points measured later lie so
    close together that a polynomial through them would leave all bounds. The other curves see every point.

    Args:
        points: At least two points.
        name: One of ``interpolation.CURVES``.
    """
    ladder = [point for point in points if point.role == ROLES[0]]
    chosen = ladder if name not in (Monotone.name, Quadratic.name) and len(ladder) >= 2 else points
    return sorted(chosen, key=lambda point: point.resolution)


def latency_curve(points: Sequence[Point], name: str, degree: int | None = None) -> Curve:
    """Builds a curve through those of the measured points that it is fitted to, weighted by their spread.

    Args:
        points: At least two points.
        name: One of ``interpolation.CURVES``.
        degree: Degree of the polynomial regression; None for the default.

    Raises:
        ValueError: If there are fewer than two points, or the name or the degree is unusable.
    """
    chosen = fitted_points(points, name)
    columns = [point.resolution for point in chosen], [point.latency_ms for point in chosen]
    errors = [point.standard_error_ms for point in chosen]
    return build_curve(name, *columns, errors) if degree is None else build_curve(name, *columns, errors, degree)


def trusted_curve(points: Sequence[Point], target_ms: float) -> Curve:
    """The curve that an answer is taken from: the quadratic, checked by the monotone one.

    The quadratic averages the noise of all points and holds if it comes within 10 % of the measured points on both
    sides of the target. Where it does not, the machine is no quadratic there, and the monotone curve, which follows
    the points, takes its place.

    Args:
        points: At least two points.
        target_ms: Target latency in ms.
    """
    quadratic = latency_curve(points, DEFAULT_CURVE)
    crossing = solve(quadratic, target_ms).resolution
    if crossing is None:
        return latency_curve(points, Monotone.name)
    sizes, latencies = quadratic.resolutions, quadratic.latencies
    right = int(np.searchsorted(sizes, crossing))
    around = slice(max(0, right - 1), right + 1)
    if np.all(np.abs(quadratic(sizes[around]) / latencies[around] - 1) <= LARGEST_MISS):
        return quadratic
    return latency_curve(points, Monotone.name)


def predict(curve: Curve, size: int) -> float:
    """Returns the predicted latency of a size in pixels, in ms; outside the monotone curve, that of its end."""
    if curve.name == Monotone.name:
        return float(curve(np.clip(size, curve.resolutions[0], curve.resolutions[-1])))
    return float(curve(size))


class ClosedLoop:
    """Looks for the largest resolution whose verified latency meets a target.

    Ask ``next_sizes``, measure them, hand the points to ``add``, until there is no next size. Each pass takes the
    curve's answer and the top of its stair, the next multiple of 32. The sizes measured so far enclose the answer
    ever more closely: ``low`` meets the target, ``high`` does not.

    Args:
        points: Points of the ladder, at least two.
        target_ms: Target latency in ms.

    Raises:
        ValueError: If the target is not a number above zero.
    """

    def __init__(self, points: Sequence[Point], target_ms: float) -> None:
        self.target_ms = check_target(target_ms)
        self.passes = 0
        self._points = {point.resolution: point for point in points}
        self._predictions: dict[int, tuple[str, float]] = {}
        self._verified: dict[int, float] = {}

    @property
    def points(self) -> tuple[Point, ...]:
        """All points so far, by rising resolution; what was measured twice has the runs of both."""
        return tuple(self._points[size] for size in sorted(self._points))

    def _meets(self, size: int) -> bool:
        return self._verified.get(size, self._points[size].latency_ms) <= self.target_ms

    def _bracket(self) -> tuple[int | None, int | None]:
        sizes = sorted(self._points)
        low = max((size for size in sizes if self._meets(size)), default=None)
        high = min((size for size in sizes if low is None or size > low), default=None)
        return low, high

    def next_sizes(self) -> tuple[int, ...]:
        """Returns the sizes to measure now, in pixels; none when the answer stands."""
        # A size that cannot be measured would be asked for again and again.
        if self.passes >= _MOST_PASSES:
            return ()
        low, high = self._bracket()
        curve = trusted_curve(self.points, self.target_ms) if self.passes == 0 else self._follow()
        sizes: tuple[int, ...] = ()
        if low is not None and high is not None and self.passes <= MOST_REPEATS:
            sizes = self._candidates(curve, low, high)
        if not sizes and low is not None and not self._stands(low):
            sizes = (low,)
        for size in sizes:
            self._predictions[size] = curve.name, predict(curve, size)
        return sizes

    def _follow(self) -> Curve:
        # Once sizes near the target are measured, the curve through them knows more than one fitted to all.
        return latency_curve(self.points, Monotone.name)

    def _stands(self, size: int) -> bool:
        """Whether a size was measured after it was predicted, and as predicted."""
        if size not in self._verified:
            return False
        return abs(self._verified[size] / self._predictions[size][1] - 1) <= LARGEST_MISS

    def _candidates(self, curve: Curve, low: int, high: int) -> tuple[int, ...]:
        solution = solve(curve, self.target_ms * (1 - self._margin(low, high)))
        # A target beside a flat stretch may have no crossing where the measurements say there is one.
        predicted = low if solution.resolution is None else int(solution.resolution)
        # A size just below one that missed would miss as well.
        size = max(min(predicted, high - max(1, int(_WORTHWHILE_GAIN * high))), low + 1)
        top = next_multiple(size)
        if top >= high:
            top -= STAIR
        gain = _WORTHWHILE_GAIN * low
        return tuple(sorted({s for s in (size, top) if low < s < high and (s >= low + gain or not self._verified)}))

    def _margin(self, low: int, high: int) -> float:
        """Share of the target kept free, so that noise alone does not break it: more after every near miss."""
        error = max(self._points[s].standard_error_ms / self._points[s].latency_ms for s in (low, high))
        near_misses = sum(1 < ms / self.target_ms <= 1 + LARGEST_MISS for ms in self._verified.values())
        return min(max(error, _LEAST_MARGIN) * (1 + near_misses), _LARGEST_MARGIN)

    def add(self, points: Sequence[Point]) -> None:
        """Takes the measured points of ``next_sizes``; a size that could not be measured may be missing."""
        self.passes += 1
        for point in points:
            self._verified[point.resolution] = point.latency_ms
            known = self._points.get(point.resolution)
            self._points[point.resolution] = point if known is None else merge_points(known, point)

    def answer(self) -> Verified | None:
        """The largest verified size that meets the target, or None if none does."""
        fitting = [size for size in self._verified if self._meets(size)]
        if not fitting:
            return None
        size = max(fitting)
        return Verified(self._predictions[size][0], size, self._predictions[size][1], self._verified[size])
