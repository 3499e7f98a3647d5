"""Any array into ``EmotionRecognizer.recognize``: faces, or a ValueError that says what came."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as of_numpy

from fer_core import EmotionRecognizer
from fer_core.emotions import EMOTIONS
from tests.fuzz.cases import JSON, cases


@pytest.fixture(scope="module")
def recognizer() -> EmotionRecognizer:
    return EmotionRecognizer.load()


SIDES = st.integers(1, 60) | st.sampled_from([1, 2, 11, 12, 19, 20, 40, 41, 333])
LONG_SIDES = st.sampled_from([1281, 5000, 40_000])  # beyond what is searched, and beyond 15 bits


@st.composite
def pictures(draw: st.DrawFn, astronaut: np.ndarray) -> np.ndarray:
    """Draws RGB uint8 pictures ``(H, W, 3)`` of any shape and memory layout, some with faces."""
    height, width = draw(st.tuples(SIDES, SIDES) | st.tuples(st.integers(1, 3), LONG_SIDES))
    if draw(st.booleans()):
        height, width = width, height
    if draw(st.booleans()):
        top, left = (draw(st.integers(0, 511)) for _ in range(2))
        image = astronaut[top : top + height, left : left + width]
        if draw(st.booleans()):
            image = np.tile(astronaut, (1, draw(st.integers(1, 2)), 1))
    else:
        image = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 256, (height, width, 3), np.uint8)
    match draw(st.sampled_from(["plain", "mirrored", "turned", "thinned", "channels", "read-only", "fortran"])):
        case "mirrored":
            image = image[::-1, ::-1]
        case "turned":
            image = image.transpose(1, 0, 2)
        case "thinned":
            image = image[:: draw(st.integers(1, 3)), :: draw(st.integers(1, 3))]
        case "channels":
            image = image[..., ::-1]
        case "read-only":
            image = image.copy()
            image.flags.writeable = False
        case "fortran":
            image = np.asfortranarray(image)
    return image


@cases(60)
@given(data=st.data())
def test_every_picture_gives_faces_inside_it(recognizer, astronaut, data):
    image = data.draw(pictures(astronaut))
    before = image.copy()
    for face in recognizer.recognize(image):
        x0, y0, x1, y1 = face.box
        assert 0 <= x0 < x1 <= image.shape[1]
        assert 0 <= y0 < y1 <= image.shape[0]
        assert tuple(face.probabilities) == EMOTIONS
        assert sum(face.probabilities.values()) == pytest.approx(1)
        assert 0 <= face.detection_score <= 1
    assert (image == before).all(), "the picture is left as it came"


ARRAYS = of_numpy.arrays(
    of_numpy.scalar_dtypes() | st.just(np.dtype(object)),
    of_numpy.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
    fill=st.nothing(),
)


@cases(100)
@given(value=ARRAYS | JSON | st.binary(max_size=20))
def test_everything_else_is_a_value_error(recognizer, value):
    try:
        faces = recognizer.recognize(value)
    except ValueError as error:
        assert "must be an RGB uint8 array with shape (H, W, 3), but got" in str(error)
    else:
        assert value.dtype == np.uint8
        assert value.shape[2:] == (3,)
        assert faces == []
