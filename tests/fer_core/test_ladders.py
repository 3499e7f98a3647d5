"""Which sizes are measured."""

from __future__ import annotations

import pytest

from fer_core.ladders import PAPER_LADDER, extension, ladder, next_multiple
from fer_core.latency import point_of


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        pytest.param("paper", (12, 48, 66, 84, 100, 128, 143, 162, 224, 299), id="paper"),
        pytest.param("equispaced:3", (12, 156, 299), id="equispaced"),
        pytest.param("chebyshev:2", (54, 257), id="chebyshev"),
        pytest.param("128, 48,96", (48, 96, 128), id="typed-in-any-order"),
    ],
)
def test_ladders(text, sizes):
    assert ladder(text) == sizes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("fibonacci", "'paper', 'equispaced:N', .* but got 'fibonacci'", id="unknown"),
        pytest.param("", "but got ''", id="empty"),
        pytest.param("48", "2 to 40 sizes, but got 1", id="one-size"),
        pytest.param("48,48,96", "48 px more than once", id="repeated"),
        pytest.param("0,48", "1 to 640 px, but got 0 px", id="zero"),
        pytest.param("48,9999", "1 to 640 px, but got 9999 px", id="huge"),
        pytest.param("48,-96", "but got '48,-96'", id="negative"),
        pytest.param("48,nan", "but got '48,nan'", id="nan"),
        pytest.param("equispaced:1", "2 to 40, but got '1'", id="too-few"),
        pytest.param("chebyshev:many", "2 to 40, but got 'many'", id="count-is-text"),
        pytest.param("equispaced", "but got 'equispaced'", id="count-is-missing"),
        pytest.param(None, "but got None", id="none"),
    ],
)
def test_unusable_ladders_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        ladder(text)


def quadratic_points(sizes, floor=2.0, slope=1e-4):
    return [point_of(size, [[floor + slope * size**2] * 5]) for size in sizes]


@pytest.mark.parametrize(
    ("sizes", "target", "expected"),
    [
        pytest.param(PAPER_LADDER, 5.0, None, id="bracketed"),
        pytest.param(PAPER_LADDER, 22.0, 512, id="grows-a-little-beyond-the-prediction"),
        pytest.param(PAPER_LADDER, 1000.0, 640, id="grows-to-640-at-most"),
        pytest.param((128, 640), 1000.0, None, id="cannot-grow-further"),
        pytest.param((128, 224), 2.5, 12, id="grows-downward"),
        pytest.param(PAPER_LADDER, 1.0, None, id="below-the-floor"),
    ],
)
def test_the_ladder_grows_until_it_brackets_the_target(sizes, target, expected):
    assert extension(quadratic_points(sizes), target, smallest=12) == expected


@pytest.mark.parametrize(("size", "expected"), [(1, 32), (32, 32), (33, 64), (302, 320)])
def test_next_multiple(size, expected):
    assert next_multiple(size) == expected
