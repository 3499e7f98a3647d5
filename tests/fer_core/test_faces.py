"""Faces are found, and cut out the same way in training and serving."""

import cv2
import numpy as np
import pytest

from fer_core.faces import FaceDetector, resize_square, square_crop
from fer_core.pictures import read_picture
from tests.conftest import shared


@pytest.fixture(scope="module")
def detector():
    return FaceDetector()


def test_the_astronauts_face(detector, astronaut):
    faces = detector.detect(astronaut)
    assert len(faces) == 1
    x0, y0, x1, y1 = faces.xyxy[0]
    # Her eyes and mouth, read off the picture.
    for x, y in [(208, 108), (240, 108), (224, 150)]:
        assert x0 < x < x1
        assert y0 < y < y1
    assert faces.confidence[0] > 0.99


def test_boxes_of_a_large_picture_are_in_its_own_pixels(detector, astronaut):
    small = detector.detect(astronaut).xyxy[0]
    large = detector.detect(cv2.resize(astronaut, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)).xyxy[0]
    np.testing.assert_allclose(large / 4, small, atol=12)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.zeros((1, 1, 3), np.uint8), id="one-pixel"),
        pytest.param(np.zeros((30, 400, 3), np.uint8), id="lower-than-the-smallest-face"),
        pytest.param(np.full((480, 640, 3), 128, np.uint8), id="plain-gray"),
        pytest.param(np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8), id="noise"),
        pytest.param(np.zeros((4, 5000, 3), np.uint8), id="a-thread-that-shrinks-to-one-row"),
    ],
)
def test_no_face_is_an_empty_answer(detector, image):
    faces = detector.detect(image)
    assert len(faces) == 0
    assert faces.xyxy.shape == (0, 4)


def test_five_faces_largest_first(detector):
    image = read_picture(shared("media/multi_face.jpg").read_bytes())
    boxes = detector.detect(image).xyxy
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    assert len(boxes) == 5
    assert list(areas) == sorted(areas, reverse=True)


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="at least 20 px, MTCNN's own limit, but got 5"):
        FaceDetector(smallest_face=5)
    with pytest.raises(ValueError, match="must lie in 0 to 1, but got 2"):
        FaceDetector(lowest_score=2)


# A picture whose pixels say where they are: red is x, green is y.
PLACES = np.dstack([*np.meshgrid(np.arange(100), np.arange(80)), np.zeros((80, 100))]).astype(np.uint8)


@pytest.mark.parametrize(
    ("box", "margin", "corners"),
    [
        pytest.param((30, 20, 50, 40), 1.0, [(30, 20), (49, 39)], id="square-box"),
        pytest.param((30, 20, 40, 40), 1.0, [(25, 20), (44, 39)], id="tall-box-grows-sideways"),
        pytest.param((30, 20, 50, 40), 1.5, [(25, 15), (54, 44)], id="margin"),
        pytest.param((-10, -10, 10, 10), 1.0, [(0, 0), (9, 9)], id="outside-repeats-the-edge"),
        pytest.param((90, 70, 110, 90), 1.0, [(90, 70), (99, 79)], id="outside-at-the-far-corner"),
    ],
)
def test_square_crop_takes_the_right_pixels(box, margin, corners):
    side = round(margin * max(box[2] - box[0], box[3] - box[1]))
    crop = square_crop(PLACES, np.array(box, np.float32), side, margin)
    assert crop.shape == (side, side, 3)
    assert [tuple(crop[0, 0, :2]), tuple(crop[-1, -1, :2])] == corners


def test_shrinking_averages_instead_of_aliasing():
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.unique(resize_square(stripes, 32)).tolist() == [100]
