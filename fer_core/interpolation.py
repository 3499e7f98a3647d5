"""Curves through measured (resolution, latency) points.

The paper puts a Lagrange polynomial through its points and names Newton's divided differences and polynomial
regression as alternatives (Section "Resolution tuning", Eq. 1 and 2). All three are here as published, beside two
curves that cannot swing between the points: a monotone one, and the quadratic that answers are taken from.
"""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.polynomial import Chebyshev, chebyshev
from scipy.interpolate import KroghInterpolator, PchipInterpolator
from scipy.optimize import isotonic_regression, lsq_linear

from .points import check_points

DEFAULT_DEGREE = 2
"""Degree of the polynomial regression where none is chosen: the work of a convolution grows with the area."""

# A timing is never better than this share of itself, however alike its runs were: the speed of the machine
# drifts between two sizes, and no machine follows a smooth curve exactly.
_LEAST_RELATIVE_ERROR = 0.02


@dataclass(frozen=True, eq=False)
class Curve(ABC):
    """A latency curve through, or near, n measured points.

    Attributes:
        resolutions: Sides in pixels, float64 ``(n,)``, rising.
        latencies: Measured latencies in ms, float64 ``(n,)``.
        name: One of ``CURVES``.
        interpolates: Whether the curve passes through every point.
    """

    resolutions: np.ndarray
    latencies: np.ndarray
    name: ClassVar[str]
    interpolates: ClassVar[bool] = False

    def __call__(self, resolution: np.ndarray | float) -> np.ndarray:
        """Returns the predicted latency in ms at resolutions in pixels, in their shape; NaN where undefined."""
        at = np.asarray(resolution, np.float64)
        return self.refit(self.latencies[np.newaxis], at.ravel())[0].reshape(at.shape)

    @abstractmethod
    def refit(self, latencies: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Fits the same kind of curve to other latencies of the same resolutions and evaluates it.

        Args:
            latencies: Latencies in ms, ``(draws, n)``.
            at: Resolutions in pixels, ``(m,)``.

        Returns:
            Predicted latencies in ms, ``(draws, m)``.
        """

    def weights(self, at: np.ndarray) -> np.ndarray | None:
        """Returns ``(m, n)`` weights by which a prediction sums the latencies, or None if it is no such sum."""
        return None

    def turning_points(self, low: float, high: float) -> np.ndarray:
        """Returns the resolutions from low to high, in pixels, where the curve may turn between two points."""
        return np.empty(0)


@dataclass(frozen=True, eq=False)
class _Polynomial(Curve):
    """What the polynomial curves share: they are linear in the latencies, and turn where the derivative is zero."""

    @property
    def degree(self) -> int:
        """Highest power of the resolution."""
        return len(self.resolutions) - 1

    @abstractmethod
    def weights(self, at: np.ndarray) -> np.ndarray:
        """See ``Curve.weights``; a polynomial is always such a sum."""

    def refit(self, latencies: np.ndarray, at: np.ndarray) -> np.ndarray:
        return latencies @ self.weights(at).T

    def turning_points(self, low: float, high: float) -> np.ndarray:
        if self.degree < 2 or high <= low:
            return np.empty(0)
        center, half = (low + high) / 2, (high - low) / 2
        # In the Chebyshev basis of this interval the roots are well conditioned; as powers of pixels they are not.
        coefficients: np.ndarray = chebyshev.chebinterpolate(lambda x: self(center + half * x), self.degree)
        coefficients = chebyshev.chebtrim(chebyshev.chebder(coefficients), np.abs(coefficients).max() * 1e-15)
        roots = chebyshev.chebroots(coefficients)
        # Rounding splits a double root into a complex pair close to the axis.
        real = roots.real[np.abs(roots.imag) < 1e-3]
        return center + half * real[np.abs(real) < 1]


@dataclass(frozen=True, eq=False)
class Lagrange(_Polynomial):
    """The paper's polynomial of degree n - 1: P(x) = sum of y_i l_i(x) (Eq. 1, 2)."""

    name = "lagrange"
    interpolates = True

    def weights(self, at: np.ndarray) -> np.ndarray:
        """Returns the basis polynomials l_i, Eq. 2, at resolutions ``(m,)`` in pixels: ``(m, n)``."""
        nodes = self.resolutions
        basis = np.ones((len(at), len(nodes)))
        for i, node in enumerate(nodes):
            others = np.delete(nodes, i)
            # Ratio by ratio: the products of the differences alone would leave the range of a float.
            basis[:, i] = np.prod((at[:, np.newaxis] - others) / (node - others), axis=1)
        return basis


@dataclass(frozen=True, eq=False)
class Newton(Lagrange):
    """The same polynomial by Newton's divided differences, which the paper names as an alternative."""

    name = "newton"

    def refit(self, latencies: np.ndarray, at: np.ndarray) -> np.ndarray:
        center = (self.resolutions[0] + self.resolutions[-1]) / 2
        quarter = (self.resolutions[-1] - self.resolutions[0]) / 4
        nodes = (self.resolutions - center) / quarter
        order = _leja_order(nodes)
        # SciPy's Krogh scheme is Newton's divided differences. On [-2, 2] they neither grow nor vanish.
        return KroghInterpolator(nodes[order], latencies[:, order], axis=1)((at - center) / quarter)


def _leja_order(nodes: np.ndarray) -> np.ndarray:
    """Orders nodes so that each is far from all before it, which keeps divided differences accurate (Leja, 1957)."""
    order = [int(np.argmax(np.abs(nodes)))]
    distances = np.zeros(len(nodes))
    with np.errstate(divide="ignore"):
        while len(order) < len(nodes):
            distances += np.log(np.abs(nodes - nodes[order[-1]]))
            order.append(int(np.argmax(distances)))
    return np.array(order)


@dataclass(frozen=True, eq=False)
class PolynomialRegression(_Polynomial):
    """The polynomial of a chosen degree with the least squared error, the paper's other alternative.

    Attributes:
        chosen_degree: Degree, 1 to n - 1.
    """

    chosen_degree: int = DEFAULT_DEGREE
    name = "polynomial-regression"

    @property
    def degree(self) -> int:
        return self.chosen_degree

    def weights(self, at: np.ndarray) -> np.ndarray:
        domain = self.resolutions[0], self.resolutions[-1]
        # One fit per unit vector: least squares is linear, so these fits add up to every other.
        units = np.eye(len(self.resolutions))
        fits = [Chebyshev.fit(self.resolutions, unit, self.degree, domain=domain) for unit in units]
        return np.stack([fit(at) for fit in fits], axis=1)


@dataclass(frozen=True, eq=False)
class Monotone(Curve):
    """Isotonic regression, then a piecewise cubic that keeps its order (PCHIP; Fritsch and Butland, 1984).

    It follows the measured points as closely as a curve that never falls can, and is NaN outside them.

    Attributes:
        errors: Standard errors of the latencies in ms, ``(n,)``, above zero.
    """

    errors: np.ndarray
    name = "monotone"

    def refit(self, latencies: np.ndarray, at: np.ndarray) -> np.ndarray:
        predicted = np.empty((len(latencies), len(at)))
        for row, times in zip(predicted, latencies, strict=True):
            rising = isotonic_regression(times, weights=self.errors**-2).x
            row[:] = PchipInterpolator(self.resolutions, rising, extrapolate=False)(at)
        return predicted


@dataclass(frozen=True, eq=False)
class Quadratic(Curve):
    """Fixed cost plus cost per pixel: latency = a + b r^2 with a, b >= 0, by weighted least squares.

    Attributes:
        errors: Standard errors of the latencies in ms, ``(n,)``, above zero; a point counts by its inverse square.
    """

    errors: np.ndarray
    name = "quadratic"

    @property
    def coefficients(self) -> tuple[float, float]:
        """``a`` in ms and ``b`` in ms per square pixel."""
        scale = self.resolutions[-1] ** 2
        design = np.stack([np.ones_like(self.resolutions), self.resolutions**2 / scale], axis=1)
        weighted = design / self.errors[:, np.newaxis], self.latencies / self.errors
        # An active-set method: a coefficient at its bound is exactly zero.
        a, b = lsq_linear(*weighted, bounds=(0, np.inf), method="bvls").x
        return float(a), float(b / scale)

    def __call__(self, resolution: np.ndarray | float) -> np.ndarray:
        a, b = self.coefficients
        return a + b * np.square(np.asarray(resolution, np.float64))

    def refit(self, latencies: np.ndarray, at: np.ndarray) -> np.ndarray:
        """See ``Curve.refit``. Two unknowns have a closed form, hundreds of times faster for a bootstrap."""
        share = self.errors**-2 / np.sum(self.errors**-2)
        squares = self.resolutions**2
        mean_square = squares @ share
        deviation = squares - mean_square
        slope = latencies @ (deviation * share) / (deviation**2 @ share)
        slope = np.maximum(slope, 0.0)
        floor = latencies @ share - slope * mean_square
        # A negative fixed cost is set to zero, and the slope fitted again through the origin.
        through_origin = latencies @ (squares * share) / (squares**2 @ share)
        slope = np.where(floor < 0, through_origin, slope)
        return np.maximum(floor, 0.0)[:, np.newaxis] + slope[:, np.newaxis] * at**2

    def weights(self, at: np.ndarray) -> np.ndarray | None:
        """See ``Curve.weights``; None where a bound holds, as the prediction is then another sum."""
        if min(self.coefficients) == 0:
            return None
        share = self.errors**-2 / np.sum(self.errors**-2)
        deviation = self.resolutions**2 - self.resolutions**2 @ share
        slope = deviation * share / (deviation**2 @ share)
        return share + (at[:, np.newaxis] ** 2 - self.resolutions**2 @ share) * slope


_CLASSES: tuple[type[Curve], ...] = (Lagrange, Newton, PolynomialRegression, Monotone, Quadratic)
CURVES: tuple[str, ...] = tuple(curve.name for curve in _CLASSES)
"""Names of the curves."""

DEFAULT_CURVE = Quadratic.name


def check_curve(name: object) -> str:
    """Returns the name of a curve, or raises a ValueError that names those there are."""
    if name not in CURVES:
        raise ValueError(f"curve must be one of {', '.join(CURVES)}, but got {name!r}")
    return str(name)


def build_curve(
    name: str, resolutions: object, latencies: object, spread: object = None, degree: int = DEFAULT_DEGREE
) -> Curve:
    """Builds a curve from measured points.

    Args:
        name: One of ``CURVES``.
        resolutions: Sides of the square inputs in pixels, ``(n,)``, n >= 2, in any order, none twice.
        latencies: Latencies in ms, ``(n,)``, above zero.
        spread: Standard errors of the latencies in ms, ``(n,)``; None if unknown. The monotone and the quadratic
            curve weigh points by them; the paper's polynomials do not.
        degree: Degree of the polynomial regression, at least 1; n - 1 at most is used.

    Returns:
        The curve.

    Raises:
        ValueError: If the name is unknown, the points are unusable (see ``check_points``) or the degree is.
    """
    check_curve(name)
    sizes, times, errors = check_points(resolutions, latencies, spread)
    if isinstance(degree, bool) or not isinstance(degree, numbers.Integral) or degree < 1:
        raise ValueError(f"degree must be a whole number of at least 1, but got {degree!r}")
    if name == PolynomialRegression.name:
        return PolynomialRegression(sizes, times, min(int(degree), len(sizes) - 1))
    if name in (Monotone.name, Quadratic.name):
        errors = np.hypot(0.0 if errors is None else errors, _LEAST_RELATIVE_ERROR * times)
        return (Monotone if name == Monotone.name else Quadratic)(sizes, times, errors)
    return (Newton if name == Newton.name else Lagrange)(sizes, times)
