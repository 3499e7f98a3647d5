"""The inverse of a curve: no crossing is missed, and the answer says how far to trust it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_core.interpolation import CURVES, build_curve
from fer_core.solving import find_crossings, resample_normal, resample_runs, solve

from .test_interpolation import PAPER_SIZES, points

WILD = [10.0, 12.0, 11.0, 13.0, 12.0, 14.0, 13.0, 15.0, 14.0, 16.0]


@pytest.mark.parametrize("name", CURVES)
@given(given_points=points(smallest=3), share=st.floats(0.05, 0.95))
@settings(deadline=None, max_examples=60)
def test_no_crossing_is_missed_on_a_dense_grid(name, given_points, share):
    curve = build_curve(name, *given_points)
    grid = np.linspace(curve.resolutions[0], curve.resolutions[-1], 5003)
    values = curve(grid)
    target = values.min() + share * np.ptp(values)
    if target <= 0 or np.ptp(values) < 1e-6:
        return
    found = np.array([crossing.resolution for crossing in solve(curve, target).crossings])
    np.testing.assert_allclose(curve(found), target, rtol=1e-6, atol=1e-8 * np.abs(values).max())
    above = values > target
    for step in np.flatnonzero(above[:-1] != above[1:]):
        assert np.any((found >= grid[step] - 1e-6) & (found <= grid[step + 1] + 1e-6))


@pytest.mark.parametrize("name", ["lagrange", "newton"])
@pytest.mark.parametrize("touching", [60.5, 120.25, 200.0])
def test_a_curve_that_only_touches_the_target_is_found(name, touching):
    nodes = np.array([20.0, 90.0, 150.0, 260.0])
    curve = build_curve(name, nodes, 10 + 0.001 * (nodes - touching) ** 2)
    crossings = solve(curve, 10.0).crossings
    assert [crossing.resolution for crossing in crossings] == pytest.approx([touching], abs=1e-3)
    assert not crossings[0].rising


@pytest.mark.parametrize("name", CURVES)
@given(a=st.floats(0.5, 20), b=st.floats(1e-5, 1e-3), resolution=st.floats(16, 295))
@settings(deadline=None, max_examples=50)
def test_inverts_a_rising_curve(name, a, b, resolution):
    curve = build_curve(name, PAPER_SIZES, a + b * np.square(PAPER_SIZES))
    solution = solve(curve, float(curve(resolution)))
    assert solution.resolution == pytest.approx(resolution, rel=1e-6)
    assert not solution.extrapolated
    assert solution.monotone


@given(given_points=points(), share=st.floats(0.01, 0.99))
@settings(deadline=None)
def test_inverts_the_monotone_curve_of_any_points(given_points, share):
    resolutions, latencies = given_points
    curve = build_curve("monotone", resolutions, np.sort(latencies) + np.arange(len(latencies)))
    target = float(curve(curve.resolutions[0] + share * np.ptp(curve.resolutions)))
    assert curve(solve(curve, target).resolution) == pytest.approx(target, rel=1e-9)


def test_the_end_of_a_flat_stretch_is_the_answer():
    curve = build_curve("monotone", [50, 100, 150, 200], [2, 5, 5, 9])
    solution = solve(curve, 5.0)
    assert [crossing.resolution for crossing in solution.crossings] == [100, 150]
    assert solution.resolution == 150


@pytest.mark.parametrize("name", CURVES)
def test_a_target_on_the_last_point_lies_inside(name):
    latencies = 3 + 1e-4 * np.square(PAPER_SIZES)
    solution = solve(build_curve(name, PAPER_SIZES, latencies), float(latencies[-1]))
    assert solution.resolution == pytest.approx(299)


def test_the_chosen_crossing_is_the_largest_rising_one_inside():
    curve = build_curve("lagrange", PAPER_SIZES, WILD)
    solution = solve(curve, 12.5)
    rising_inside = [c.resolution for c in solution.crossings if c.rising and c.measured]
    assert len(rising_inside) > 1
    assert solution.resolution == max(rising_inside)
    assert not solution.monotone
    assert any("a machine meets it at one" in warning for warning in solution.warnings)


def test_the_paper_answer_is_an_extrapolation():
    latencies = 10 + 3e-4 * np.square(PAPER_SIZES)
    solution = solve(build_curve("lagrange", PAPER_SIZES, latencies), 10 + 3e-4 * 302**2)
    assert solution.resolution == pytest.approx(302, rel=1e-6)
    assert solution.extrapolated
    assert any("302 px is an extrapolation: only 12 to 299 px were measured" in text for text in solution.warnings)


@pytest.mark.parametrize(
    ("resolution", "gain"),
    [
        pytest.param(94, 0.82, id="where-the-paper-found-its-small-model"),
        pytest.param(210, 81.0, id="between-the-last-sizes"),
        pytest.param(280, 2720, id="near-the-end"),
        pytest.param(302, 1361, id="beyond-the-end"),
    ],
)
def test_diagnostics_of_the_paper_ladder(resolution, gain):
    curve = build_curve("lagrange", PAPER_SIZES, 10 + 3e-4 * np.square(PAPER_SIZES))
    solution = solve(curve, 10 + 3e-4 * resolution**2)
    assert solution.noise_gain == pytest.approx(gain, rel=0.01)
    assert solution.lebesgue_constant == pytest.approx(6202, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "target", "text"),
    [
        pytest.param("quadratic", 1.0, "the fixed cost alone breaks the target", id="below-the-floor"),
        pytest.param("monotone", 1e4, "larger sizes have to be measured", id="above-the-measured-range"),
    ],
)
def test_no_answer_says_why(name, target, text):
    solution = solve(build_curve(name, PAPER_SIZES, 3 + 1e-4 * np.square(PAPER_SIZES)), target)
    assert solution.resolution is None
    assert any(text in warning for warning in solution.warnings)


@pytest.mark.parametrize("name", CURVES)
def test_a_flat_machine_has_no_answer(name):
    solution = solve(build_curve(name, PAPER_SIZES, np.full(10, 8.0)), 40.0)
    assert solution.resolution is None


def test_crossings_beyond_the_measured_range_are_marked():
    crossings = find_crossings(build_curve("quadratic", [48, 96, 128], [2, 5, 8]), 40.0, (1, 640))
    assert [crossing.measured for crossing in crossings] == [False]


@pytest.mark.parametrize("name", ["polynomial-regression", "monotone", "quadratic"])
def test_the_interval_holds_the_answer_and_shrinks_with_the_noise(name):
    latencies = 3 + 1e-3 * np.square(PAPER_SIZES)
    curve = build_curve(name, PAPER_SIZES, latencies)
    target = float(curve(90.0))
    widths = []
    for noise in (0.02, 0.002):
        low, high = solve(curve, target, resample_normal(latencies, noise * latencies)).interval
        assert low < 90 < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_the_interval_of_the_paper_polynomial_shows_its_swings():
    latencies = 3 + 1e-3 * np.square(PAPER_SIZES)
    resampled = resample_normal(latencies, 0.01 * latencies)
    widths = {}
    for name in ("lagrange", "quadratic"):
        curve = build_curve(name, PAPER_SIZES, latencies)
        low, high = solve(curve, float(curve(260.0)), resampled).interval
        widths[name] = high - low
    assert widths["lagrange"] > 10 * widths["quadratic"]


def test_the_interval_reaches_zero_where_the_target_may_be_out_of_reach():
    latencies = 9.9 + 1e-6 * np.square(PAPER_SIZES)
    solution = solve(
        build_curve("quadratic", PAPER_SIZES, latencies), 9.91, resample_normal(latencies, 0.05 * latencies)
    )
    assert solution.interval == (0.0, None)
    assert any("no size may reach the target" in warning for warning in solution.warnings)


def test_resampled_medians_are_those_of_the_runs():
    visits = [[[1.0, 1.0], [1.0, 1.0]], [[2.0, 3.0], [4.0, 5.0]]]
    medians = resample_runs(visits, draws=100)
    assert medians.shape == (100, 2)
    assert np.all(medians[:, 0] == 1)
    assert medians[:, 1].min() >= 2
    assert medians[:, 1].max() <= 5
    assert len(np.unique(medians[:, 1])) > 1


@pytest.mark.parametrize("target", [0, -1, float("nan"), "forty"])
def test_unusable_target_is_refused(target):
    with pytest.raises(ValueError, match="target_ms must be"):
        solve(build_curve("quadratic", [48, 96], [2, 5]), target)
