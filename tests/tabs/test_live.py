"""The camera's handler, called as Gradio calls it: one stream of frames per page, good and bad ones."""

from __future__ import annotations

import gc
import re
import time
import weakref

import cv2
import numpy as np
import pytest

from fer_core.pictures import encode_jpeg, read_picture
from fer_core.recognizer import DEFAULT_MODEL
from fer_core.stream import STAGES
from tabs import live, visitors

GRAY = np.full((480, 640, 3), 128, np.uint8)
SKIPPED = {"__type__": "update"}


@pytest.fixture(scope="module")
def scene(astronaut):
    """Frames with one face, RGB uint8 (480, 640, 3): ``scene(shift)`` moves it to the right by that many pixels."""
    square = cv2.resize(astronaut, (480, 480), interpolation=cv2.INTER_AREA)

    def frame(shift: int = 0):
        return cv2.copyMakeBorder(square, 0, 0, 80 + shift, 80 - shift, cv2.BORDER_REPLICATE)

    return frame


def ask(page, image, **settings):
    """Sends a frame with the page's first settings or others: (JPEG, panel, bar)."""
    data = image if isinstance(image, bytes) else encode_jpeg(image)
    asked = {"chosen": "largest", "wanted": 128, "unsure_below": 0.4, "why": False, "smoothing_s": 0.3, "target_ms": 40}
    return live.on_frame(data, **asked | {"model": DEFAULT_MODEL} | settings, request=page)


def number(panel: str) -> int | None:
    """Returns the number that the shown face is followed under."""
    found = re.search(r"followed as <b>number (\d+)</b>", panel)
    return found and int(found[1])


def test_a_stream_keeps_its_faces_and_shows_where_the_time_goes(page, scene):
    answers = [ask(page, scene(4 * step)) for step in range(12)]
    assert len({number(panel) for _, panel, _ in answers}) == 1
    for jpeg, panel, bar in answers:
        assert read_picture(jpeg).shape == (480, 640, 3)
        assert "<b>1 face</b>" in panel
        assert "the highest is happiness" in panel
        assert all(f"</span>{stage}</th>" in bar for stage in (*STAGES, "total"))
        assert re.search(r"<b>\d+\.\d frames/s</b>", bar)
    assert "95 % of the last 12" in answers[-1][2]
    visitor = page.table.of(page)
    assert list(visitor.other_stages_ms) == [frame["total"] - frame["classify"] for frame in visitor.timings]
    assert all(frame[stage] > 0 for frame in visitor.timings for stage in ("decode", "classify", "draw", "encode"))


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        pytest.param({"wanted": 64}, "scalable-env2b0 sees <b>64 x 64 px</b>", id="resolution"),
        pytest.param({"model": "scalable-env2s"}, "scalable-env2s sees <b>128 x 128 px</b>", id="model"),
    ],
)
def test_another_setting_keeps_the_face_and_begins_new_percentiles(page, scene, setting, shown):
    first = number(ask(page, scene())[1])
    ask(page, scene())
    _, panel, _ = ask(page, scene(), **setting)
    assert shown in panel
    assert "the highest is happiness" in panel
    assert number(panel) == first
    assert len(page.table.of(page).timings) == 1


def test_frames_that_change_size(page, scene):
    sizes = [(640, 480), (320, 240), (480, 640), (1920, 1080), (640, 480)]
    for size in sizes:
        for _ in range(2):
            jpeg, panel, _ = ask(page, cv2.resize(scene(), size, interpolation=cv2.INTER_AREA))
        width, height = (1280, 720) if max(size) > 1280 else size
        assert read_picture(jpeg).shape == (height, width, 3)
        assert "<b>1 face</b>" in panel


def test_no_face_ever(page):
    for _ in range(15):
        jpeg, panel, bar = ask(page, GRAY)
        assert "No face found" in panel
        assert number(panel) is None
        assert read_picture(jpeg).shape == GRAY.shape
        assert "this frame" in bar
    assert not page.table.of(page).other_stages_ms, "no face, no frame to reckon with"


def test_a_scene_cut_leaves_no_ghost_and_finds_the_new_scene(page, scene):
    before = number(ask(page, scene())[1])
    deadline = time.monotonic() + 5
    while "No face found" not in ask(page, GRAY)[1]:
        assert time.monotonic() < deadline, "the face of the scene before is still shown"
    other = np.ascontiguousarray(scene()[::, ::-1])
    while "<b>1 face</b>" not in (panel := ask(page, other)[1]):
        assert time.monotonic() < deadline, "the face of the new scene is not found"
    assert "the highest is happiness" in panel
    assert before is not None


def test_smoothing_reaches_the_session(page, scene, astronaut):
    ask(page, scene(), smoothing_s=0)
    flat = cv2.GaussianBlur(scene(), (41, 41), 0)
    for smoothing_s, lags in ((0, False), (1.5, True)):
        ask(page, scene(), smoothing_s=0)
        _, panel, _ = ask(page, flat, smoothing_s=smoothing_s)
        assert ("<i style=" in panel) == lags, "a thin line shows where the frame alone differs"


def test_an_unsure_face_is_labeled_so_on_the_picture_too(page, scene):
    sure, panel, _ = ask(page, scene())
    assert "unsure" not in panel
    unsure, panel, _ = ask(page, scene(), unsure_below=0.999)
    assert "<b>unsure</b> <span>best guess happiness" in panel
    assert np.abs(read_picture(sure).astype(int) - read_picture(unsure)).max() > 100


@pytest.mark.parametrize(("pixels", "grid"), [pytest.param(128, 4, id="128"), pytest.param(64, 2, id="64")])
def test_why_colors_the_face_and_says_how_coarse_it_is(page, scene, pixels, grid):
    plain, panel, _ = ask(page, scene(), wanted=pixels)
    assert "yellow" not in panel
    why, panel, _ = ask(page, scene(), wanted=pixels, why=True)
    assert f"a grid of {grid} x {grid} fields" in panel
    difference = np.abs(read_picture(plain).astype(int) - read_picture(why)).max(axis=2)
    assert 0.01 < (difference > 40).mean() < 0.1, "the face, not the whole picture"


def test_without_why_no_map_is_computed(page, scene, monkeypatch):
    monkeypatch.setattr(live, "activation_maps", lambda *_: pytest.fail("computed"))
    assert "<b>1 face</b>" in ask(page, scene())[1]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xd8no picture", id="damaged"),
        pytest.param(b"GIF", id="no-jpeg"),
    ],
)
def test_a_bad_frame_gets_an_alert_and_the_stream_goes_on(page, scene, data):
    first = number(ask(page, scene())[1])
    jpeg, panel, bar = ask(page, data)
    assert jpeg == bar == SKIPPED
    assert 'role="alert"' in panel
    assert number(ask(page, scene())[1]) == first


def test_a_measurement_pauses_the_stream(page, scene, monkeypatch):
    monkeypatch.setattr(live, "PAUSE_SECONDS", 0)
    with page.gate.measurement():
        jpeg, panel, _ = ask(page, scene())
    assert jpeg == SKIPPED
    assert "paused: this CPU is being measured" in panel
    assert "<b>1 face</b>" in ask(page, scene())[1]


def test_after_a_pause_the_stream_begins_anew(page, scene, monkeypatch):
    ask(page, scene())
    visitor = page.table.of(page)
    before = visitor.session
    ask(page, scene())
    assert visitor.session is before
    monkeypatch.setattr(visitors, "LONGEST_GAP_S", 0.0)
    ask(page, scene())
    assert visitor.session is not before
    assert len(visitor.timings) == 1


def test_a_closed_page_leaves_no_session_behind(page, scene):
    ask(page, scene())
    session = weakref.ref(page.table.of(page).session)
    page.table.forget(page)
    gc.collect()
    assert session() is None


def test_slow_frames_get_advice(page, scene):
    for _ in range(10):
        _, _, bar = ask(page, scene(), target_ms=0.1)
    assert "Too slow: 5 % of the frames take" in bar
    assert "What helps:" in bar


def test_no_frame_is_no_answer(page):
    assert live.on_frame(None, "largest", 128, 0.4, False, 0.3, 40, DEFAULT_MODEL, page) == (SKIPPED, SKIPPED, SKIPPED)
