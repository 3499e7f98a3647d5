"""What the live tab runs at when it follows the calibration of this machine."""

import time
from types import SimpleNamespace

import pytest

from fer_core.answers import KnownAccuracy
from tabs import resolution
from tabs.board import Board, Task
from tabs.visitors import Visitor
from tests.tabs.test_calibration import MODEL, kept


@pytest.fixture
def board(monkeypatch):
    """A board of its own; the weights know 60 to 260 px."""
    board = Board()
    monkeypatch.setattr(resolution, "board", board)
    monkeypatch.setattr(resolution, "trained_range", lambda _: (60, 260))
    monkeypatch.setattr(resolution, "known_accuracy", lambda *_: KnownAccuracy((60, 260)))
    return board


def measured(board: Board, **of: object) -> None:
    """The machine of ``test_calibration``: 2 + 0.0004 r^2 ms, times ``scale``."""
    done = kept(**of)
    board._keep(Task(done.measurements.model, done.measurements.runtime, "paper", "robust", 20.0), done)


def visitor(others_ms: float | None = 10.0) -> Visitor:
    page = Visitor()
    if others_ms is not None:
        page.other_stages_ms.extend([others_ms] * 20)
    return page


def test_a_chosen_size_is_taken_as_it_is(board):
    assert resolution.resolved(96, visitor(), MODEL, 40.0) == (96, None)


def test_following_takes_the_answer_for_the_whole_frame(board):
    measured(board)
    pixels, note = resolution.resolved(resolution.FOLLOW, visitor(10.0), MODEL, 30.0)
    assert pixels == pytest.approx((18 / 0.0004) ** 0.5, rel=0.02)
    assert f"{pixels} px for the 20.0 ms that the other stages leave" in note


def test_the_economical_answer_comes_first(board, monkeypatch):
    known = KnownAccuracy((60, 260), {64: 0.7, 96: 0.8, 128: 0.802, 160: 0.79})
    monkeypatch.setattr(resolution, "known_accuracy", lambda *_: known)
    measured(board)
    assert resolution.resolved(resolution.FOLLOW, visitor(10.0), MODEL, 30.0)[0] == 96


@pytest.mark.parametrize(
    ("of", "others_ms", "target_ms", "pixels", "note"),
    [
        pytest.param(None, 10.0, 30.0, 128, "press Run", id="nothing-measured"),
        pytest.param({"model": "scalable-env2s"}, 10.0, 30.0, 128, "press Run", id="another-model"),
        pytest.param({"runtime": "keras-predict"}, 10.0, 30.0, 128, "press Run", id="another-runtime"),
        pytest.param({"owner": None}, 10.0, 30.0, 128, "press Run", id="another-machine"),
        pytest.param({}, None, 30.0, 128, "ten camera frames", id="no-frames-yet"),
        pytest.param({}, 35.0, 30.0, 64, "alone take 35 ms of 30 ms", id="nothing-left"),
        pytest.param({}, 28.5, 30.0, 64, "no resolution reaches 1.5 ms", id="below-the-floor"),
        pytest.param({"scale": 9.0}, 10.0, 38.0, 60, "know none under 60 px", id="under-the-trained-sizes"),
        pytest.param({}, 5.0, 60.0, 260, "know none over 260 px", id="over-the-trained-sizes"),
    ],
)
def test_what_is_used_where_the_answer_does_not_fit(board, of, others_ms, target_ms, pixels, note):
    if of is not None:
        measured(board, **of)
    used, why = resolution.resolved(resolution.FOLLOW, visitor(others_ms), MODEL, target_ms)
    assert used == pixels
    assert note in why


def test_following_does_not_flicker(board, monkeypatch):
    measured(board)
    clock = SimpleNamespace(monotonic=lambda: clock.now, now=time.monotonic())
    monkeypatch.setattr(resolution, "time", clock)
    page = visitor(10.0)
    first = resolution.resolved(resolution.FOLLOW, page, MODEL, 30.0)
    page.other_stages_ms.extend([15.0] * 100)
    assert resolution.resolved(resolution.FOLLOW, page, MODEL, 30.0) == first, "asked again only now and then"
    clock.now += 11
    second = resolution.resolved(resolution.FOLLOW, page, MODEL, 30.0)
    assert second[0] < first[0]
    page.other_stages_ms.extend([15.2] * 100)
    clock.now += 11
    assert resolution.resolved(resolution.FOLLOW, page, MODEL, 30.0) == second, "a pixel more or less is not worth it"
    assert resolution.resolved(resolution.FOLLOW, page, MODEL, 40.0)[0] > second[0], (
        "another target is answered at once"
    )


def test_a_new_calibration_is_followed_at_once(board):
    page = visitor(10.0)
    measured(board)
    before = resolution.resolved(resolution.FOLLOW, page, MODEL, 30.0)[0]
    measured(board, scale=2.0)
    assert resolution.resolved(resolution.FOLLOW, page, MODEL, 30.0)[0] < before


def test_a_picture_goes_by_the_target_of_the_camera(board):
    measured(board)
    page = visitor(10.0)
    camera = resolution.resolved(resolution.FOLLOW, page, MODEL, 25.0)
    assert resolution.resolved(resolution.FOLLOW, page, MODEL) == camera


def test_each_model_follows_its_own_calibration(board):
    measured(board)
    measured(board, model="scalable-env2s", scale=4.0)
    page = visitor(10.0)
    small, large = (resolution.resolved(resolution.FOLLOW, page, model, 30.0)[0] for model in (MODEL, "scalable-env2s"))
    assert small > large, "the one that was measured first is still followed"
    assert resolution.resolved(resolution.FOLLOW, page, MODEL, 30.0)[0] == small


def test_what_the_visitor_looks_at_is_followed_where_nothing_newer_is_kept(board):
    page = visitor(10.0)
    page.calibration = kept()
    pixels, note = resolution.resolved(resolution.FOLLOW, page, MODEL, 30.0)
    assert f"{pixels} px for the 20.0 ms" in note
