"""Endpoints for programs: what they answer, and what a client learns of an error."""

from __future__ import annotations

import json
import threading
import time
from types import SimpleNamespace

import gradio as gr
import pytest
from PIL import Image

from fer_core.compute import ComputeGate
from fer_core.model_files import ModelFileError, read_metrics
from fer_core.recognizer import Analysis, Face
from fer_core.video import VideoCanceled
from tabs import api
from tabs.visitors import Visitors
from tests.tabs.test_calibration import kept, uploaded

CLIENT = SimpleNamespace(session_hash="client")


def upload(path):
    """The picture as Gradio hands it over."""
    return {"path": str(path), "orig_name": "mine.png", "meta": {"_type": "gradio.FileData"}}


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "secret-folder.png"
    Image.new("RGB", (64, 48)).save(path)
    return path


@pytest.fixture(autouse=True)
def recognizer(monkeypatch):
    """A recognizer that finds one face, and a gate of its own."""
    face = Face((1, 2, 30, 40), 0.99, {"happiness": 0.9, "anger": 0.1})
    found = SimpleNamespace(analyze=lambda image: Analysis([face], {"total": 5.0}))
    found.at = lambda resolution: found
    monkeypatch.setattr(api.engine, "recognizer", lambda: found)
    monkeypatch.setattr(api, "gate", ComputeGate())


@pytest.mark.parametrize(
    ("uploads", "further"),
    [pytest.param(True, {"/recognize", "/video"}, id="all"), pytest.param(False, set(), id="without-uploads")],
)
def test_endpoints_are_named(uploads, further):
    with gr.Blocks() as blocks:
        api.build(uploads)
    assert set(blocks.get_api_info()["named_endpoints"]) == {"/calibrate", "/solve", "/results"} | further


def test_recognize_answers_as_the_command_line_does(picture):
    record = api.recognize(upload(picture), request=CLIENT)
    assert record == {
        "schema_version": 1,
        "image": "mine.png",
        "width": 64,
        "height": 48,
        "faces": [
            {
                "box": [1, 2, 30, 40],
                "emotion": "happiness",
                "confidence": 0.9,
                "probabilities": {"happiness": 0.9, "anger": 0.1},
                "detection_score": 0.99,
            }
        ],
        "timings_ms": {"total": 5.0},
        "error": None,
    }


def test_recognize_refuses_what_is_no_picture(tmp_path):
    path = tmp_path / "text.png"
    path.write_text("not a picture")
    with pytest.raises(gr.Error, match="expected a picture as JPEG") as raised:
        api.recognize(upload(path), request=CLIENT)
    assert str(tmp_path) not in raised.value.message


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("/etc/hostname", id="path"),
        pytest.param({"path": "/etc/hostname"}, id="path-that-gradio-did-not-check"),
        pytest.param(None, id="nothing"),
    ],
)
def test_recognize_reads_uploads_alone(value):
    with pytest.raises(gr.Error, match="picture must be an uploaded file, but got"):
        api.recognize(value, request=CLIENT)
    with pytest.raises(gr.Error, match="film must be an uploaded file, but got"):
        api.video(value, request=CLIENT)


@pytest.mark.parametrize("endpoint", [api.recognize, api.video], ids=["recognize", "video"])
def test_other_resolutions_are_refused(endpoint, picture):
    with pytest.raises(gr.Error, match="resolution must be one of 64, 96, 128, 160, but got 100"):
        endpoint(upload(picture), 100, request=CLIENT)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda path: api.recognize(upload(path), request=CLIENT), id="recognize"),
        pytest.param(lambda path: api.solve(uploaded().decode(), 30.0, CLIENT), id="solve"),
    ],
)
def test_nothing_is_computed_while_the_cpu_is_being_measured(picture, call):
    with api.gate.measurement(), pytest.raises(gr.Error, match="this CPU is being measured"):
        call(picture)


@pytest.mark.parametrize("form", [pytest.param(bytes.decode, id="text"), pytest.param(json.loads, id="object")])
def test_solve_answers_from_text_and_from_an_object(form):
    record = api.solve(form(uploaded()), 30.0, CLIENT)
    assert record["target_ms"] == 30.0
    largest = record["answers"]["largest"]
    assert largest["resolution"] == pytest.approx((28 / 0.0004) ** 0.5, rel=0.02)
    assert largest["verified_ms"] is None


@pytest.mark.parametrize(
    ("calibration", "target_ms", "message"),
    [
        pytest.param([1], 25, "as JSON text or an object, but got list", id="list"),
        pytest.param("", 25, "the file is empty", id="empty"),
        pytest.param({"points": float("nan")}, 25, "damaged or of another kind", id="not-a-number"),
        pytest.param({}, 25, "this JSON is something else", id="empty-object"),
        pytest.param(uploaded().decode(), -1, "greater than zero, but got -1", id="negative-target"),
        pytest.param(uploaded().decode(), "fast", "greater than zero, but got 'fast'", id="text-target"),
    ],
)
def test_solve_refuses_bad_input(calibration, target_ms, message):
    with pytest.raises(gr.Error, match=message):
        api.solve(calibration, target_ms, CLIENT)


def test_calibrate_goes_through_the_board(monkeypatch):
    asked, done = [], kept()
    monkeypatch.setattr(api.board, "measure", lambda task, owner, tell: asked.append((task, owner)) or done)
    assert api.calibrate("scalable-env2b0", "openvino", 20, "48,96", request=CLIENT) is done.record
    assert asked == [(api.Task("scalable-env2b0", "openvino", "48,96", "robust", 20.0), "client")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("resnet", "openvino"), "model must be one of", id="model"),
        pytest.param(("scalable-env2b0", "onnx"), "runtime must be one of", id="runtime"),
        pytest.param(("scalable-env2b0", "openvino", 0), "greater than zero, but got 0", id="target"),
        pytest.param(("scalable-env2b0", "openvino", 40, "48,fast"), "ladder must be 'paper'", id="ladder"),
        pytest.param(("scalable-env2b0", "openvino", 40, "paper", "quick"), "protocol must be one of", id="protocol"),
    ],
)
def test_calibrate_refuses_unusable_arguments(arguments, message):
    with pytest.raises(gr.Error, match=message):
        api.calibrate(*arguments, request=CLIENT)


@pytest.fixture
def jobs(monkeypatch):
    """The videos that were begun, none of which ends by itself."""
    begun = []
    monkeypatch.setattr(api, "visitors", Visitors())
    monkeypatch.setattr(api.VideoJob, "start", lambda job: begun.append(job))
    return begun


def test_a_client_has_one_video_at_a_time_and_takes_it_along(picture, jobs):
    errors = []

    def ask():
        with pytest.raises(gr.Error) as raised:
            api.video(upload(picture), request=CLIENT)
        errors.append(raised.value.message)

    first = threading.Thread(target=ask)
    first.start()
    while not jobs:
        assert first.is_alive()
        time.sleep(0.01)
    ask()
    assert errors == [api.BUSY]
    api.visitors.forget(CLIENT)
    assert jobs[0].cancel.is_set()
    jobs[0]._error = VideoCanceled()
    jobs[0].ended.set()
    first.join()
    assert errors[1] == str(VideoCanceled())


def test_results_are_those_of_the_records():
    record = api.results()
    assert json.loads(json.dumps(record, allow_nan=False)) == record, "Gradio sends nothing else, keys of texts alone"
    assert record["paper"]["scalable-env2b0"]["accuracy"] == 0.96
    ours = {row["protocol"]: row for row in record["measured"] if row["model"] == "scalable-env2b0"}
    assert ours.keys() == read_metrics("scalable-env2b0")["protocols"].keys()
    for protocol, figures in read_metrics("scalable-env2b0")["protocols"].items():
        assert ours[protocol]["accuracy"] == figures["accuracy"]


def test_damaged_records_are_told(monkeypatch):
    def damaged():
        raise ModelFileError("model a: metrics.json: history is damaged")

    monkeypatch.setattr(api, "results_record", damaged)
    with pytest.raises(gr.Error, match="history is damaged"):
        api.results()
