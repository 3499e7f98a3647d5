"""A measuring process reports what it measures, and never takes the caller down or keeps it waiting."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from fer_core.latency import Visit, protocol
from fer_core.measuring import (
    MeasurementCanceled,
    MeasurementFailed,
    MeasuringProcess,
    Ready,
    Skipped,
)
from fer_core.worker_process import plain

MODEL = "bdf-mobilenet"


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_sizes_are_measured_and_impossible_ones_skipped():
    with MeasuringProcess(MODEL, "openvino") as process:
        loaded = process.load()
        events = list(process.measure([12, 32, 64], protocol("robust", 10)))
        pid = process._process.pid
    assert loaded.weights in ("random", "trained")
    assert set(loaded.timed) == {"inference", "preprocessing"}
    assert [event for event in events if isinstance(event, Skipped)] == [
        Skipped(12, "bdf-mobilenet needs a resolution of at least 32 px, but got 12 px")
    ]
    assert [event.resolution for event in events if isinstance(event, Ready)] == [32, 64]
    visits = [event for event in events if isinstance(event, Visit)]
    assert sorted(visit.resolution for visit in visits) == [32, 32, 64, 64]
    assert all(len(visit.runs_ms) == 5 and min(visit.runs_ms) > 0 for visit in visits)
    assert all(min(visit.preprocessing_ms) > 0 for visit in visits)
    assert not is_running(pid)


def test_a_process_that_dies_is_reported():
    with MeasuringProcess(MODEL, "openvino") as process:
        os.kill(process._process.pid, signal.SIGKILL)
        with pytest.raises(MeasurementFailed, match=r"openvino died while loading \(signal 9\)"):
            process.load()


def test_a_process_that_says_nothing_is_ended():
    with MeasuringProcess(MODEL, "openvino", silence_limit_s=0.3) as process:
        os.kill(process._process.pid, signal.SIGSTOP)
        with pytest.raises(MeasurementFailed, match="took too long while loading and was ended"):
            process.load()
        pid = process._process.pid
    assert not is_running(pid)


def test_it_can_be_canceled_from_another_thread():
    cancel = threading.Event()
    with MeasuringProcess(MODEL, "openvino", cancel=cancel) as process:
        threading.Timer(0.3, cancel.set).start()
        started = time.monotonic()
        with pytest.raises(MeasurementCanceled, match="the measurement was canceled"):
            process.load()
        pid = process._process.pid
    assert time.monotonic() - started < 30
    assert not is_running(pid)


def test_damaged_model_files_are_an_error_of_the_caller(tmp_path):
    folder = tmp_path / MODEL
    folder.mkdir()
    (folder / "SHA256SUMS").write_text("0000  model.xml\n")
    (folder / "model.xml").write_text("<net/>")
    with (
        MeasuringProcess(MODEL, "openvino", models=tmp_path) as process,
        pytest.raises(ValueError, match=r"models/bdf-mobilenet/model\.xml is damaged"),
    ):
        process.load()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("resnet", "openvino"), "model must be one of scalable-env2b0", id="model"),
        pytest.param((MODEL, "onnx"), "runtime must be one of keras-predict", id="runtime"),
        pytest.param((MODEL, "openvino", None, "int8"), "precision must be one of default, fp32", id="precision"),
    ],
)
def test_unknown_names_list_the_known_ones(arguments, message):
    with pytest.raises(ValueError, match=message):
        MeasuringProcess(*arguments)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(OSError("cannot open /srv/app/models/x.bin now\nmore"), "cannot open (a file) now", id="path"),
        pytest.param(ValueError("models/m/x.bin is damaged"), "models/m/x.bin is damaged", id="inside-the-project"),
        pytest.param(MemoryError(), "MemoryError", id="no-message"),
        pytest.param(ValueError("x" * 999), "x" * 200, id="long"),
    ],
)
def test_errors_are_told_without_paths(error, expected):
    assert plain(error) == expected
