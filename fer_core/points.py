"""What a point of a latency curve and a target may be; everything else is refused with a clear message."""

from __future__ import annotations

import numbers

import numpy as np

LARGEST_RESOLUTION = 4096
"""Resolutions beyond this side, in pixels, are refused as mistakes."""


def check_points(
    resolutions: object, latencies: object, spread: object = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Checks points and sorts them by resolution.

    Args:
        resolutions: Sides of the square inputs in pixels, ``(n,)``, n >= 2, in any order.
        latencies: Latencies in ms, ``(n,)``.
        spread: Standard errors of the latencies in ms, ``(n,)``, zero or more; or None.

    Returns:
        The three as float64 ``(n,)``, by rising resolution; the last is None if ``spread`` is.

    Raises:
        ValueError: If the points are fewer than two, not numbers, NaN, not positive, too large, given twice, or of
            different lengths.
    """
    columns = {"resolutions": _numbers("resolutions", resolutions), "latencies": _numbers("latencies", latencies)}
    if spread is not None:
        columns["spread"] = _numbers("spread", spread)
    sizes, times, errors = columns["resolutions"], columns["latencies"], columns.get("spread")
    if len({len(column) for column in columns.values()}) != 1:
        lengths = ", ".join(f"{len(column)} {name}" for name, column in columns.items())
        raise ValueError(f"expected as many latencies as resolutions, but got {lengths}")
    if len(sizes) < 2:
        raise ValueError(f"expected at least 2 points, but got {len(sizes)}")
    for name, column in columns.items():
        wrong = ~(np.isfinite(column) & ((column >= 0) if name == "spread" else (column > 0)))
        if wrong.any():
            expected = "zero or more" if name == "spread" else "greater than zero"
            raise ValueError(f"{name} must be finite and {expected}, but got {column[wrong][0]:g}")
    if sizes.max() > LARGEST_RESOLUTION:
        raise ValueError(f"resolutions must be at most {LARGEST_RESOLUTION} px, but got {sizes.max():g} px")
    order = np.argsort(sizes, kind="stable")
    sizes, times = sizes[order], times[order]
    repeated = sizes[1:][np.diff(sizes) == 0]
    if len(repeated):
        raise ValueError(f"expected each resolution once, but got {repeated[0]:g} px more than once")
    return sizes, times, None if errors is None else errors[order]


def _numbers(name: str, values: object) -> np.ndarray:
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, but got {values!r}") from None
    if array.ndim != 1:
        raise ValueError(f"{name} must have shape (n,), but got shape {array.shape}")
    return array


def check_target(target_ms: object) -> float:
    """Returns a target latency in ms, or raises a ValueError unless it is a finite number above zero."""
    if isinstance(target_ms, numbers.Real) and not isinstance(target_ms, bool):
        number = float(target_ms)
        if np.isfinite(number) and number > 0:
            return number
    raise ValueError(f"target_ms must be a number greater than zero, but got {target_ms!r}")
