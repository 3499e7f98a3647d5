"""What is drawn on a picture, where, and that the picture itself stays as it was."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_core.drawing import draw_faces, overlay_activation_map, reduced
from fer_core.emotions import EMOTIONS
from fer_core.face import Face, TrackedFace

GRAY = np.full((240, 320, 3), 128, np.uint8)


def face(box=(100, 60, 180, 160), confidence=0.7) -> Face:
    rest = (1 - confidence) / 6
    return Face(box, 0.99, {name: confidence if name == "happiness" else rest for name in EMOTIONS})


def tracked(unsure: bool) -> TrackedFace:
    of = face()
    return TrackedFace(of.box, of.detection_score, of.probabilities, 1, of.probabilities, unsure)


def changed(drawn, image=GRAY):
    return (drawn != image).any(axis=2)


def test_without_faces_the_copy_is_the_picture():
    drawn = draw_faces(GRAY, [])
    np.testing.assert_array_equal(drawn, GRAY)
    assert drawn is not GRAY


def test_a_face_is_boxed_in_its_color_and_the_picture_stays():
    image = GRAY.copy()
    drawn = draw_faces(image, [face()])
    np.testing.assert_array_equal(image, GRAY)
    assert tuple(drawn[110, 100]) == (0xE6, 0x9F, 0x00), "left edge in the color of happiness, RGB"
    assert not changed(drawn)[90:150, 110:170].any(), "the face itself is not painted over"
    assert not changed(drawn)[200:].any()


@pytest.mark.parametrize(
    ("drawn_face", "unsure", "as_unsure"),
    [
        pytest.param(face(), None, False, id="a-plain-face-is-sure"),
        pytest.param(tracked(False), None, False, id="tracked-and-sure"),
        pytest.param(tracked(True), None, True, id="tracked-and-unsure"),
        pytest.param(face(), [True], True, id="told-to-be-unsure"),
        pytest.param(tracked(True), [False], False, id="told-to-be-sure"),
    ],
)
def test_an_unsure_face_is_labeled_so(drawn_face, unsure, as_unsure):
    drawn = draw_faces(GRAY, [drawn_face], unsure)
    sure = tracked(False) if isinstance(drawn_face, TrackedFace) else face()
    expected = draw_faces(GRAY, [sure], [as_unsure])
    np.testing.assert_array_equal(drawn, expected)
    assert tuple(drawn[110, 100]) == ((0x44, 0x44, 0x44) if as_unsure else (0xE6, 0x9F, 0x00))


def test_a_followed_face_carries_its_number():
    assert (draw_faces(GRAY, [tracked(False)]) != draw_faces(GRAY, [face()])).any()
    second = replace(tracked(False), track_id=2)
    assert (draw_faces(GRAY, [tracked(False)]) != draw_faces(GRAY, [second])).any()


def test_a_map_is_brightest_where_it_is_strongest():
    activation = np.zeros((4, 4), np.float32)
    activation[3, 0] = 5
    image = GRAY.copy()
    overlay_activation_map(image, face((100, 60, 200, 160)), activation)
    # The square is 1.15 times the box: from 92 to 207 and from 52 to 167 px.
    assert changed(image)[52:167, 92:207].all()
    assert not changed(np.delete(image, np.s_[92:207], 1), np.delete(GRAY, np.s_[92:207], 1)).any()
    yellow, purple = image[160, 98].astype(int), image[60, 200].astype(int)
    assert yellow[1] > purple[1] + 50
    assert purple[2] > purple[1], "RGB: purple is more blue than green"


def test_a_flat_map_claims_nothing():
    image = GRAY.copy()
    overlay_activation_map(image, face(), np.full((4, 4), 3.3, np.float32))
    region = image[70:150, 110:170]
    assert (region == region[0, 0]).all()


@given(
    box=st.tuples(*[st.integers(-50, 350)] * 4),
    activation=st.lists(st.floats(-1e4, 1e4, width=32), min_size=9, max_size=9),
)
def test_any_map_fits_any_box(box, activation):
    x0, y0, x1, y1 = box
    at = face((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
    image = GRAY.copy()
    overlay_activation_map(image, at, np.array(activation, np.float32).reshape(3, 3))
    assert image.shape == GRAY.shape


def test_the_maps_lie_under_the_boxes():
    plain, why = draw_faces(GRAY, [face()]), draw_faces(GRAY, [face()], activations=[np.eye(4, dtype=np.float32)])
    assert tuple(why[110, 100]) == tuple(plain[110, 100])
    assert changed(why)[90:150, 110:170].all()


def test_reducing_takes_the_boxes_along():
    image, (smaller,) = reduced(GRAY, [tracked(True)], 160)
    assert image.shape == (120, 160, 3)
    assert smaller.box == (50, 30, 90, 80)
    assert smaller.unsure
    same, (large,) = reduced(GRAY, [tracked(True)], 320)
    assert same is GRAY
    assert large.box == (100, 60, 180, 160)
