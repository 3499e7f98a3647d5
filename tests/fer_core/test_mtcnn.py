"""The cascade's boxes are facenet-pytorch's, as a whole and in parts."""

import zipfile

import av
import cv2
import numpy as np
import pytest

from fer_core.area_sampling import AreaSampler
from fer_core.benchmark_worker import memory_mb
from fer_core.mtcnn import Mtcnn, pyramid
from fer_core.pictures import read_picture
from tests import facenet
from tests.conftest import shared
from tests.scenes import Head, frame


@pytest.fixture(scope="module")
def mtcnn():
    return Mtcnn()


def by_place(boxes, scores):
    order = np.lexsort(boxes.round().T)
    return boxes[order], scores[order]


def assert_same_as_facenet(mtcnn, image, smallest_face, count):
    boxes, scores = by_place(*mtcnn.detect(image, smallest_face))
    expected_boxes, expected_scores = by_place(*facenet.detect(image, smallest_face))
    assert len(boxes) == len(expected_boxes) >= count
    np.testing.assert_allclose(boxes, expected_boxes, atol=0.01)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-4)


@pytest.mark.parametrize("smallest_face", [20, 40])
@pytest.mark.parametrize(
    ("change", "count"),
    [
        pytest.param(lambda image: image, 1, id="as-it-is"),
        pytest.param(lambda image: cv2.resize(image, None, fx=1.7, fy=1.4), 1, id="stretched"),
        pytest.param(lambda image: cv2.resize(image, (211, 223), interpolation=cv2.INTER_AREA), 1, id="small"),
        pytest.param(lambda image: np.ascontiguousarray(image[100:, :220]), 0, id="cut-off"),
        pytest.param(lambda image: frame(Head(60, 40), Head(330, 90, 120, "green")), 2, id="two-faces"),
        pytest.param(lambda image: np.full_like(image, 128), 0, id="nobody"),
    ],
)
def test_boxes_of_made_pictures(mtcnn, astronaut, change, count, smallest_face):
    assert_same_as_facenet(mtcnn, change(astronaut), smallest_face, count)


def test_boxes_of_five_people(mtcnn):
    image = read_picture(shared("media/multi_face.jpg").read_bytes())
    image = cv2.resize(image, (640, 427), interpolation=cv2.INTER_AREA)
    for smallest_face in (20, 40):
        assert_same_as_facenet(mtcnn, image, smallest_face, 5)


@pytest.mark.parametrize(
    ("film", "count"), [("WolfgangLanger_Pexels.mp4", 1), ("single_face.mp4", 1), ("no_face.mp4", 0)]
)
def test_boxes_of_films(mtcnn, film, count):
    with av.open(str(shared("media") / film)) as file:
        frames = [image.to_ndarray(format="rgb24") for image in file.decode(video=0)]
    for image in frames[:: len(frames) // 3]:
        assert_same_as_facenet(mtcnn, image, 20, count)


def test_boxes_of_photographs(mtcnn):
    with zipfile.ZipFile(shared("data/kdef.zip")) as archive:
        names = sorted(name for name in archive.namelist() if name.upper().endswith(".JPG"))
        for name in names[::400]:
            assert_same_as_facenet(mtcnn, read_picture(archive.read(name)), 40, 1)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(Head(220, 80, 200), id="large"),
        pytest.param(Head(431, 23, 100), id="small"),
        pytest.param(Head(-20, 200, 180), id="over-the-edge"),
    ],
)
@pytest.mark.parametrize("shift", [pytest.param((0, 0), id="there"), pytest.param((0.5, -0.3), id="half-a-face-away")])
def test_around_a_known_face_the_box_is_that_of_the_whole_frame(mtcnn, head, shift):
    image = frame(head, Head(500, 250, 90, "green"))
    sampler = AreaSampler(image)
    scales = pyramid(*image.shape[:2], 20)
    boxes, _ = mtcnn.detect(image, 20)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    box = boxes[np.linalg.norm(middles - head.middle, axis=1).argmin()]
    known = (box + np.tile(shift, 2) * (box[2] - box[0])).astype(np.float32)[None]
    near, _ = mtcnn.complete(sampler, mtcnn.propose_near(sampler, scales, known))
    assert np.abs(near - box).max(axis=1).min() < 0.01


def test_o_net_alone_corrects_a_box_and_knows_what_is_no_face(mtcnn):
    head = Head(220, 80)
    image = frame(head)
    (box,), _ = mtcnn.detect(image, 20)
    side = max(box[2:] - box[:2])
    middle = np.array(head.middle)
    squares = np.array([[*(middle - side * 0.45), *(middle + side * 0.55)], [10, 10, 110, 110], [-90, -90, -10, -10]])
    boxes, scores = mtcnn.judge(AreaSampler(image), squares.astype(np.float32))
    assert scores[0] > 0.9 > 0.5 > scores[1] >= scores[2] == 0
    np.testing.assert_allclose(boxes[0], box, atol=0.15 * side)


@pytest.mark.parametrize(
    ("height", "width", "smallest_face", "count"),
    [
        pytest.param(360, 640, 20, 9, id="camera"),
        pytest.param(360, 640, 360, 1, id="one-scale"),
        pytest.param(19, 640, 20, 0, id="too-low"),
        pytest.param(1, 1, 20, 0, id="one-pixel"),
    ],
)
def test_scales(height, width, smallest_face, count):
    scales = pyramid(height, width, smallest_face)
    assert len(scales) == count
    assert scales == sorted(scales, reverse=True)
    assert not scales or scales[0] == 12 / smallest_face


def test_memory_does_not_grow_with_every_new_size(mtcnn):
    random = np.random.default_rng(0)
    memory = []
    for width, height in random.integers(60, 160, (300, 2)):
        mtcnn.detect(np.full((height, width, 3), 100, np.uint8), 20)
        memory.append(memory_mb("VmRSS"))
    if memory[0] is None:
        pytest.skip("this system does not tell a process's memory")
    assert memory[-1] - memory[150] < 20
