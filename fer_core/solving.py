"""The inverse of a latency curve: which resolution has the target latency, and how far to trust it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from .interpolation import Curve
from .points import check_target

SEARCH_RANGE = (1.0, 640.0)
"""Sides in pixels between which crossings of the target are looked for."""

BOOTSTRAP_DRAWS = 400
INTERVAL_PERCENTILES = (2.5, 97.5)

# Steps of the grid that backs up the analytic turning points.
_GRID_STEPS = 1024
_HIGH_NOISE_GAIN = 5.0
_WIDE_INTERVAL = 0.2
_LARGE_MISS = 0.1


@dataclass(frozen=True)
class Crossing:
    """A resolution at which a curve has the target latency.

    Attributes:
        resolution: Side in pixels.
        rising: Whether the curve goes from below the target to above it; False where it falls or only touches.
        measured: Whether it lies between the smallest and the largest measured resolution.
    """

    resolution: float
    rising: bool
    measured: bool


@dataclass(frozen=True)
class Solution:
    """The inverse of one curve at one target.

    Attributes:
        curve: Name of the curve.
        target_ms: Target latency in ms.
        resolution: Chosen crossing in pixels, or None: the largest rising one inside the measured range, else
            the rising one nearest to it.
        crossings: All crossings, by rising resolution.
        extrapolated: Whether the chosen crossing lies outside the measured range.
        monotone: Whether the curve never falls inside the measured range.
        predicted_min_ms: Lowest prediction inside the measured range, in ms.
        predicted_max_ms: Highest prediction inside the measured range, in ms.
        lebesgue_constant: Largest factor by which the curve magnifies errors of the points inside the measured
            range, for curves through all points that are linear in them; else None.
        noise_gain: Standard deviation of the prediction at the answer per standard deviation of independent errors
            of the points, for curves linear in them; else None.
        interval: 95 % bootstrap interval of the resolution in pixels, or None if there was nothing to resample.
            A lower end of 0 means that the target may be out of reach, an upper end of None that the interval
            leaves the range searched.
        warnings: What a reader should know, in plain words.
    """

    curve: str
    target_ms: float
    resolution: float | None
    crossings: tuple[Crossing, ...]
    extrapolated: bool
    monotone: bool
    predicted_min_ms: float
    predicted_max_ms: float
    lebesgue_constant: float | None
    noise_gain: float | None
    interval: tuple[float, float | None] | None
    warnings: tuple[str, ...]


def solve(
    curve: Curve,
    target_ms: float,
    resampled: np.ndarray | None = None,
    search_range: tuple[float, float] = SEARCH_RANGE,
) -> Solution:
    """Finds where a curve has the target latency.

    Args:
        curve: A curve of ``interpolation.build_curve``.
        target_ms: Target latency in ms, above zero.
        resampled: Latencies in ms that could as well have been measured at the curve's resolutions, ``(draws, n)``,
            from ``resample_runs`` or ``resample_normal``; they make the bootstrap interval.
        search_range: Smallest and largest resolution looked at, in pixels; widened to the measured range.

    Raises:
        ValueError: If the target is not a number above zero.
    """
    target = check_target(target_ms)
    low, high = float(curve.resolutions[0]), float(curve.resolutions[-1])
    search = min(low, search_range[0]), max(high, search_range[1])
    grid = _splits(curve, low, high)
    values = curve(grid)
    crossings = find_crossings(curve, target, search)
    chosen = _choose(crossings, high)
    weights = curve.weights(grid)
    interval = None if resampled is None else _interval(curve, target, np.asarray(resampled, np.float64), search)
    at_answer = None if chosen is None else curve.weights(np.array([chosen.resolution]))
    solution = Solution(
        curve=curve.name,
        target_ms=target,
        resolution=None if chosen is None else chosen.resolution,
        crossings=crossings,
        extrapolated=chosen is not None and not chosen.measured,
        monotone=bool(np.all(np.diff(values) >= -2 * _rounding(curve, grid, target)[1:])),
        predicted_min_ms=float(values.min()),
        predicted_max_ms=float(values.max()),
        lebesgue_constant=None
        if weights is None or not curve.interpolates
        else float(np.abs(weights).sum(axis=1).max()),
        noise_gain=None if at_answer is None else float(np.sqrt(np.sum(at_answer**2))),
        interval=interval,
        warnings=(),
    )
    return replace(solution, warnings=_warnings(solution, curve))


def find_crossings(curve: Curve, target_ms: float, search_range: tuple[float, float]) -> tuple[Crossing, ...]:
    """Finds every resolution in a range at which a curve has the target latency.

    The range is split at the measured points, at the curve's turning points and on a dense grid. Between two splits
    the curve rises or falls, so that a change of sign holds exactly one crossing (Brent's method). A split on the
    target itself is a crossing too, which finds a curve that only touches it.

    Args:
        curve: Any curve.
        target_ms: Target in ms.
        search_range: Smallest and largest resolution, in pixels.
    """
    first, last = float(curve.resolutions[0]), float(curve.resolutions[-1])
    low, high = search_range
    parts = [_splits(curve, *part) for part in ((low, first), (first, last), (last, high)) if part[0] < part[1]]
    grid = np.unique(np.concatenate(parts))
    excess = curve(grid) - target_ms
    grid, excess = grid[np.isfinite(excess)], excess[np.isfinite(excess)]
    signs = np.where(np.abs(excess) <= _rounding(curve, grid, target_ms), 0, np.sign(excess)).astype(int)
    crossings = []
    for i in np.flatnonzero(signs[:-1] * signs[1:] < 0):
        root = float(brentq(lambda r: float(curve(r)) - target_ms, grid[i], grid[i + 1], xtol=1e-10, rtol=1e-14))
        crossings.append((root, bool(signs[i + 1] > 0)))
    for run in np.split(zeros := np.flatnonzero(signs == 0), np.flatnonzero(np.diff(zeros) > 1) + 1):
        if not len(run):
            continue
        # Several splits in a row lie on a stretch as flat as the target: both its ends are answers.
        before = signs[run[0] - 1] if run[0] > 0 else -1
        after = signs[run[-1] + 1] if run[-1] + 1 < len(signs) else 1
        rising = bool(before < 0 < after)
        crossings += [(float(grid[i]), rising) for i in sorted({run[0], run[-1]})]
    return tuple(Crossing(root, rising, first <= root <= last) for root, rising in sorted(crossings))


def _rounding(curve: Curve, at: np.ndarray, target_ms: float) -> np.ndarray:
    """Bounds what the rounding of floats may add to a prediction, in ms: much, where large terms cancel."""
    weights = curve.weights(at)
    terms = np.zeros(len(at)) if weights is None else np.abs(weights) @ curve.latencies
    return 8 * np.finfo(np.float64).eps * np.maximum(terms, target_ms) * len(curve.resolutions)


def _splits(curve: Curve, low: float, high: float) -> np.ndarray:
    inside = curve.resolutions[(curve.resolutions >= low) & (curve.resolutions <= high)]
    regular = np.linspace(low, high, _GRID_STEPS + 1)
    return np.unique(np.concatenate([regular, inside, curve.turning_points(low, high)]))


def _choose(crossings: Sequence[Crossing], largest_measured: float) -> Crossing | None:
    rising = [crossing for crossing in crossings if crossing.rising]
    measured = [crossing for crossing in rising if crossing.measured]
    above = [crossing for crossing in rising if crossing.resolution > largest_measured]
    if measured:
        return measured[-1]
    return above[0] if above else (rising[-1] if rising else None)


def resample_runs(
    visits: Sequence[Sequence[Sequence[float]]], draws: int = BOOTSTRAP_DRAWS, seed: int = 0
) -> np.ndarray:
    """Draws medians that could as well have been measured, from the runs of every point.

    Runs of one visit share the state of the machine at that moment, so whole visits are drawn with replacement, and
    then runs within them (two-stage bootstrap; Davison and Hinkley, 1997, section 3.8).

    Args:
        visits: By point, by visit, the latencies of its runs in ms.
        draws: Number of draws.
        seed: Seed of the draws.

    Returns:
        Medians in ms, ``(draws, points)``.
    """
    generator = np.random.default_rng(seed)
    medians = np.empty((draws, len(visits)))
    for column, point in zip(medians.T, visits, strict=True):
        shortest = min(len(visit) for visit in point)
        runs = np.array([list(visit)[:shortest] for visit in point], np.float64)
        chosen = generator.integers(len(runs), size=(draws, len(runs), 1))
        within = generator.integers(shortest, size=(draws, len(runs), shortest))
        column[:] = np.median(runs[chosen, within].reshape(draws, -1), axis=1)
    return medians


def resample_normal(
    latencies: np.ndarray, spread: np.ndarray, draws: int = BOOTSTRAP_DRAWS, seed: int = 0
) -> np.ndarray:
    """Draws latencies around those given where the single runs are not known.

    Args:
        latencies: Latencies in ms, ``(n,)``.
        spread: Their standard errors in ms, ``(n,)``.
        draws: Number of draws.
        seed: Seed of the draws.

    Returns:
        Latencies in ms, above zero, ``(draws, n)``.
    """
    drawn = np.random.default_rng(seed).normal(latencies, spread, (draws, len(latencies)))
    return np.maximum(drawn, 1e-3 * np.asarray(latencies))


def _interval(
    curve: Curve, target: float, resampled: np.ndarray, search: tuple[float, float]
) -> tuple[float, float | None]:
    first, last = curve.resolutions[0], curve.resolutions[-1]
    # Steps of a pixel, and linear in between: finer than any interval that matters.
    grid = np.unique(np.concatenate([np.arange(np.ceil(search[0]), search[1] + 1), curve.resolutions]))
    latencies = curve.refit(resampled, grid)
    fits = latencies <= target
    rising = fits[:, :-1] & (latencies[:, 1:] > target)
    inside = rising & (grid[:-1] >= first) & (grid[1:] <= last)
    above = rising & (grid[:-1] >= last)
    answers = np.empty(len(resampled))
    for draw, row in enumerate(latencies):
        if inside[draw].any():
            step = np.flatnonzero(inside[draw])[-1]
        elif above[draw].any():
            step = np.flatnonzero(above[draw])[0]
        elif rising[draw].any():
            step = np.flatnonzero(rising[draw])[-1]
        else:
            answers[draw] = np.inf if np.nanmax(row) <= target else 0.0
            continue
        part = (target - row[step]) / (row[step + 1] - row[step])
        answers[draw] = grid[step] + part * (grid[step + 1] - grid[step])
    low, high = np.percentile(answers, INTERVAL_PERCENTILES, method="nearest")
    return (float(min(low, search[1])), float(high) if np.isfinite(high) else None)


def _warnings(solution: Solution, curve: Curve) -> tuple[str, ...]:
    low, high = curve.resolutions[0], curve.resolutions[-1]
    target = solution.target_ms
    warnings = []
    if solution.resolution is None:
        if solution.predicted_min_ms > target:
            warnings.append(f"every prediction lies above {target:g} ms: the fixed cost alone breaks the target")
        elif solution.predicted_max_ms < target:
            warnings.append(f"every prediction lies below {target:g} ms: larger sizes have to be measured")
        else:
            warnings.append(f"the curve never rises through {target:g} ms")
    if solution.extrapolated:
        warnings.append(
            f"{solution.resolution:.0f} px is an extrapolation: only {low:.0f} to {high:.0f} px were measured"
        )
    if len(solution.crossings) > 1:
        warnings.append(f"the curve meets {target:g} ms at {len(solution.crossings)} sizes; a machine meets it at one")
    if not solution.monotone:
        warnings.append("the curve falls somewhere, though a larger picture is never less work")
    if solution.predicted_min_ms < 0:
        warnings.append(f"the curve predicts impossible times, down to {solution.predicted_min_ms:.3g} ms")
    if solution.noise_gain is not None and solution.noise_gain > _HIGH_NOISE_GAIN:
        warnings.append(f"an error of 1 ms in the points becomes about {solution.noise_gain:.3g} ms at this answer")
    if not curve.interpolates:
        misses = np.abs(curve(curve.resolutions) / curve.latencies - 1)
        if misses.max() > _LARGE_MISS:
            worst = curve.resolutions[misses.argmax()]
            warnings.append(f"the curve misses the point at {worst:.0f} px by {misses.max():.0%}")
    if solution.resolution is not None and solution.interval is not None:
        lower, upper = solution.interval
        if lower == 0:
            warnings.append("within the noise of the measurement no size may reach the target")
        if upper is None or upper - lower > _WIDE_INTERVAL * solution.resolution:
            warnings.append("the measurement is too noisy, or the curve too flat, to fix this size to within 20 %")
    return tuple(warnings)
