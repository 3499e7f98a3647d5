"""How one latency is measured: order of the visits, statistics, warnings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_core.latency import PROTOCOLS, Point, Reference, merge_points, point_of, protocol, visit_all, warm_up


class Machine:
    """Counts runs; the latency of a size is its side in ms, slower by ``start_up`` in the first runs of a size."""

    def __init__(self, start_up: tuple[float, ...] = ()) -> None:
        self.start_up = start_up
        self.ran: list[int] = []

    def __call__(self, resolution: int) -> tuple[float, float]:
        done = self.ran.count(resolution)
        self.ran.append(resolution)
        return 0.5, resolution * (self.start_up[done] if done < len(self.start_up) else 1.0)


def test_every_round_visits_every_size_in_an_order_of_its_own():
    machine = Machine()
    sizes = [32, 64, 96, 128, 160]
    visits = list(visit_all(machine, sizes, protocol("robust", 40), seed=1))
    rounds = [[visit.resolution for visit in visits if visit.round == number] for number in range(8)]
    assert all(sorted(order) == sizes for order in rounds)
    assert len({tuple(order) for order in rounds}) > 1
    assert machine.ran[:6] == [visits[0].resolution] * 6  # one untimed and five timed runs
    assert visits[0].runs_ms == (visits[0].resolution,) * 5
    assert visits[0].preprocessing_ms == (0.5,) * 5


def test_the_paper_protocol_is_one_pass_of_ten():
    machine = Machine()
    visits = list(visit_all(machine, [96, 32, 64], protocol("paper")))
    assert [visit.resolution for visit in visits] == [96, 32, 64]
    assert [len(visit.runs_ms) for visit in visits] == [10, 10, 10]


@pytest.mark.parametrize(("name", "runs", "expected"), [("robust", 12, 15), ("robust", 1, 5), ("paper", 3, 3)])
def test_the_number_of_runs_can_be_chosen(name, runs, expected):
    visits = list(visit_all(Machine(), [32, 64], protocol(name, runs)))
    assert sum(len(visit.runs_ms) for visit in visits if visit.resolution == 32) == expected


@pytest.mark.parametrize(
    ("name", "runs", "message"),
    [
        pytest.param("quick", None, "one of robust, paper, but got 'quick'", id="unknown"),
        pytest.param("robust", 0, "1 to 1000, but got 0", id="no-runs"),
        pytest.param("paper", 2.5, "1 to 1000, but got 2.5", id="fraction"),
        pytest.param("robust", True, "1 to 1000, but got True", id="truth-value"),
    ],
)
def test_unusable_protocols_are_refused(name, runs, message):
    with pytest.raises(ValueError, match=message):
        protocol(name, runs)


@pytest.mark.parametrize(
    ("start_up", "runs"),
    [
        pytest.param((), 6, id="stable-at-once"),
        pytest.param((30, 1), 6, id="one-slow-run"),
        pytest.param((9, 8, 7, 6, 5, 4, 3, 2), 13, id="slow-start-that-lasts"),
        pytest.param(tuple(2.0**k for k in range(30)), 20, id="never-stable"),
    ],
)
def test_warm_up_ends_when_two_windows_agree(start_up, runs):
    assert warm_up(Machine(start_up), 64) == runs


def test_a_point_summarizes_its_runs():
    point = point_of(64, [[1, 2, 3], [4, 5, 6]], 0.2)
    assert point.runs == 6
    assert point.median_ms == 3.5
    assert point.mean_ms == 3.5
    assert (point.p10_ms, point.p90_ms) == (1.5, 5.5)
    assert point.latency_ms == point.median_ms


def test_the_paper_protocol_takes_the_mean():
    point = point_of(64, [[1, 1, 1, 9]], protocol_name="paper")
    assert point.latency_ms == point.mean_ms == 3


@given(st.lists(st.floats(1, 1e3), min_size=5, max_size=60))
def test_a_point_orders_its_percentiles(runs):
    point = point_of(64, [runs])
    assert point.p10_ms <= point.median_ms <= point.p90_ms
    assert point.standard_error_ms >= 0


def test_one_slow_run_does_not_move_the_point():
    quiet = point_of(64, [[2.0] * 5] * 8)
    disturbed = point_of(64, [[2.0] * 5] * 7 + [[2.0] * 4 + [500.0]])
    assert disturbed.latency_ms == quiet.latency_ms


def test_visits_that_differ_raise_the_standard_error():
    alike = point_of(64, [[1.0, 2.0, 3.0]] * 6)
    drifting = point_of(64, [[1.0 + k, 1.1 + k, 1.2 + k] for k in range(6)])
    medians = [1.1 + k for k in range(6)]
    assert drifting.standard_error_ms == pytest.approx(np.std(medians, ddof=1) / np.sqrt(6))
    assert drifting.standard_error_ms > alike.standard_error_ms


def test_the_standard_error_is_that_of_a_median():
    generator = np.random.default_rng(0)
    medians = [np.median(generator.normal(100, 5, 40)) for _ in range(2000)]
    errors = [point_of(64, generator.normal(100, 5, (8, 5))).standard_error_ms for _ in range(200)]
    assert np.median(errors) == pytest.approx(np.std(medians), rel=0.2)


def test_a_summary_without_runs_has_a_spread_as_well():
    generator = np.random.default_rng(0)
    known = point_of(64, generator.normal(100, 5, (1, 1000)))
    summary = Point(64, known.median_ms, known.p10_ms, known.p90_ms, known.runs)
    assert summary.relative_spread == pytest.approx(known.relative_spread, rel=0.1)
    assert summary.standard_error_ms == pytest.approx(known.standard_error_ms, rel=0.1)


@pytest.mark.parametrize(
    ("spread", "expected"),
    [
        pytest.param(0.05, None, id="quiet"),
        pytest.param(0.15, "64 px is noisy", id="noisy"),
        pytest.param(0.40, "64 px is very noisy", id="very-noisy"),
    ],
)
def test_noise_is_reported_in_two_levels(spread, expected):
    warning = point_of(64, [np.linspace(100 * (1 - spread), 100 * (1 + spread), 101)]).warning
    assert warning is None if expected is None else warning.startswith(expected)


def test_points_of_one_size_are_joined():
    joined = merge_points(point_of(64, [[1.0]], role="ladder"), point_of(64, [[3.0]], role="verification"))
    assert (joined.runs, joined.median_ms, joined.role) == (2, 2.0, "ladder")


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(5.2, None, id="within-5-percent"),
        pytest.param(5.5, "this machine became 10% slower", id="slower"),
        pytest.param(4.5, "this machine became 10% faster", id="faster"),
    ],
)
def test_drift_is_reported(after, expected):
    warning = Reference(5.0, after).warning
    assert warning is None if expected is None else warning.startswith(expected)


def test_protocols_are_named():
    assert [protocol(name).name for name in PROTOCOLS] == ["robust", "paper"]
