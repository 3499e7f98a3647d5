"""Curves through latency points: they pass where they should and refuse what is no point."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_core.interpolation import CURVES, Quadratic, build_curve
from fer_core.points import check_points, check_target

PAPER_SIZES = [12, 48, 66, 84, 100, 128, 143, 162, 224, 299]


@st.composite
def points(draw, smallest: int = 2, largest: int = 10):
    """Resolutions at least 8 px apart, and latencies of 1 to 100 ms in no order."""
    slots = draw(st.lists(st.integers(2, 80), min_size=smallest, max_size=largest, unique=True))
    latencies = draw(st.lists(st.floats(1, 100), min_size=len(slots), max_size=len(slots)))
    return np.array(slots) * 8.0, np.array(latencies)


def chebyshev_nodes(count: int, low: float = 12, high: float = 299) -> np.ndarray:
    return (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(count) + 0.5) / count)


@pytest.mark.parametrize("name", ["lagrange", "newton"])
@given(given_points=points())
@settings(deadline=None)
def test_passes_through_every_point(name, given_points):
    resolutions, latencies = given_points
    curve = build_curve(name, resolutions, latencies)
    np.testing.assert_allclose(curve(resolutions), latencies, rtol=1e-9)


@given(given_points=points())
@settings(deadline=None)
def test_lagrange_and_newton_are_one_polynomial(given_points):
    resolutions, latencies = given_points
    lagrange = build_curve("lagrange", resolutions, latencies)
    newton = build_curve("newton", resolutions, latencies)
    at = np.linspace(resolutions.min(), resolutions.max(), 200)
    # Errors of rounding grow with the terms that cancel.
    scale = np.abs(lagrange.weights(at)) @ lagrange.latencies
    assert np.all(np.abs(lagrange(at) - newton(at)) <= 1e-11 * scale)


@pytest.mark.parametrize("name", ["lagrange", "newton", "polynomial-regression"])
@given(coefficients=st.lists(st.floats(-1, 1), min_size=10, max_size=10))
@settings(deadline=None)
def test_reproduces_a_polynomial_on_chebyshev_nodes(name, coefficients):
    polynomial = np.polynomial.Chebyshev(coefficients, domain=(12, 299))

    def latency(resolution):
        return polynomial(resolution) + 20  # above zero: ten coefficients add up to ten at most

    nodes = chebyshev_nodes(10)
    curve = build_curve(name, nodes, latency(nodes), degree=9)
    at = np.linspace(12, 299, 500)
    np.testing.assert_allclose(curve(at), latency(at), rtol=1e-9)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_regression_reproduces_its_own_degree(degree):
    latencies = 2 + 0.001 * np.array(PAPER_SIZES, float) ** degree
    curve = build_curve("polynomial-regression", PAPER_SIZES, latencies, degree=degree)
    np.testing.assert_allclose(curve(PAPER_SIZES), latencies, rtol=1e-9)


def test_regression_has_no_more_unknowns_than_points():
    assert build_curve("polynomial-regression", [48, 96], [2, 5], degree=7).degree == 1


@given(given_points=points())
@settings(deadline=None)
def test_monotone_never_falls_and_stays_between_its_points(given_points):
    resolutions, latencies = given_points
    curve = build_curve("monotone", resolutions, latencies)
    predicted = curve(np.linspace(resolutions.min(), resolutions.max(), 500))
    assert np.all(np.diff(predicted) >= -1e-9)
    assert predicted.min() >= latencies.min() - 1e-9
    assert predicted.max() <= latencies.max() + 1e-9


def test_monotone_passes_through_rising_points_and_ends_with_them():
    latencies = np.arange(1.0, 11.0)
    curve = build_curve("monotone", PAPER_SIZES, latencies)
    np.testing.assert_allclose(curve(PAPER_SIZES), latencies)
    assert np.isnan(curve([11, 300])).all()


@given(a=st.floats(0.1, 50), b=st.floats(1e-6, 1e-2))
@settings(deadline=None)
def test_quadratic_recovers_its_coefficients(a, b):
    curve = build_curve("quadratic", PAPER_SIZES, a + b * np.square(PAPER_SIZES))
    assert curve.coefficients == pytest.approx((a, b), rel=1e-6)


@pytest.mark.parametrize(
    ("latencies", "expected"),
    [
        pytest.param([1.0, 9.0, 25.0], (0.0, None), id="negative-fixed-cost-becomes-zero"),
        pytest.param([9.0, 6.0, 3.0], (None, 0.0), id="falling-points-become-flat"),
    ],
)
def test_quadratic_has_no_negative_coefficient(latencies, expected):
    coefficients = build_curve("quadratic", [100, 200, 300], latencies).coefficients
    for value, bound in zip(coefficients, expected, strict=True):
        assert value == bound if bound is not None else value > 0


def test_quadratic_trusts_points_by_their_spread():
    latencies = 2 + 1e-4 * np.square(PAPER_SIZES)
    latencies[-1] *= 2
    spread = np.full(10, 0.01)
    spread[-1] = 100.0
    curve = build_curve("quadratic", PAPER_SIZES, latencies, spread)
    assert curve.coefficients == pytest.approx((2, 1e-4), rel=1e-3)


@given(given_points=points(smallest=3))
@settings(deadline=None)
def test_closed_form_of_the_quadratic_agrees_with_the_solver(given_points):
    resolutions, latencies = given_points
    curve = build_curve("quadratic", resolutions, latencies)
    assert isinstance(curve, Quadratic)
    at = np.array([12.0, 128.0, 640.0])
    np.testing.assert_allclose(curve.refit(curve.latencies[np.newaxis], at)[0], curve(at), rtol=1e-5)


@pytest.mark.parametrize("name", ["lagrange", "newton", "polynomial-regression", "quadratic"])
def test_weights_sum_to_the_prediction(name):
    curve = build_curve(name, PAPER_SIZES, 3 + 1e-4 * np.square(PAPER_SIZES))
    at = np.array([64.0, 210.0, 280.0])
    np.testing.assert_allclose(curve.weights(at) @ curve.latencies, curve(at), rtol=1e-9)


@pytest.mark.parametrize("name", CURVES)
def test_order_of_the_points_does_not_matter(name):
    latencies = 3 + 1e-4 * np.square(PAPER_SIZES)
    shuffled = np.random.default_rng(0).permutation(10)
    sorted_curve = build_curve(name, PAPER_SIZES, latencies)
    shuffled_curve = build_curve(name, np.array(PAPER_SIZES)[shuffled], latencies[shuffled])
    np.testing.assert_array_equal(shuffled_curve.resolutions, PAPER_SIZES)
    np.testing.assert_allclose(shuffled_curve(200.0), sorted_curve(200.0))


@pytest.mark.parametrize(
    ("resolutions", "latencies", "message"),
    [
        pytest.param([48, 96], [1, math.nan], "latencies must be finite .* got nan", id="nan-latency"),
        pytest.param([48, math.nan], [1, 2], "resolutions must be finite .* got nan", id="nan-resolution"),
        pytest.param([48, math.inf], [1, 2], "resolutions must be finite .* got inf", id="infinite"),
        pytest.param([48, 96], [1, -2], "greater than zero, but got -2", id="negative-latency"),
        pytest.param([-48, 96], [1, 2], "greater than zero, but got -48", id="negative-resolution"),
        pytest.param([48, 96], [0, 2], "greater than zero, but got 0", id="zero-latency"),
        pytest.param([0, 96], [1, 2], "greater than zero, but got 0", id="zero-resolution"),
        pytest.param([48, 96, 48], [1, 2, 3], "48 px more than once", id="duplicate"),
        pytest.param([48], [1], "at least 2 points, but got 1", id="one-point"),
        pytest.param([], [], "at least 2 points, but got 0", id="no-point"),
        pytest.param([48, 96], [1, 2, 3], "2 resolutions, 3 latencies", id="lengths-differ"),
        pytest.param([48, 1e6], [1, 2], "at most 4096 px, but got 1e\\+06", id="huge"),
        pytest.param(["a", "b"], [1, 2], "resolutions must be numbers", id="text"),
        pytest.param([[48, 96]], [[1, 2]], "shape \\(n,\\), but got shape \\(1, 2\\)", id="two-dimensional"),
    ],
)
@pytest.mark.parametrize("name", CURVES)
def test_unusable_points_are_refused(name, resolutions, latencies, message):
    with pytest.raises(ValueError, match=message):
        build_curve(name, resolutions, latencies)


def test_negative_spread_is_refused():
    with pytest.raises(ValueError, match="spread must be finite and zero or more, but got -1"):
        check_points([48, 96], [1, 2], [0, -1])


def test_unknown_curve_is_refused():
    with pytest.raises(ValueError, match=r"one of lagrange, newton, .* but got 'spline'"):
        build_curve("spline", [48, 96], [1, 2])


@pytest.mark.parametrize("degree", [0, -1, 1.5, True, "two"])
def test_unusable_degree_is_refused(degree):
    with pytest.raises(ValueError, match="degree must be a whole number"):
        build_curve("polynomial-regression", [48, 96, 128], [1, 2, 3], degree=degree)


@pytest.mark.parametrize("target", [0, -40, math.nan, math.inf, "40", None, True, [40]])
def test_unusable_target_is_refused(target):
    with pytest.raises(ValueError, match="target_ms must be a number greater than zero, but got"):
        check_target(target)
