"""Detections go to the faces that they show."""

import numpy as np
import pytest

from fer_core.area_sampling import AreaSampler
from fer_core.mtcnn import Mtcnn
from fer_core.track import Track, assign, looks_of
from tests.scenes import Head, frame

# Two looks that have nothing in common, and one in between.
LOOKS = np.eye(2, 768, dtype=np.float32)
HALF = (LOOKS[0] + LOOKS[1]) / np.sqrt(2, dtype=np.float32)


def box(left, top=100, side=100):
    return np.array([left, top, left + side, top + side], np.float32)


def track(number, left, look=0):
    return Track(number, box(left), 0.99, LOOKS[look], 0.0)


@pytest.mark.parametrize(
    ("tracks", "boxes", "looks", "seconds", "expected"),
    [
        pytest.param([], [box(0)], [0], 0.04, {}, id="nobody-known"),
        pytest.param([(1, 0, 0)], [], [], 0.04, {}, id="nobody-seen"),
        pytest.param([(1, 100, 0)], [box(105)], [0], 0.04, {1: 0}, id="the-same"),
        pytest.param([(1, 100, 0)], [box(190)], [0], 0.04, {1: 0}, id="a-face-away"),
        pytest.param([(1, 100, 0)], [box(320)], [0], 0.04, {}, id="too-far"),
        pytest.param([(1, 100, 0)], [box(100)], [1], 0.04, {}, id="another-look"),
        pytest.param([(1, 100, 0)], [box(100)], [1], 0.5, {}, id="another-look-after-a-while"),
        pytest.param([(1, 0, 0), (2, 200, 0)], [box(190), box(10)], [0, 0], 0.04, {1: 1, 2: 0}, id="by-place"),
        pytest.param([(1, 100, 0), (2, 120, 1)], [box(110), box(115)], [1, 0], 0.04, {1: 1, 2: 0}, id="by-look"),
        pytest.param([(1, 100, 0), (2, 130, 0)], [box(125)], [0], 0.04, {2: 0}, id="one-of-two"),
    ],
)
def test_who_is_who(tracks, boxes, looks, seconds, expected):
    known = [track(*arguments) for arguments in tracks]
    found = np.array(boxes, np.float32).reshape(-1, 4)
    pairs = assign(known, found, LOOKS[looks].reshape(-1, 768), seconds)
    assert {known_face.id: index for known_face, index in pairs} == expected


@pytest.mark.parametrize(
    ("similarity", "seconds", "same"),
    [
        pytest.param(0.5, 0.04, True, id="similar-at-once"),
        pytest.param(0.3, 0.04, False, id="half-covered-at-once-is-a-cut"),
        pytest.param(0.3, 0.4, True, id="half-covered-after-a-while"),
        pytest.param(0.1, 0.4, False, id="another-after-a-while"),
    ],
)
def test_a_face_that_was_out_of_sight_may_look_different(similarity, seconds, same):
    look = similarity * LOOKS[0] + np.sqrt(1 - similarity**2) * LOOKS[1]
    pairs = assign([track(1, 100)], box(100)[None], look[None].astype(np.float32), seconds)
    assert bool(pairs) == same


def test_motion_is_expected_to_go_on():
    moving = track(1, 0)
    for step in range(1, 26):
        moving.see(box(4 * step), 0.99, LOOKS[0], step / 25)
    np.testing.assert_allclose(moving.box_at(1.4), box(140), atol=2)
    moving.stretch(np.array([0.5, 2], np.float32))
    np.testing.assert_allclose(moving.box_at(1.4), [70, 200, 120, 400], atol=2)


def test_look_follows_slowly():
    face = track(1, 0)
    for step in range(1, 26):
        face.see(box(0), 0.99, HALF, step / 25)
    assert 0.8 < face.likeness(HALF) < 1
    assert face.likeness(LOOKS[0]) > 0.75
    assert face.likeness(HALF[None]).shape == (1,)


def test_looks_tell_people_apart_and_survive_light():
    mtcnn = Mtcnn()

    def look(image):
        boxes, _ = mtcnn.detect(image, 40)
        return looks_of(AreaSampler(image), boxes)[0]

    collins = look(frame(Head(200, 60)))
    assert collins @ look(frame(Head(300, 90))) > 0.9
    assert collins @ look((frame(Head(200, 60)) * 0.6).astype(np.uint8)) > 0.9
    assert collins @ look(frame(Head(200, 60, person="green"))) < 0.45


@pytest.mark.parametrize(
    "outside", [(-200, -200, -100, -100), (700, 100, 800, 200), (630, 350, 900, 700), (10, 10, 10, 10)]
)
def test_looks_of_boxes_outside_the_picture(outside):
    looks = looks_of(AreaSampler(frame(Head(200, 60))), np.array([outside], np.float32))
    assert looks.shape == (1, 768)
    assert np.isfinite(looks).all()
