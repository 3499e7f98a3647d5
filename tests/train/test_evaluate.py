"""Protocols are scored end to end: from the file to the emotion, a missed face is wrong."""

import cv2
import numpy as np
import pytest

from fer_core import EmotionRecognizer
from fer_core.emotions import KDEF_EMOTIONS
from train.data import Picture, Source, one_hot
from train.evaluate import evaluate, score_pictures

PEOPLE = [f"{sex}{number:02}" for sex in "FM" for number in range(1, 16)]


@pytest.fixture(scope="module")
def recognizer():
    return EmotionRecognizer.load(resolution=64)


@pytest.fixture(scope="module")
def kdef(tmp_path_factory, astronaut):
    """Thirty people by KDEF's names: all are the astronaut, except that everybody's profile is a gray wall."""
    root = tmp_path_factory.mktemp("kdef")
    portrait = cv2.imencode(".jpg", astronaut[:300, 80:380, ::-1])[1].tobytes()
    wall = cv2.imencode(".jpg", np.full((300, 300, 3), 128, np.uint8))[1].tobytes()
    for person in PEOPLE:
        folder = root / "KDEF" / f"A{person}"
        folder.mkdir(parents=True)
        for angle in ("S", "FL"):
            for emotion in KDEF_EMOTIONS:
                (folder / f"A{person}{emotion}{angle}.JPG").write_bytes(wall if angle == "FL" else portrait)
    return root


def test_kdef_is_scored_from_the_photograph(recognizer, kdef):
    figures = evaluate(recognizer, "kdef-unseen-people-fold0", kdef, resolution=64, resolutions=(48, 64))
    assert (figures["people"], figures["images"], figures["faces_missed"]) == (6, 84, 42)
    # All faces are the same face, so exactly one emotion of seven is answered rightly, and never at angle FL.
    assert figures["accuracy"] == pytest.approx(6 / 84)
    assert figures["accuracy_on_found"] == pytest.approx(1 / 7)
    assert figures["by_angle"] == {"FL": 0, "S": pytest.approx(1 / 7)}
    assert set(figures["accuracy_by_resolution"]) == {"48", "64"}
    assert figures["accuracy_by_resolution"]["64"] == figures["accuracy"]
    assert np.array(figures["confusion"]).sum(axis=0).max() == 42
    test_fold = figures["split"]["folds"][figures["split"]["test_fold"]]
    assert {person[0] for person in test_fold} == {"F", "M"}


def test_raf_db_is_scored_as_distributed(recognizer, tmp_path, astronaut):
    face = cv2.resize(astronaut[60:170, 170:280, ::-1], (100, 100))
    for code in range(1, 8):
        folder = tmp_path / "raf-db" / "test" / str(code)
        folder.mkdir(parents=True)
        cv2.imwrite(str(folder / "test_0001_aligned.jpg"), face)
    train = tmp_path / "raf-db" / "train"
    for code in range(1, 8):
        (train / str(code)).mkdir(parents=True)
        for number in range(20):
            (train / str(code) / f"train_{number}.jpg").write_bytes(b"never opened")
    figures = evaluate(recognizer, "raf-db-test", tmp_path, resolution=64, resolutions=(64,))
    assert (figures["images"], figures["faces_missed"], figures["people"]) == (7, 0, None)
    assert figures["accuracy"] == pytest.approx(1 / 7)


def test_a_broken_picture_is_named(recognizer, tmp_path):
    for part in ("train", "test"):
        for code in range(1, 8):
            folder = tmp_path / part / str(code)
            folder.mkdir(parents=True)
            for number in range(20):
                (folder / f"{part}_{number}.jpg").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"test/1/test_0\.jpg: expected a picture, but the 6 bytes"):
        evaluate(recognizer, "raf-db-test", tmp_path)


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        pytest.param("all", r"protocol must be one of .*ferplus-test.*, but got 'all'", id="unknown"),
        pytest.param("kdef-unseen-people", "is the mean of folds: it scores recorded runs, not one model", id="runs"),
    ],
)
def test_what_is_no_protocol_of_one_model_is_named(recognizer, tmp_path, protocol, message):
    with pytest.raises(ValueError, match=message):
        evaluate(recognizer, protocol, tmp_path)


def test_sizes_that_a_model_cannot_run_are_left_out(recognizer, tmp_path, astronaut):
    cv2.imwrite(str(tmp_path / "face.png"), astronaut[60:170, 170:280, ::-1])
    pictures = [Picture("face.png", "happiness", one_hot("happiness"), "test")]
    figures = score_pictures(recognizer, Source(tmp_path), pictures, 48, (0, 12, 64), whole=True)
    assert set(figures["accuracy_by_resolution"]) == {"12", "48", "64"}
    assert "by_angle" not in figures
