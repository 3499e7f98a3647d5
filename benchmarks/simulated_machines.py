"""How close each curve comes to the truth on simulated machines, where the truth is known.

Usage: ``python -m benchmarks.simulated_machines [--draws 100] [--seed 0] [--json]``

Every draw is a machine of its own, measured at the paper's ten sizes with eight visits of five runs, as the app does.
Half of the variance of a median is noise of single runs, half is shared by the runs of a visit. Truths are spread
evenly over the logarithm of 64 to 302 px.

* smooth: latency = a + b r^2, a at most half the target.
* other powers: a + b r^p, p of 1.6 to 2.4, which the quadratic curve does not fit.
* high floor: a + b r^2, a of 50 to 95 % of the target; counted is whether the bootstrap interval covers the truth.
* staircase: a + sum over k = 1..5 of c_k ceil(r / 2^k)^2, a at most half the target; the truth is the largest size
  that fits. Counted is a true latency of at most 1.05 times the target at an answer at most 32 px below the truth.

The rows "answer" and "closed loop" are what the app gives: the quadratic checked by the monotone curve, before and
after its answer was measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fer_core.closed_loop import ClosedLoop, fitted_points, latency_curve, trusted_curve
from fer_core.interpolation import CURVES
from fer_core.ladders import LARGEST_RESOLUTION, PAPER_LADDER, STAIR, extension
from fer_core.latency import ROLES, Point, point_of
from fer_core.solving import resample_runs, solve

TARGET_MS = 40.0
SMALLEST_SIDE = 12
TRUTHS = (64.0, 302.0)
VISITS, RUNS = 8, 5
# Variance of the median of 40 normal values over the variance of their mean.
MEDIAN_FACTOR = np.pi / 2
ANSWER, LOOP = "answer", "closed loop"

Latency = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Machine:
    """A machine with a known answer: side in pixels to latency in ms, and the side at the target."""

    latency: Latency
    truth: float


def power_machine(generator: np.random.Generator, floors: tuple[float, float], powers: tuple[float, float]) -> Machine:
    """a + b r^p with a between two shares of the target."""
    truth = float(np.exp(generator.uniform(*np.log(TRUTHS))))
    floor = TARGET_MS * generator.uniform(*floors)
    power = generator.uniform(*powers)
    return Machine(lambda r: floor + (TARGET_MS - floor) * (np.asarray(r, float) / truth) ** power, truth)


def staircase_machine(generator: np.random.Generator) -> Machine:
    """a + sum over k of c_k ceil(r / 2^k)^2, scaled so that the target lies on one stair."""
    size = int(np.exp(generator.uniform(*np.log(TRUTHS))))
    floor_share = generator.uniform(0, 0.5)
    steps = 2.0 ** np.arange(1, 6)
    shares = generator.dirichlet(np.full(5, 0.5))

    def work(r: np.ndarray) -> np.ndarray:
        return np.square(np.ceil(np.asarray(r, float)[..., np.newaxis] / steps) * steps) @ shares

    sizes = np.arange(1, LARGEST_RESOLUTION + 1)
    levels = work(sizes)
    here = levels[size - 1]
    above = levels[levels > here].min()
    at_target = here + generator.uniform(0, 1) * (above - here)
    scale = TARGET_MS * (1 - floor_share) / at_target
    return Machine(lambda r: TARGET_MS * floor_share + scale * work(r), float(sizes[levels <= at_target].max()))


def measure(machine: Machine, size: int, noise: float, generator: np.random.Generator, role: str = ROLES[0]) -> Point:
    """Measures a size so that the standard deviation of its median is a share ``noise`` of the latency."""
    shared = noise * np.sqrt(VISITS / 2 / MEDIAN_FACTOR)
    single = noise * np.sqrt(VISITS * RUNS / 2 / MEDIAN_FACTOR)
    errors = shared * generator.normal(size=(VISITS, 1)) + single * generator.normal(size=(VISITS, RUNS))
    runs = float(machine.latency(np.array(size))) * np.exp(errors)
    return point_of(size, runs, role=role)


def measure_ladder(machine: Machine, noise: float, generator: np.random.Generator) -> list[Point]:
    """The paper's ten sizes, and those by which the ladder grows until it brackets the target."""
    points = [measure(machine, size, noise, generator) for size in PAPER_LADDER]
    while (size := extension(points, TARGET_MS, SMALLEST_SIDE)) is not None:
        points.append(measure(machine, size, noise, generator, "growth"))
    return points


def close_loop(machine: Machine, points: list[Point], noise: float, generator: np.random.Generator) -> int | None:
    """Verifies the answer as the app does and returns it, in pixels."""
    loop = ClosedLoop(points, TARGET_MS)
    while sizes := loop.next_sizes():
        loop.add([measure(machine, size, noise, generator, "verification") for size in sizes])
    answer = loop.answer()
    return None if answer is None else answer.resolution


def answers(machine: Machine, noise: float, generator: np.random.Generator) -> dict[str, float | None]:
    """The answer of every method, in pixels, rounded down as the app does."""
    points = measure_ladder(machine, noise, generator)
    curves = {name: latency_curve(points, name) for name in CURVES} | {ANSWER: trusted_curve(points, TARGET_MS)}
    found = {name: solve(curve, TARGET_MS).resolution for name, curve in curves.items()}
    return {name: None if size is None else np.floor(size) for name, size in found.items()} | {
        LOOP: close_loop(machine, points, noise, generator)
    }


def near(machine: Machine, size: float | None, share: float) -> bool:
    """Whether an answer lies within a share of the truth."""
    return size is not None and abs(size / machine.truth - 1) <= share


def fits_stair(machine: Machine, size: float | None) -> bool:
    """Whether an answer keeps the target to 5 % and lies at most one step below the largest size that fits."""
    if size is None:
        return False
    return machine.latency(np.array(size)) <= 1.05 * TARGET_MS and size >= machine.truth - STAIR  # type: ignore[return-value]


def covered(machine: Machine, noise: float, generator: np.random.Generator) -> dict[str, bool]:
    """Whether the bootstrap interval of every curve covers the truth."""
    points = measure_ladder(machine, noise, generator)
    curves = {name: latency_curve(points, name) for name in CURVES} | {ANSWER: trusted_curve(points, TARGET_MS)}
    intervals = {}
    for name, curve in curves.items():
        resampled = resample_runs([point.visits for point in fitted_points(points, curve.name)])
        interval = solve(curve, TARGET_MS, resampled).interval
        assert interval is not None, "there were draws"
        intervals[name] = interval
    return {
        name: low <= machine.truth and (high is None or machine.truth <= high)
        for name, (low, high) in intervals.items()
    }


def experiments() -> dict[str, Callable[[np.random.Generator], dict[str, bool]]]:
    """One draw of every experiment: method to success."""

    def smooth(noise: float, share: float, powers: tuple[float, float]) -> Callable:
        def draw(generator: np.random.Generator) -> dict[str, bool]:
            machine = power_machine(generator, (0.02, 0.5), powers)
            return {name: near(machine, size, share) for name, size in answers(machine, noise, generator).items()}

        return draw

    def high_floor(noise: float) -> Callable:
        return lambda generator: covered(power_machine(generator, (0.5, 0.95), (2, 2)), noise, generator)

    def staircase(noise: float) -> Callable:
        def draw(generator: np.random.Generator) -> dict[str, bool]:
            machine = staircase_machine(generator)
            return {name: fits_stair(machine, size) for name, size in answers(machine, noise, generator).items()}

        return draw

    return {
        "smooth, 1 % noise, within 5 %": smooth(0.01, 0.05, (2, 2)),
        "smooth, 5 % noise, within 12 %": smooth(0.05, 0.12, (2, 2)),
        "other powers, 1 % noise, within 5 %": smooth(0.01, 0.05, (1.6, 2.4)),
        "other powers, 5 % noise, within 12 %": smooth(0.05, 0.12, (1.6, 2.4)),
        "high floor, 1 % noise, interval covers": high_floor(0.01),
        "high floor, 5 % noise, interval covers": high_floor(0.05),
        "staircase, 1 % noise, fits": staircase(0.01),
        "staircase, 2 % noise, fits": staircase(0.02),
    }


def run(draws: int, seed: int) -> dict[str, dict[str, float]]:
    """Returns successes in 100 draws, by experiment and method."""
    table = {}
    for number, (name, draw) in enumerate(experiments().items()):
        generator = np.random.default_rng([seed, number])
        outcomes = [draw(generator) for _ in range(draws)]
        table[name] = {key: 100 * sum(outcome[key] for outcome in outcomes) / draws for key in outcomes[0]}
        print(f"{name}: done", file=sys.stderr)
    return table


def print_table(table: dict[str, dict[str, float]]) -> None:
    """Prints the table in Markdown: successes in 100 draws."""
    methods = (*CURVES, ANSWER, LOOP)
    print(f"| successes in 100 draws | {' | '.join(methods)} |")
    print("|---|" + "---|" * len(methods))
    for name, row in table.items():
        print(f"| {name} | {' | '.join(f'{row[m]:.0f}' if m in row else '' for m in methods)} |")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="How close each curve comes on machines with a known answer.")
    parser.add_argument("--draws", type=int, default=100, help="machines for every experiment")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args()
    table = run(options.draws, options.seed)
    if options.json:
        settings = {"draws": options.draws, "seed": options.seed, "target_ms": TARGET_MS, "ladder": PAPER_LADDER}
        print(json.dumps({"schema_version": 1, **settings, "successes_per_100": table}, indent=2))
    else:
        print_table(table)


if __name__ == "__main__":
    main()
