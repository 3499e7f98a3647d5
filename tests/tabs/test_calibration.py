"""Handlers of the calibration tab: what is asked again is answered from what was measured, and bad input is told so."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from fer_core import answers
from fer_core.answers import UNMEASURED_ACCURACY, solve_calibration
from fer_core.calibration import Progress
from fer_core.calibration_files import LARGEST_FILE
from fer_core.latency import point_of
from fer_core.measurements import Measurements
from fer_core.measuring import MeasurementCanceled
from tabs import board as board_module
from tabs import calibration as tab
from tabs import calibration_answers as tab_answers
from tabs import calibration_views as views
from tabs.board import Board, Kept, Task
from tabs.visitors import Visitors

MODEL, RUNTIME = "scalable-env2b0", "openvino"
SIZES = (48, 96, 128, 160, 224, 299)
SKIPPED = {"__type__": "update"}
CURVES = ["lagrange", "quadratic"]
PAGE = SimpleNamespace(session_hash="page")


def measured(scale: float = 1.0, model: str = MODEL, runtime: str = RUNTIME, cpu: str = "a CPU") -> Measurements:
    """A machine of latency 2 + 0.0004 r^2 ms, times ``scale``: 40 ms at 308 px."""
    points = []
    for size in SIZES:
        latency = scale * (2 + 0.0004 * size**2)
        points.append(point_of(size, [[latency * (1 + 0.01 * run) for run in (-1, 0, 1)]] * 3))
    return Measurements(model, "trained", runtime, "paper", "robust", tuple(points), environment={"cpu": cpu})


def kept(target_ms: float = 20.0, owner: str | None = "page", **of: object) -> Kept:
    measurements = measured(**of)
    record = solve_calibration(measurements, target_ms)
    record["answer"]["verified_ms"] = record["answers"]["largest"]["verified_ms"] = 19.5
    return Kept(measurements, record, 0.0, owner)


@pytest.fixture
def visitor(monkeypatch):
    """The visitor of PAGE, in a table and at a board of their own; nothing is measured."""
    table = Visitors()
    own_board = Board()
    for module in (tab, tab_answers):
        monkeypatch.setattr(module, "visitors", table)
        monkeypatch.setattr(module, "board", own_board)
    return table.of(PAGE)


def uploaded(**of: object) -> bytes:
    return json.dumps(solve_calibration(measured(**of), 20.0)).encode()


def answered_px(shown: tab.Shown) -> int:
    return int(shown.answer.split("Largest: ")[1].split(" px")[0])


def solved(target_ms=20.0, meaning=tab.CLASSIFIER, curves=CURVES, noise=0):
    (shown,) = tab.on_solve(target_ms, meaning, curves, noise, PAGE)
    return shown


def test_before_anything_is_measured_the_page_says_so(visitor):
    opened, last = tab.on_open(20.0, tab.CLASSIFIER, CURVES, 0, PAGE)
    assert tab.EMPTY in opened.status
    assert last == tab.Shown(), "Gradio sends what came last once more"
    shown = solved()
    assert tab.EMPTY in shown.status
    assert shown.answer == SKIPPED


@pytest.mark.parametrize("asks_meanwhile", [False, True], ids=["waits", "asks-meanwhile"])
def test_opening_the_page_does_not_overtake_the_visitor(visitor, monkeypatch, asks_meanwhile):
    visitor.calibration = kept()
    monkeypatch.setattr(tab.board, "latest", lambda: visitor.calibration)
    solve = tab_answers.solve_calibration

    def solve_slowly(*arguments):
        visitor.asked += asks_meanwhile
        return solve(*arguments)

    monkeypatch.setattr(tab_answers, "solve_calibration", solve_slowly)
    first, last = tab.on_open(25.0, tab.CLASSIFIER, CURVES, 0, PAGE)
    assert "The last calibration of this machine" in first.status
    assert last.status == SKIPPED, "Gradio sends what came last once more"
    assert (last == tab.Shown()) == asks_meanwhile


def test_opening_the_page_is_silent_once_the_visitor_has_asked(visitor):
    visitor.asked += 1
    assert list(tab.on_open(25.0, tab.CLASSIFIER, CURVES, 0, PAGE)) == []


def test_another_target_changes_the_answer_and_measures_nothing(visitor, monkeypatch):
    monkeypatch.setattr(board_module, "calibrate", lambda *_, **__: pytest.fail("measured"))
    visitor.calibration = kept()
    first, second = solved(20.0), solved(30.0)
    assert answered_px(first) == pytest.approx((18 / 0.0004) ** 0.5, rel=0.02)
    assert answered_px(second) == pytest.approx((28 / 0.0004) ** 0.5, rel=0.02)
    assert first.points == second.points
    assert "verified 19.5 ms" in first.answer
    assert "not measured for this target" in second.answer
    assert first.status == SKIPPED


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda: tab.on_solve(30.0, tab.CLASSIFIER, CURVES, 0, PAGE), id="target"),
        pytest.param(lambda: tab.on_upload(uploaded(), 30.0, tab.CLASSIFIER, CURVES, 0, PAGE), id="upload"),
    ],
)
def test_who_asks_during_a_measurement_is_told_so_and_answered_after_it(visitor, ask):
    visitor.calibration = kept()
    with tab_answers.gate.measurement():
        shown = ask()
        told = next(shown)
    ended, *_, last = shown
    assert "paused: this CPU is being measured. What you asked for is answered after it." in told.status
    assert told._replace(status=tab.Shown().status) == tab.Shown(), "what is shown stays"
    assert tab_answers.ENDED in ended.status
    assert answered_px(last) == pytest.approx((28 / 0.0004) ** 0.5, rel=0.02)


def test_a_curve_is_switched(visitor):
    visitor.calibration = kept()
    names = {trace.name for trace in solved(curves=["newton", "monotone"]).figure["value"].data}
    assert {"newton", "monotone", "answer, verified"} <= names
    assert "quadratic" not in names
    assert "newton" not in {trace.name for trace in solved(curves=[]).figure["value"].data}


@pytest.mark.parametrize(
    ("target_ms", "message"),
    [
        pytest.param(None, "target_ms must be a number greater than zero, but got None", id="cleared"),
        pytest.param(0, "greater than zero, but got 0", id="zero"),
        pytest.param(-3, "greater than zero, but got -3", id="negative"),
        pytest.param("fast", "greater than zero, but got &#x27;fast&#x27;", id="text"),
        pytest.param(float("nan"), "greater than zero, but got nan", id="not-a-number"),
    ],
)
def test_unusable_targets_get_an_alert(visitor, target_ms, message):
    visitor.calibration = kept()
    shown = solved(target_ms)
    assert message in shown.status
    assert 'role="alert"' in shown.status
    assert shown.answer == SKIPPED
    (run,) = tab.on_run(MODEL, RUNTIME, "paper", "robust", target_ms, tab.CLASSIFIER, CURVES, 0, PAGE)
    assert message in run.status


def test_a_target_below_the_floor_is_an_answer(visitor):
    visitor.calibration = kept()
    text = solved(2.0).answer
    assert "no resolution reaches 2 ms with openvino; its floor is" in text
    assert "Economical" not in text


def test_no_noise_is_the_measured_record(visitor):
    measurements = measured()
    assert views.shaken(measurements, 0) is measurements
    visitor.calibration = kept()
    assert solved(noise=0).curves == views.curves_html(visitor.calibration.record)


def test_noise_moves_the_answers_but_not_what_was_measured(visitor):
    visitor.calibration = kept()
    still, shaken = solved(), solved(noise=10)
    assert shaken.curves != still.curves
    assert "10 % of simulated noise" in shaken.answer
    assert "measured, shaken by 10 %" in {trace.name for trace in shaken.figure["value"].data}
    assert shaken.points == still.points
    assert shaken.downloads == still.downloads
    assert solved(noise=10).curves == shaken.curves, "the same noise every time"


BAD_UPLOADS = [
    pytest.param(b"", "the file is empty", id="empty"),
    pytest.param(uploaded()[:100], "damaged or of another kind", id="damaged"),
    pytest.param(b'{"name": "package"}', "this JSON is something else", id="foreign"),
    pytest.param(
        json.dumps(json.loads(uploaded()) | {"schema_version": 0}).encode(), "schema_version 1, but got 0", id="older"
    ),
    pytest.param(b" " * (LARGEST_FILE + 1), "at most 5,000,000 bytes", id="huge"),
]


@pytest.mark.parametrize(("data", "message"), BAD_UPLOADS)
def test_bad_uploads_get_an_alert_and_leave_what_is_shown(visitor, data, message):
    visitor.calibration = before = kept()
    visitor.compared = compared = measured(2.0)
    (shown,) = tab.on_upload(data, 20.0, tab.CLASSIFIER, CURVES, 0, PAGE)
    assert message in shown.status
    assert 'role="alert"' in shown.status
    assert set(map(str, shown[1:])) == {str(SKIPPED)}
    assert visitor.calibration is before
    assert visitor.compared is compared


def test_an_upload_is_compared_and_removed_again(visitor):
    visitor.calibration = kept()
    (shown,) = tab.on_upload(uploaded(scale=2.0, cpu="<b>another</b>"), 20.0, tab.CLASSIFIER, CURVES, 0, PAGE)
    assert "measured on &lt;b&gt;another&lt;/b&gt;" in shown.status
    assert "&lt;b&gt;another&lt;/b&gt;): 141 px" in shown.answer
    assert "compared: &lt;b&gt;another&lt;/b&gt;" in {trace.name for trace in shown.figure["value"].data}
    assert answered_px(shown) == answered_px(solved()) > 141
    (removed,) = tab.on_upload(None, 20.0, tab.CLASSIFIER, CURVES, 0, PAGE)
    assert "Compared" not in removed.answer
    assert visitor.compared is None


def test_without_a_calibration_of_this_machine_the_upload_is_shown(visitor):
    (shown,) = tab.on_upload(uploaded(), 20.0, tab.CLASSIFIER, CURVES, 0, PAGE)
    assert answered_px(shown) == pytest.approx(212, rel=0.02)
    assert visitor.compared is None


def test_the_whole_frame_needs_frames(visitor):
    visitor.calibration = kept()
    shown = solved(meaning=tab.FRAME)
    assert "start the camera" in shown.status
    assert 'role="alert"' in shown.status
    visitor.other_stages_ms.extend([10.0] * 20)
    shown = solved(30.0, meaning=tab.FRAME)
    assert "20.0 ms are left" in shown.answer
    assert answered_px(shown) == answered_px(solved(20.0))


@pytest.mark.parametrize(
    ("asked", "of", "handed_over"),
    [
        pytest.param({}, {}, True, id="whole-frame"),
        pytest.param({"meaning": tab.CLASSIFIER}, {}, False, id="classifier-alone"),
        pytest.param({"noise": 5}, {}, False, id="noise"),
        pytest.param({}, {"model": "scalable-env2s"}, True, id="another-model"),
        pytest.param({}, {"model": "bdf-mobilenet"}, False, id="model-without-weights"),
        pytest.param({}, {"runtime": "keras-predict"}, False, id="another-runtime"),
        pytest.param({}, {"owner": None}, False, id="another-machine"),
    ],
)
def test_which_answer_the_live_tab_gets(visitor, monkeypatch, asked, of, handed_over):
    monkeypatch.setattr(tab.resolution, "trained_range", lambda _: (32, 640))
    # Without an accuracy there is one answer, the largest, whatever was measured of the shipped weights.
    monkeypatch.setattr(answers, "known_accuracy", lambda *of: answers.KnownAccuracy())
    visitor.calibration = kept(**of)
    visitor.other_stages_ms.extend([10.0] * 20)
    px = answered_px(solved(**({"target_ms": 25.0, "meaning": tab.FRAME} | asked)))
    model, update, status = tab.on_use(PAGE)
    if handed_over:
        assert model == of.get("model", MODEL)
        assert update["value"] == px
        assert px in update["choices"]
        assert f"now uses {model} at {px} px" in status
    else:
        assert model == update == SKIPPED
        assert tab.DEFAULT_MODEL in status


@pytest.mark.parametrize(
    ("trained", "text"),
    [
        pytest.param((64, 160), "trained for 64 to 160 px", id="too-large"),
        pytest.param((300, 400), "trained for 300 to 400 px", id="too-small"),
        pytest.param(None, "no sizes that are on record", id="unknown"),
    ],
)
def test_sizes_that_the_weights_do_not_know_are_refused(visitor, monkeypatch, trained, text):
    monkeypatch.setattr(tab.resolution, "trained_range", lambda _: trained)
    visitor.answer = MODEL, 224
    model, update, status = tab.on_use(PAGE)
    assert model == update == SKIPPED
    assert text in status
    assert UNMEASURED_ACCURACY in status


def test_a_run_under_way_is_drawn_once_for_all_who_follow_it(visitor, monkeypatch):
    views.progress_figure.cache_clear()
    monkeypatch.setattr(tab.board, "last", lambda _: kept())

    def follow(page: str, *counts: int) -> list:
        steps = [Progress("measuring", 0.5, "round 1", measured().points[:count]) for count in counts]
        monkeypatch.setattr(tab.board, "start_or_follow", lambda task, _: ((task, step) for step in steps))
        asked = (MODEL, RUNTIME, "paper", "robust", 21.0, tab.CLASSIFIER, CURVES, 0)
        shown = list(tab.on_run(*asked, SimpleNamespace(session_hash=page)))
        return [each.figure["value"] for each in shown[: len(counts)] if "value" in each.figure]

    (one,), (other,) = follow("page", 1, 3), follow("another page", 3)
    assert one is other
    assert views.progress_figure.cache_info().misses == 1, "one point alone is not drawn"
    (later,) = follow("page", 4)
    assert json.loads(later.plot) != json.loads(one.plot)


def test_a_canceled_run_gives_way_to_the_last_good_calibration(visitor, monkeypatch):
    def calibrate(*_, **__):
        def steps():
            raise MeasurementCanceled
            yield

        return steps()

    monkeypatch.setattr(board_module, "calibrate", calibrate)
    visitor.calibration = before = kept()
    *_, last = tab.on_run(MODEL, RUNTIME, "48,96", "robust", 20.0, tab.CLASSIFIER, CURVES, 0, PAGE)
    assert "the measurement was canceled" in last.status
    assert answered_px(last) == answered_px(solved())
    assert visitor.calibration is before


def test_a_recent_calibration_of_another_visitor_is_shown_instead(visitor, monkeypatch):
    monkeypatch.setattr(board_module, "calibrate", lambda *_, **__: pytest.fail("measured"))
    recent = kept(owner="another page")
    monkeypatch.setattr(Kept, "age_seconds", 10.0)
    tab.board._keep(Task(MODEL, RUNTIME, "paper", "robust", 20.0), recent)
    (shown,) = tab.on_run(MODEL, RUNTIME, "paper", "robust", 30.0, tab.CLASSIFIER, CURVES, 0, PAGE)
    assert "Another visitor measured this just now" in shown.status
    assert visitor.calibration is recent
