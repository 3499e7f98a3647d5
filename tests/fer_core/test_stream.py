"""StreamSession: followed faces with smoothed emotions, in the time of the stream."""

import gc
import math
import time
import weakref

import av
import numpy as np
import pytest
import supervision as sv

from fer_core import EmotionRecognizer, StreamSession, TrackedFace
from fer_core.benchmark_worker import memory_mb
from fer_core.emotions import EMOTIONS
from fer_core.faces import square_crop
from fer_core.pictures import read_picture
from fer_core.stream import STAGES
from tests import facenet
from tests.conftest import shared
from tests.scenes import Head, frame

HOME = Head(220, 80)
SMILE = frame(HOME)
# The same face with its mouth upside down: to MTCNN no difference, to the model one.
SHOCK = SMILE.copy()
SHOCK[198:223, 290:378] = SMILE[222:197:-1, 290:378]


@pytest.fixture(scope="module")
def recognizer():
    return EmotionRecognizer.load()


def vector(probabilities):
    return np.array([probabilities[emotion] for emotion in EMOTIONS])


def test_a_tracked_face(recognizer):
    session = recognizer.stream()
    assert isinstance(session, StreamSession)
    (face,) = session.update(SMILE, 0.0)
    (alone,) = recognizer.recognize(SMILE)
    assert isinstance(face, TrackedFace)
    assert face.track_id == 1
    assert face.emotion == alone.emotion == "happiness"
    assert face.confidence == max(face.probabilities.values())
    assert sum(face.probabilities.values()) == pytest.approx(1)
    assert tuple(face.raw_probabilities) == EMOTIONS
    assert all(isinstance(edge, int) for edge in face.box)
    assert 0.9 <= face.detection_score <= 1
    np.testing.assert_allclose(face.box, alone.box, atol=8)


def test_faces_come_by_area_and_are_read_in_one_batch(recognizer, monkeypatch):
    batches = []
    run = recognizer.runtime.run

    def record(images):
        batches.append(len(images))
        return run(images)

    monkeypatch.setattr(recognizer.runtime, "run", record)
    session = recognizer.stream()
    faces = session.update(frame(Head(20, 100, 140, "green"), Head(280, 40, 260)), 0.0)
    assert batches == [2]
    areas = [(face.box[2] - face.box[0]) * (face.box[3] - face.box[1]) for face in faces]
    assert len(areas) == 2
    assert areas == sorted(areas, reverse=True)
    assert faces[0].box[0] > faces[1].box[0]


@pytest.mark.parametrize(
    ("times", "steps"),
    [
        pytest.param([0, 0.1, 0.2, 0.3, 0.4], [0.1, 0.1, 0.1, 0.1], id="steady"),
        pytest.param([5, 5.02, 5.3, 5.31, 5.9], [0.02, 0.28, 0.01, 0.59], id="variable"),
        pytest.param([0, 0.2, 0.2, 0.2, 0.4], [0.2, 0.2, 0.2, 0.2], id="repeated"),
        pytest.param([9, 9.1, 3, 3.1, 3.2], [0.1, 0.1, 0.1, 0.1], id="backwards"),
        pytest.param([0, 0, 0, 0, 0], [0.04, 0.04, 0.04, 0.04], id="never-any"),
        pytest.param([-2, -1.9, -1.8, 0, 0.1], [0.1, 0.1, 1.8, 0.1], id="negative"),
    ],
)
@pytest.mark.parametrize("smoothing_s", [0.3, 1.0])
def test_smoothing_is_an_exponential_average_in_the_streams_time(recognizer, times, steps, smoothing_s):
    session = recognizer.stream(smoothing_s=smoothing_s)
    average = None
    for seconds, step, image in zip(times, [0, *steps], [SMILE, SHOCK, SHOCK, SMILE, SHOCK], strict=True):
        (face,) = session.update(image, seconds)
        raw = vector(face.raw_probabilities)
        weight = math.exp(-step / smoothing_s)
        average = raw if average is None else weight * average + (1 - weight) * raw
        np.testing.assert_allclose(vector(face.probabilities), average, atol=1e-9)
        assert face.track_id == 1
    assert not np.allclose(average, raw, atol=1e-3)


def test_the_lag_is_what_is_promised(recognizer):
    """63 % of the way after the time constant, 95 % after three times that; raw readings do not wait."""
    session = recognizer.stream(smoothing_s=0.3)
    (first,) = session.update(SMILE, 0.0)
    start = vector(first.probabilities)
    for step in range(1, 91):
        (face,) = session.update(SHOCK, step / 100)
        if step in (30, 90):
            end = vector(face.raw_probabilities)
            way = np.dot(vector(face.probabilities) - start, end - start) / np.dot(end - start, end - start)
            assert way == pytest.approx(0.632 if step == 30 else 0.950, abs=0.002)
    assert abs(end - start).max() > 0.3


def test_without_smoothing_probabilities_are_raw(recognizer):
    session = recognizer.stream(smoothing_s=0)
    for step, image in enumerate([SMILE, SHOCK, SMILE]):
        (face,) = session.update(image, step / 25)
        assert face.probabilities == face.raw_probabilities


def test_settings_change_between_frames(recognizer):
    session = recognizer.stream(smoothing_s=10, unsure_below=0)
    session.update(SMILE, 0.0)
    (face,) = session.update(SHOCK, 0.04)
    assert face.probabilities != face.raw_probabilities
    assert not face.unsure
    session.smoothing_s, session.unsure_below = 0, face.confidence
    (face,) = session.update(SMILE, 0.08)
    assert face.probabilities == face.raw_probabilities


@pytest.mark.parametrize(("above", "unsure"), [(-1e-6, False), (0, False), (1e-6, True)])
def test_unsure_under_the_threshold(recognizer, above, unsure):
    (face,) = recognizer.stream().update(SMILE, 0.0)
    (again,) = recognizer.stream(unsure_below=face.confidence + above).update(SMILE, 0.0)
    assert again.confidence == face.confidence
    assert again.unsure == unsure


def test_another_resolution_keeps_the_faces(recognizer):
    session = recognizer.stream(smoothing_s=1)
    session.update(SMILE, 0.0)
    assert session.features_of(1).shape[:2] == (4, 4)
    session.recognizer = session.recognizer.at(64)
    (face,) = session.update(SHOCK, 0.04)
    assert face.track_id == 1
    assert face.probabilities != face.raw_probabilities
    assert session.features_of(1).shape[:2] == (2, 2)


def test_features_belong_to_their_face_until_it_is_forgotten(recognizer):
    session = recognizer.stream()
    for step in range(2):
        faces = session.update(frame(Head(20, 100, 140, "green"), Head(280, 40, 260)), step / 25)
    for face in faces:
        features = session.features_of(face.track_id)
        assert features.dtype == np.float32
        head = recognizer.runtime.head
        logits = features.mean(axis=(0, 1)) @ head.kernel + head.bias
        assert EMOTIONS[int(logits.argmax())] == max(face.raw_probabilities, key=face.raw_probabilities.get)
    assert session.features_of(99) is None
    session.update(frame(), 0.1)
    assert session.features_of(1) is not None
    session.update(frame(), 1.5)
    assert session.features_of(1) is None


@pytest.mark.parametrize(
    ("pause_s", "track_id"),
    [pytest.param(0.9, 1, id="pause"), pytest.param(1.9, 1, id="slow"), pytest.param(2.1, 2, id="gap")],
)
def test_after_a_long_gap_everybody_is_new(recognizer, pause_s, track_id):
    session = recognizer.stream()
    session.update(SMILE, 0.0)
    (face,) = session.update(SMILE, pause_s)
    assert face.track_id == track_id


def test_reset_forgets_faces_and_gives_new_ids(recognizer):
    session = recognizer.stream(smoothing_s=10)
    session.update(SMILE, 0.0)
    session.reset()
    (face,) = session.update(SHOCK, 0.04)
    assert face.track_id == 2
    assert face.probabilities == face.raw_probabilities
    assert session.features_of(1) is None


def test_without_timestamps_time_is_the_clocks(recognizer):
    session = recognizer.stream(smoothing_s=0.5)
    (first,) = session.update(SMILE)
    started = time.monotonic()
    time.sleep(0.05)
    (second,) = session.update(SHOCK)
    elapsed = time.monotonic() - started
    one, raw, smoothed = (vector(p) for p in (first.probabilities, second.raw_probabilities, second.probabilities))
    moved = np.dot(smoothed - one, raw - one) / np.dot(raw - one, raw - one)
    assert 1 - math.exp(-0.05 / 0.5) - 1e-6 <= moved
    assert moved <= 1 - math.exp(-(elapsed + 1) / 0.5)


@pytest.mark.parametrize(
    ("images", "running"),
    [
        pytest.param([SMILE], {"detect", "classify"}, id="first-frame"),
        pytest.param([SMILE] * 2, {"track", "classify"}, id="followed"),
        pytest.param([frame()], {"detect"}, id="nobody"),
        pytest.param([frame()] * 2, set(), id="nobody-still"),
    ],
)
def test_stages_are_timed(recognizer, images, running):
    session = recognizer.stream()
    assert session.timings == dict.fromkeys([*STAGES, "total"], 0.0)
    for step, image in enumerate(images):
        session.update(image, step / 100)
    timings = session.timings
    assert {stage for stage in STAGES if timings[stage] > 0} == running
    assert timings["total"] == pytest.approx(sum(timings[stage] for stage in STAGES))


def test_stages_of_the_caller_belong_to_their_frame(recognizer):
    session = recognizer.stream()
    session.update(SMILE, 0.0)
    with session.timed("draw"):
        time.sleep(0.01)
    with session.timed("decode"):
        time.sleep(0.02)
    assert session.timings["draw"] >= 10
    assert session.timings["decode"] == 0
    session.update(SMILE, 0.04)
    with session.timed("encode"):
        time.sleep(0.01)
    timings = session.timings
    assert timings["decode"] >= 20
    assert timings["draw"] == 0
    assert timings["encode"] >= 10
    session.update(SMILE, 0.08)
    assert session.timings["decode"] == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda session: session.update(SMILE[..., 0], 0.0), "must be an RGB uint8 array", id="frame"),
        pytest.param(
            lambda session: session.update(SMILE, math.nan), "finite number of seconds, but got nan", id="nan"
        ),
        pytest.param(lambda session: session.timed("cook").__enter__(), "stage must be one of decode", id="stage"),
        pytest.param(lambda session: setattr(session, "smoothing_s", -1), "0 or more seconds, but got -1", id="lag"),
        pytest.param(lambda session: setattr(session, "unsure_below", 40), "in 0 to 1, but got 40", id="threshold"),
    ],
)
def test_wrong_arguments_are_named_and_do_no_harm(recognizer, call, message):
    session = recognizer.stream()
    session.update(SMILE, 0.0)
    with pytest.raises(ValueError, match=message):
        call(session)
    assert [face.track_id for face in session.update(SMILE, 0.04)] == [1]


@pytest.mark.parametrize(
    ("name", "start"), [("WolfgangLanger_Pexels.mp4", 0), ("WolfgangLanger_Pexels.mp4", 300), ("single_face.mp4", 0)]
)
def test_the_stream_sees_what_mtcnn_sees_in_every_frame(recognizer, name, start):
    """Against facenet-pytorch's MTCNN as it comes, on the whole of a frame, and the same classifier."""
    session = recognizer.stream()
    compared, overlaps, agreeing = 0, [], []
    with av.open(str(shared("media") / name)) as film:
        for index, image in enumerate(film.decode(video=0)):
            if index < start:
                continue
            if index == start + 48:
                break
            pixels = image.to_ndarray(format="rgb24")
            faces = session.update(pixels, image.time)
            if index % 4:
                continue
            boxes, _ = facenet.detect(pixels)
            if len(boxes) == 0:
                continue
            compared += 1
            if not faces:
                continue
            box = boxes[:1].clip(0, [*pixels.shape[1::-1]] * 2)
            overlap = sv.box_iou_batch(box, np.array([face.box for face in faces], float))[0]
            overlaps.append(overlap.max())
            crop = square_crop(pixels, box[0], recognizer.resolution)[None].astype(np.float32)
            raw = faces[int(overlap.argmax())].raw_probabilities
            agreeing.append(EMOTIONS[recognizer.classify(crop)[0].argmax()] == max(raw, key=raw.get))
    assert compared == 12
    assert len(overlaps) == compared
    assert np.mean(np.array(overlaps) >= 0.7) >= 0.95
    assert np.mean(agreeing) >= 0.9


def test_five_people_stay_five(recognizer):
    image = read_picture(shared("media/multi_face.jpg").read_bytes())
    session = recognizer.stream()
    for step in range(15):
        faces = session.update(image, step / 25)
        assert sorted(face.track_id for face in faces) == [1, 2, 3, 4, 5]


def test_nobody_in_the_film_without_faces(recognizer):
    session = recognizer.stream()
    with av.open(str(shared("media/no_face.mp4"))) as film:
        found = [session.update(image.to_ndarray(format="rgb24"), image.time) for image in film.decode(video=0)]
    assert found
    assert not any(found)


def test_memory_stays(recognizer):
    """Faces come and go, frames change size: what was kept of them goes too."""
    session = recognizer.at(48).stream()
    scenes = [frame(), SMILE, frame(HOME, Head(10, 10, 150, "green")), frame(HOME, size=(480, 360))]
    memory = []
    for step in range(600):
        session.update(scenes[step // 10 % len(scenes)], step / 5)
        memory.append(memory_mb("VmRSS"))
    if memory[0] is None:
        pytest.skip("this system does not tell a process's memory")
    assert max(memory[300:]) < 1.05 * memory[200]
    assert len(session._readings) <= 4


@pytest.mark.parametrize("faces", [pytest.param(True, id="a-face"), pytest.param(False, id="nobody")])
def test_between_frames_no_picture_is_kept(recognizer, faces):
    session = recognizer.at(48).stream()
    picture = (SMILE if faces else frame()).copy()
    watched = weakref.ref(picture)
    assert bool(session.update(picture, 0.0)) == faces
    del picture
    gc.collect()
    assert watched() is None
    assert session._tracker._sampled is None, "its reduced copy"
