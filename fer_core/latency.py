"""How one latency is measured: warm-up, interleaved rounds, and statistics that single slow runs do not move."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

REFERENCE_MODEL = "scalable-env2b0"
REFERENCE_RESOLUTION = 128
"""Side in pixels of the fixed task that is timed before and after every measurement."""

LARGEST_DRIFT = 0.05
"""Change of the reference, as a share, above which the machine was not the same before and after."""

SPREAD_WARNING = 0.10
STRONG_SPREAD_WARNING = 0.25
"""Interquartile range over median above which a point is called noisy, and very noisy."""

_WARM_UP_MOST = 20
_WARM_UP_WINDOW = 3
_WARM_UP_CHANGE = 0.1

# Of n normal values of deviation sigma: the standard error of the median over sigma / sqrt(n), and the distances
# between the quartiles and between the tenth and ninetieth percentile over sigma.
_MEDIAN_ERROR = math.sqrt(math.pi / 2)
_NORMAL_IQR = 1.349
_NORMAL_P90_TO_P10 = 2.563


@dataclass(frozen=True)
class Protocol:
    """How the runs of all sizes are laid out in time.

    Attributes:
        name: One of ``PROTOCOLS``.
        description: The protocol in words, for reports.
        rounds: Most rounds, each of which visits every size once.
        timed_runs: Timed runs of a visit.
        untimed_runs: Runs before them, because the caches still hold another size.
        shuffled: Whether every round has an order of its own, so that drift does not become a slope of the curve.
        warms_up: Whether each size runs until its latency is stable before the first round.
        least_rounds: Rounds that are done however long they take.
        budget_s: Seconds after which no further round begins.
    """

    name: str
    description: str
    rounds: int
    timed_runs: int
    untimed_runs: int
    shuffled: bool
    warms_up: bool
    least_rounds: int
    budget_s: float


_ROBUST = Protocol(
    "robust",
    "median of interleaved rounds in shuffled order, one untimed and five timed runs a visit, after a warm-up",
    rounds=8,
    timed_runs=5,
    untimed_runs=1,
    shuffled=True,
    warms_up=True,
    least_rounds=3,
    budget_s=10.0,
)
_PAPER = Protocol(
    "paper",
    "mean of ten executions a size, in a single pass; our reading of the paper, which times Keras predict",
    rounds=1,
    timed_runs=10,
    untimed_runs=1,
    shuffled=False,
    warms_up=False,
    least_rounds=1,
    budget_s=math.inf,
)
PROTOCOLS: tuple[str, ...] = (_ROBUST.name, _PAPER.name)


def protocol(name: str, runs: int | None = None) -> Protocol:
    """Returns a protocol by name.

    Args:
        name: ``"robust"`` or ``"paper"``.
        runs: Timed runs a size; the robust protocol rounds them up to whole visits of five. By default ten in the
            paper's protocol, and in the robust one up to forty, as many as ten seconds allow.

    Raises:
        ValueError: If the name is unknown or ``runs`` is not a whole number of 1 to 1000.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, but got {name!r}")
    chosen = _ROBUST if name == _ROBUST.name else _PAPER
    if runs is None:
        return chosen
    if isinstance(runs, bool) or not isinstance(runs, int) or not 1 <= runs <= 1000:
        raise ValueError(f"runs must be a whole number of 1 to 1000, but got {runs!r}")
    if chosen is _PAPER:
        return replace(chosen, timed_runs=runs)
    rounds = -(-runs // chosen.timed_runs)
    return replace(chosen, rounds=rounds, least_rounds=rounds)


ROLES: tuple[str, ...] = ("ladder", "growth", "verification")
"""Why a size was measured: it was asked for, the target had to be bracketed, or it was an answer."""


@dataclass(frozen=True)
class Point:
    """The measured latency of one size. Build one from runs with ``point_of``.

    Attributes:
        resolution: Side of the square input in pixels.
        median_ms: Median of the runs in ms.
        p10_ms: Tenth percentile of the runs in ms.
        p90_ms: Ninetieth percentile of the runs in ms.
        runs: Number of timed runs.
        mean_ms: Mean of the runs in ms, or None if it is not known.
        preprocessing_ms: Median time to resize a crop to this size and convert it, in ms, or None if it is not
            known; not part of the latency.
        protocol: One of ``PROTOCOLS``; decides between median and mean.
        visits: Latencies of the runs in ms, by visit; empty if only their summary is known.
        role: One of ``ROLES``: why this size was measured.
    """

    resolution: int
    median_ms: float
    p10_ms: float
    p90_ms: float
    runs: int
    mean_ms: float | None = None
    preprocessing_ms: float | None = None
    protocol: str = _ROBUST.name
    visits: tuple[tuple[float, ...], ...] = ()
    role: str = ROLES[0]

    @property
    def latency_ms(self) -> float:
        """What curves are put through, in ms: the median, or in the paper's protocol the mean."""
        return self.mean_ms if self.protocol == _PAPER.name and self.mean_ms is not None else self.median_ms

    @property
    def relative_spread(self) -> float:
        """Interquartile range over median; from the other percentiles of a normal spread if the runs are unknown."""
        if not self.visits:
            return _NORMAL_IQR / _NORMAL_P90_TO_P10 * (self.p90_ms - self.p10_ms) / self.median_ms
        low, high = np.percentile([run for visit in self.visits for run in visit], (25, 75))
        return float((high - low) / self.median_ms)

    @property
    def standard_error_ms(self) -> float:
        """Standard error of the latency in ms: from the runs, or from the visits where these differ by more."""
        by_runs = _MEDIAN_ERROR * self.relative_spread * self.median_ms / _NORMAL_IQR / math.sqrt(self.runs)
        if len(self.visits) < 3:
            return by_runs
        medians = [np.median(visit) for visit in self.visits]
        return max(by_runs, float(np.std(medians, ddof=1)) / math.sqrt(len(medians)))

    @property
    def warning(self) -> str | None:
        """A warning in plain words if the runs differ much, else None."""
        spread = self.relative_spread
        if spread <= SPREAD_WARNING:
            return None
        strength = "very noisy: do not rely on it" if spread > STRONG_SPREAD_WARNING else "noisy"
        return f"{self.resolution} px is {strength} (half of its runs spread over {spread:.0%} of the median)"


def point_of(
    resolution: int,
    visits: Sequence[Sequence[float]],
    preprocessing_ms: float | None = None,
    protocol_name: str = _ROBUST.name,
    role: str = ROLES[0],
) -> Point:
    """Summarizes the runs of one size.

    Args:
        resolution: Side in pixels.
        visits: Latencies of the runs in ms, by visit; at least one run.
        preprocessing_ms: Median time of the preparation in ms, or None.
        protocol_name: One of ``PROTOCOLS``.
        role: One of ``ROLES``.
    """
    runs = np.array([run for visit in visits for run in visit], np.float64)
    p10, median, p90 = np.percentile(runs, (10, 50, 90))
    kept = tuple(tuple(float(run) for run in visit) for visit in visits)
    return Point(
        resolution,
        float(median),
        float(p10),
        float(p90),
        len(runs),
        float(runs.mean()),
        preprocessing_ms,
        protocol_name,
        kept,
        role,
    )


def merge_points(earlier: Point, later: Point) -> Point:
    """Joins two measurements of one size into one with the runs of both and the role of the earlier."""
    visits = earlier.visits + later.visits
    return point_of(earlier.resolution, visits, later.preprocessing_ms, later.protocol, earlier.role)


@dataclass(frozen=True)
class Reference:
    """The fixed task, before and after a measurement: medians in ms."""

    before_ms: float
    after_ms: float

    @property
    def drift(self) -> float:
        """Change of the machine's speed as a share: positive if it became slower."""
        return self.after_ms / self.before_ms - 1

    @property
    def warning(self) -> str | None:
        """A warning in plain words if the drift exceeds 5 %, else None."""
        if abs(self.drift) <= LARGEST_DRIFT:
            return None
        word = "slower" if self.drift > 0 else "faster"
        return f"this machine became {abs(self.drift):.0%} {word} while it was measured: measure again"


@dataclass(frozen=True)
class Visit:
    """One visit of one size.

    Attributes:
        resolution: Side in pixels.
        round: Number of the round, from 0.
        runs_ms: Latencies of the timed runs in ms.
        preprocessing_ms: Times of the preparation before each, in ms.
    """

    resolution: int
    round: int
    runs_ms: tuple[float, ...]
    preprocessing_ms: tuple[float, ...]


TimedRun = Callable[[int], tuple[float, float]]
"""Runs one size once: resolution in pixels to (preprocessing, inference) in ms."""


def warm_up(timed_run: TimedRun, resolution: int) -> int:
    """Runs one size until the medians of two windows of three runs agree within 10 %, or 20 times.

    Returns:
        The number of runs.
    """
    window = _WARM_UP_WINDOW
    times: list[float] = []
    while len(times) < _WARM_UP_MOST:
        times.append(timed_run(resolution)[1])
        if len(times) >= 2 * window:
            before, now = np.median(times[-2 * window : -window]), np.median(times[-window:])
            if abs(now / before - 1) <= _WARM_UP_CHANGE:
                break
    return len(times)


def visit_all(timed_run: TimedRun, resolutions: Sequence[int], chosen: Protocol, seed: int = 0) -> Iterator[Visit]:
    """Measures sizes by a protocol, visit by visit.

    Args:
        timed_run: Runs one size once.
        resolutions: Sides in pixels.
        chosen: The protocol.
        seed: Seed of the shuffled orders.

    Yields:
        Every visit as it ends.
    """
    generator = np.random.default_rng(seed)
    started = time.perf_counter()
    for number in range(chosen.rounds):
        if number >= chosen.least_rounds and time.perf_counter() - started > chosen.budget_s:
            return
        order = generator.permutation(len(resolutions)) if chosen.shuffled else range(len(resolutions))
        for index in order:
            resolution = resolutions[index]
            for _ in range(chosen.untimed_runs):
                timed_run(resolution)
            runs = [timed_run(resolution) for _ in range(chosen.timed_runs)]
            preparing, running = zip(*runs, strict=True)
            yield Visit(resolution, number, running, preparing)
