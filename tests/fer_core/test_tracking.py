"""Faces are found, followed, lost and told apart, with steady ids."""

import cv2
import numpy as np
import pytest

from fer_core.faces import FaceDetector
from fer_core.tracking import LONGEST_SEARCHED_SIDE, FaceTracker
from tests.scenes import HEIGHT, WIDTH, Head, frame

HOME = Head(220, 80)
OTHER = Head(30, 60, person="green")


@pytest.fixture(scope="module")
def detector():
    return FaceDetector()


@pytest.fixture
def show(detector):
    """Shows a frame to a new tracker and returns its faces; ``show.tracker`` is the tracker."""
    tracker = FaceTracker(detector)

    def show(image, now_s):
        tracker.open(image, now_s)
        if tracker.follow_due:
            tracker.follow()
        if tracker.search_due:
            tracker.search()
        return tracker.faces()

    show.tracker = tracker
    return show


def by_head(faces, *heads):
    """Returns for each head the ids of the faces in its middle."""
    return [
        [
            face.track_id
            for face in faces
            if np.abs((face.box[:2] + face.box[2:]) / 2 - head.middle).max() < 0.2 * head.side
        ]
        for head in heads
    ]


def test_a_followed_box_is_that_of_mtcnn_on_the_whole_frame(show, detector):
    ids, differences = set(), []
    for step in range(30):
        image = frame(Head(100 + 9 * step, 40 + 3 * step, 160 + 2 * step))
        (face,) = show(image, step / 25)
        boxes, _ = detector.mtcnn.detect(image, 20)
        differences.append(np.abs(boxes - face.box).max(axis=1).min())
        ids.add(face.track_id)
    assert ids == {1}
    assert np.mean(np.array(differences) < 0.01) >= 0.8
    # Rarely another of several equal squares decides.
    assert max(differences) < 10


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(Head(220, 80, 250), id="large"),
        pytest.param(Head(500, 30, 100), id="small-in-a-corner"),
        pytest.param(Head(-30, 150, 200), id="over-the-edge"),
    ],
)
@pytest.mark.parametrize("others", [(), (Head(330, 20, 150, "green"),)], ids=["alone", "beside-another"])
@pytest.mark.parametrize("rate", [5, 25])
def test_a_new_face_is_found_within_half_a_second(show, head, others, rate):
    # It comes at any time of the search's turn.
    for waiting in (1, 2, 4):
        show.tracker.reset()
        for step in range(waiting):
            assert len(show(frame(*others), step / rate)) == len(others)
        came = waiting / rate
        found = None
        for step in range(waiting, waiting + rate):
            now = step / rate
            if by_head(show(frame(head, *others), now), head) != [[]]:
                found = now
                break
        assert found is not None
        assert found - came <= 0.5


@pytest.mark.parametrize("rate", [5, 25])
@pytest.mark.parametrize(
    "after",
    [
        pytest.param(frame(), id="nobody"),
        pytest.param(frame(OTHER), id="another-stays"),
        pytest.param(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), id="noise"),
        pytest.param(np.zeros((HEIGHT, WIDTH, 3), np.uint8), id="black"),
    ],
)
def test_a_face_that_leaves_is_gone_within_half_a_second(show, after, rate):
    for step in range(3):
        faces = show(frame(OTHER, HOME), step / rate)
    ((other,), (_,)) = by_head(faces, OTHER, HOME)
    for step in range(3, 3 + rate):
        faces = show(after, step / rate)
        if step / rate >= 2 / rate + 0.5:
            assert by_head(faces, HOME) == [[]]
    assert {face.track_id for face in faces} <= {other}


def test_a_face_that_walks_out_is_gone_once_it_is_out(show):
    for step in range(50):
        head = Head(400 + 10 * step, 80)
        faces = show(frame(head), step / 25)
        assert len(faces) <= 1
        if head.left > WIDTH:
            assert faces == []
    assert all(face.box[2] <= WIDTH for face in faces)


@pytest.mark.parametrize(
    ("away_s", "same"),
    [pytest.param(0.2, True, id="soon"), pytest.param(0.8, True, id="later"), pytest.param(1.5, False, id="too-late")],
)
def test_who_comes_back(show, away_s, same):
    for step in range(5):
        show(frame(HOME), step / 25)
    away = round(25 * away_s)
    for step in range(5, 5 + away):
        assert show(frame(), step / 25) == []
    for step in range(5 + away, 18 + away):
        back = show(frame(HOME), step / 25)
    assert [face.track_id for face in back] == [1 if same else 2]
    assert show.tracker.remembered == {back[0].track_id}


def _side_by_side(step):
    return Head(100 + 5 * np.sin(step), 80, 180), Head(290 - 5 * np.sin(step), 85, 180, "green")


def _alike_side_by_side(step):
    return Head(100 + 5 * np.sin(step), 80, 180), Head(290, 85 + 5 * np.cos(step), 180)


def _passing(step):
    return Head(60 + 10 * step, 70, 170), Head(420 - 10 * step, 90, 170, "green")


def _passing_behind(step):
    return Head(420 - 10 * step, 70, 170, "green"), Head(60 + 10 * step, 90, 170)


def _passing_one_who_stays(step):
    return Head(240, 70, 160), Head(10 + 11 * step, 100, 170, "green")


def _coming_nearer(step):
    return Head(60, 120, 90 + 4 * step), Head(400, 40, 220 - 3 * step, "green")


@pytest.mark.parametrize(
    "scene", [_side_by_side, _alike_side_by_side, _passing, _passing_behind, _passing_one_who_stays, _coming_nearer]
)
def test_two_faces_keep_their_ids(show, scene):
    first = by_head(show(frame(*scene(0)), 0.0), *scene(0))
    assert sorted(len(ids) for ids in first) == [1, 1]
    for step in range(1, 36):
        heads = scene(step)
        faces = show(frame(*heads), step / 25)
        if np.hypot(*np.subtract(heads[0].middle, heads[1].middle)) > 0.8 * heads[0].side:
            for ids, (before,) in zip(by_head(faces, *heads), first, strict=True):
                assert set(ids) <= {before}
    assert by_head(faces, *heads) == first


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([HOME], [Head(30, 10, 120)], id="elsewhere"),
        pytest.param([HOME], [Head(260, 100, 110)], id="smaller-inside-the-old-box"),
        pytest.param([HOME], [Head(215, 85, 200, "green")], id="another-at-the-same-place"),
        pytest.param([HOME], [OTHER, Head(400, 100, 150)], id="two-instead-of-one"),
        pytest.param([OTHER, Head(400, 100, 150)], [HOME], id="one-instead-of-two"),
        pytest.param([HOME], [], id="nobody"),
        pytest.param([], [HOME], id="nobody-before"),
    ],
)
def test_after_a_cut(show, detector, before, after):
    """Not one frame shows a box of the old scene or, after a face, none; a search later nobody is missing."""
    for step in range(6):
        show(frame(*before), step / 25)
    image = frame(*after)
    expected = detector.detect(image).xyxy
    assert len(expected) == len(after)
    for step in range(6, 14):
        faces = show(image, step / 25)
        for face in faces:
            # The picture's pyramid has other scales than the stream's.
            assert np.abs(expected - face.box).max(axis=1).min() < 0.12 * (face.box[3] - face.box[1])
        if before and after:
            assert faces
    assert len(faces) == len(after)


def test_another_person_gets_another_id(show):
    for step in range(6):
        show(frame(HOME), step / 25)
    (face,) = show(frame(Head(220, 80, person="green")), 6 / 25)
    assert face.track_id == 2


@pytest.mark.parametrize(
    ("width", "height"),
    [
        pytest.param(320, 180, id="half"),
        pytest.param(1280, 720, id="double"),
        pytest.param(3840, 2160, id="4k"),
        pytest.param(640, 480, id="other-shape"),
    ],
)
def test_a_stream_that_changes_size_keeps_its_face(show, width, height):
    image = frame(HOME)
    for step in range(3):
        (before,) = show(image, step / 25)
    stretched = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    for step in range(3, 6):
        (face,) = show(stretched, step / 25)
        assert face.track_id == before.track_id
        ratio = np.tile([width / WIDTH, height / HEIGHT], 2)
        np.testing.assert_allclose(face.box / ratio, before.box, atol=20)


@pytest.mark.parametrize(
    "size", [pytest.param((1, 1), id="pixel"), pytest.param((400, 30), id="low"), pytest.param((5000, 4), id="thread")]
)
def test_a_stream_that_shrinks_to_nothing_and_returns(show, size):
    show(frame(HOME), 0.0)
    assert show(frame(size=size), 0.04) == []
    assert show(frame(size=size), 0.4) == []
    assert len(show(frame(HOME), 0.44)) == 1


def test_no_face_ever(show):
    random = np.random.default_rng(0)
    for step in range(25):
        image = frame() if step % 2 else random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        assert show(image, step / 25) == []


def test_the_search_is_spread(detector, monkeypatch):
    """With a face in view no frame searches everything, and nothing stays unsearched for long."""
    tracker = FaceTracker(detector)
    searched = []
    propose = detector.mtcnn.propose

    def record(sampler, scales):
        searched[-1] += scales
        return propose(sampler, scales)

    monkeypatch.setattr(detector.mtcnn, "propose", record)
    image = frame(HOME)
    for step in range(26):
        searched.append([])
        tracker.open(image, step / 25)
        if tracker.follow_due:
            tracker.follow()
        if tracker.search_due:
            tracker.search()
    everything, later = searched[0], searched[1:]
    pixels = {scale: (scale * WIDTH) * (scale * HEIGHT) for scale in everything}
    assert max(sum(pixels[scale] for scale in scales) for scales in later) < 0.6 * sum(pixels.values())
    for scale in everything:
        frames = [step for step, scales in enumerate(searched) if scale in scales]
        assert max(np.diff([*frames, 26])) / 25 <= 0.3


def test_long_frames_are_reduced(show):
    faces = show(frame(Head(1000, 300, 500), size=(2 * LONGEST_SEARCHED_SIDE, 1080)), 0.0)
    assert by_head(faces, Head(1000, 300, 500)) == [[1]]
