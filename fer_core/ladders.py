"""Which sizes are measured: the ladder, and how it grows until the target is bracketed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .interpolation import DEFAULT_CURVE, build_curve
from .latency import Point
from .solving import SEARCH_RANGE, solve

PAPER_LADDER: tuple[int, ...] = (12, 48, 66, 84, 100, 128, 143, 162, 224, 299)
"""The ten sizes of the paper, in pixels (stage "resolution scaling")."""

LARGEST_RESOLUTION = int(SEARCH_RANGE[1])
"""Largest side that is measured, in pixels."""

STAIR = 32
"""Step in pixels at which the last feature map grows, ceil(r / 32): up to it, a larger picture often costs nothing."""

_MOST_SIZES = 40
_FORMS = "'paper', 'equispaced:N', 'chebyshev:N' or sizes like '48,96,128'"
# A curve is off by some percent, and a ladder that grows by too little has to grow again.
_REACH = 1.1


def ladder(text: str) -> tuple[int, ...]:
    """Reads a ladder.

    Args:
        text: ``"paper"``; ``"equispaced:N"`` or ``"chebyshev:N"``, N sizes from 12 to 299 px, the paper's range, at
            equal distances or at the Chebyshev nodes; or sizes in pixels with commas between them.

    Returns:
        Sizes in pixels, rising.

    Raises:
        ValueError: If the text has none of these forms, N is not 2 to 40, there are fewer than two or more than 40
            sizes, or a size is given twice or not a whole number of 1 to 640.
    """
    if not isinstance(text, str):
        raise ValueError(f"ladder must be {_FORMS}, but got {text!r}")
    name, colon, count = text.strip().partition(":")
    if name == "paper" and not colon:
        return PAPER_LADDER
    if colon and name in ("equispaced", "chebyshev"):
        return _spread_out(name, count)
    return _typed(text)


def _spread_out(name: str, count: str) -> tuple[int, ...]:
    if not count.isdecimal() or not 2 <= int(count) <= _MOST_SIZES:
        raise ValueError(f"ladder {name}:N needs a whole number N of 2 to {_MOST_SIZES}, but got {count!r}")
    low, high = PAPER_LADDER[0], PAPER_LADDER[-1]
    if name == "equispaced":
        sizes = np.linspace(low, high, int(count))
    else:
        nodes = np.cos(np.pi * (np.arange(int(count)) + 0.5) / int(count))
        sizes = (low + high) / 2 + (high - low) / 2 * nodes
    return tuple(sorted({round(size) for size in sizes}))


def _typed(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ValueError(f"ladder must be {_FORMS}, but got {text!r}")
    sizes = [int(part) for part in parts]
    wrong = [size for size in sizes if not 1 <= size <= LARGEST_RESOLUTION]
    if wrong:
        raise ValueError(f"sizes of a ladder must be 1 to {LARGEST_RESOLUTION} px, but got {wrong[0]} px")
    repeated = [size for size in sizes if sizes.count(size) > 1]
    if repeated:
        raise ValueError(f"expected each size of a ladder once, but got {repeated[0]} px more than once")
    if not 2 <= len(sizes) <= _MOST_SIZES:
        raise ValueError(f"a ladder must have 2 to {_MOST_SIZES} sizes, but got {len(sizes)}")
    return tuple(sorted(sizes))


def next_multiple(size: int, step: int = STAIR) -> int:
    """Returns the smallest multiple of a step that is not below a size, both in pixels."""
    return -(-size // step) * step


def extension(points: Sequence[Point], target_ms: float, smallest: int) -> int | None:
    """Returns the size to measure next so that the ladder brackets the target, or None if it does or cannot.

    Args:
        points: Measured points, at least two.
        target_ms: Target latency in ms.
        smallest: Smallest side that the ladder may reach down to, in pixels.
    """
    latencies = [point.latency_ms for point in points]
    sizes = [point.resolution for point in points]
    if min(latencies) > target_ms:
        return smallest if min(sizes) > smallest else None
    if max(latencies) > target_ms or max(sizes) >= LARGEST_RESOLUTION:
        return None
    predicted = solve(build_curve(DEFAULT_CURVE, sizes, latencies), target_ms).resolution
    reach = LARGEST_RESOLUTION if predicted is None else int(_REACH * max(predicted, max(sizes)))
    return min(next_multiple(max(reach, max(sizes) + STAIR)), LARGEST_RESOLUTION)
