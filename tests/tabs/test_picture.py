"""Uploads, through the handlers: settings answer the same picture again, and nothing of it is kept."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fer_core.pictures import encode_jpeg, read_picture
from fer_core.recognizer import DEFAULT_MODEL
from tabs import picture, waiting

SKIPPED = {"__type__": "update"}
SETTINGS = ("largest", 128, 0.4, False, DEFAULT_MODEL)
WHY = ("largest", 128, 0.4, True, DEFAULT_MODEL)
DOUBTFUL = ("largest", 128, 0.999, False, DEFAULT_MODEL)
LARGER = ("largest", 128, 0.4, False, "scalable-env2s")


@pytest.fixture(scope="module")
def upload(astronaut):
    return encode_jpeg(astronaut, 95)


def changed(one: bytes, other: bytes) -> float:
    """Returns the share of pixels that differ clearly between two JPEGs."""
    return (np.abs(read_picture(one).astype(int) - read_picture(other)).max(axis=2) > 40).mean()


def test_a_picture_is_answered(page, upload):
    jpeg, panel = picture.on_picture(upload, *SETTINGS, page)
    assert read_picture(jpeg).shape == (512, 512, 3)
    assert "<b>happiness</b> <span>confidence" in panel
    for stage in ("detect", "classify", "total", "with decoding and drawing"):
        assert f"<span>{stage} <b>" in panel


def test_another_model_reads_the_same_face_otherwise(page):
    read = []
    for settings in (SETTINGS, LARGER):
        _, panel = picture.on_example(*settings, page)
        assert f"{settings[-1]} sees" in panel
        (face,) = page.table.of(page).picture.faces
        read.append(face)
    one, other = read
    assert one.emotion == other.emotion == "happiness"
    assert one.box == other.box
    assert one.probabilities != other.probabilities


def test_settings_answer_the_upload_again(page, upload):
    plain, _ = picture.on_picture(upload, *SETTINGS, page)
    why, panel = picture.on_settings(upload, *WHY, page)
    assert "a grid of 4 x 4 fields" in panel
    assert 0.005 < changed(plain, why) < 0.1
    unsure, panel = picture.on_settings(upload, *DOUBTFUL, page)
    assert "<b>unsure</b> <span>best guess happiness" in panel
    assert 0 < changed(plain, unsure) < 0.05


def test_settings_answer_the_example_again(page, upload):
    picture.on_picture(upload, *SETTINGS, page)
    plain, _ = picture.on_example(*SETTINGS, page)
    why, panel = picture.on_settings(upload, *WHY, page)
    assert "a grid of 4 x 4 fields" in panel
    assert 0.005 < changed(plain, why) < 0.1


def test_settings_before_any_picture_change_nothing(page):
    assert picture.on_settings(None, *WHY, page) == (SKIPPED, SKIPPED)
    picture.on_picture(b"no picture", *SETTINGS, page)
    assert picture.on_settings(b"no picture", *WHY, page) == (SKIPPED, SKIPPED)


def test_settings_changed_while_a_picture_is_answered_answer_it_again(page):
    with ThreadPoolExecutor(2) as pool:
        with page.gate.turn("another"):
            first = pool.submit(picture.on_example, *SETTINGS, page)
            while not page.gate._waiting:
                time.sleep(0.001)
            second = pool.submit(picture.on_settings, None, *WHY, page)
        assert "a grid of" not in first.result()[1]
    assert "a grid of" in second.result()[1]


def test_settings_after_the_upload_was_deleted_say_so(page, upload):
    picture.on_picture(upload, *SETTINGS, page)
    jpeg, panel = picture.on_settings(b"", *WHY, page)
    assert jpeg == SKIPPED
    assert picture.DELETED in panel
    # The bars of other faces need no picture.
    assert "happiness" in picture.on_face_chosen("2nd", page)


def test_a_cleared_picture_is_forgotten(page, upload):
    picture.on_example(*SETTINGS, page)
    assert picture.on_picture(None, *SETTINGS, page)[0] is None
    assert picture.on_settings(None, *WHY, page) == (SKIPPED, SKIPPED)
    assert picture.on_face_chosen("largest", page) == SKIPPED


def test_only_numbers_are_remembered(page, upload):
    picture.on_picture(upload, *WHY, page)
    view = page.table.of(page).picture
    kept = [view.faces, view.unsure, view.timings_ms, view.grid, view.resolution]
    assert not any(isinstance(value, np.ndarray | bytes) for value in kept)
    assert len(repr(view)) < 2000


def test_a_large_picture_is_shown_reduced_with_its_map_in_place(page, astronaut):
    large = encode_jpeg(np.kron(astronaut, np.ones((4, 4, 1), np.uint8)), 90)
    plain, _ = picture.on_picture(large, *SETTINGS, page)
    why, _ = picture.on_settings(large, *WHY, page)
    assert read_picture(why).shape == (1280, 1280, 3)
    assert 0.005 < changed(plain, why) < 0.1


@pytest.mark.parametrize("why", [pytest.param(False, id="plain"), pytest.param(True, id="why")])
def test_a_picture_without_a_face(page, why):
    data = encode_jpeg(np.full((300, 400, 3), 128, np.uint8))
    jpeg, panel = picture.on_picture(data, "largest", 128, 0.4, why, DEFAULT_MODEL, page)
    assert read_picture(jpeg).shape == (300, 400, 3)
    assert "No face found" in panel


def test_a_picture_waits_for_a_measurement_and_is_then_answered(page, upload, monkeypatch):
    lines = []
    monkeypatch.setattr(waiting, "LINE", lambda progress, desc: lines.append(desc))
    with ThreadPoolExecutor(1) as pool:
        with page.gate.measurement():
            answer = pool.submit(picture.on_picture, upload, *SETTINGS, page)
            while not lines:
                assert not answer.done()
                time.sleep(0.01)
        _, panel = answer.result()
    assert "happiness" in panel
    assert set(lines) == {"paused: this CPU is being measured; your picture comes after it"}
