"""Any JSON into the readers of calibrations, measured figures and checksums: read whole, or refused with a reason."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_core import model_files
from fer_core.answers import known_accuracy, solve_calibration
from fer_core.calibration_files import parse_calibration
from fer_core.latency import Reference, point_of
from fer_core.measurements import Floor, Measurements
from fer_core.measuring import Skipped
from fer_core.model_files import ModelFileError, checked_file, read_metrics
from fer_core.results import read_results
from tabs import calibration as tab
from tabs import results
from tabs.board import Board
from tabs.visitors import Visitors
from tests.fuzz.cases import JSON, cases, cut_and_changed, damaged, names_no_path
from tests.metrics_files import protocol

MODEL = "scalable-env2b0"
MEASUREMENTS = Measurements(
    model=MODEL,
    weights="trained",
    runtime="tensorflow-graph",
    ladder="paper",
    protocol="robust",
    points=tuple(point_of(size, [[size / 10, size / 9], [size / 11]], 0.25) for size in (64, 128, 224)),
    skipped=(Skipped(12, "too small"),),
    timed={"inference": "the forward pass"},
    environment={"cpu": "a CPU", "threads": 2, "governor": None, "libraries": {"numpy": "2.4.6"}},
    reference=Reference(5.0, 5.1),
    other_floors=(Floor("openvino", 64, 1.5),),
)
CALIBRATION = solve_calibration(MEASUREMENTS, 12.0)
WITHOUT_RUNS = CALIBRATION | {"points": [point | {"visits_ms": []} for point in CALIBRATION["points"]]}
CALIBRATIONS = [json.dumps(record).encode() for record in (CALIBRATION, WITHOUT_RUNS)]


def as_bytes(values: st.SearchStrategy) -> st.SearchStrategy[bytes]:
    return values.map(lambda value: json.dumps(value).encode())


@pytest.fixture
def page(monkeypatch):
    """A page of the calibration tab, in a table and at a board of their own."""
    monkeypatch.setattr(tab, "visitors", Visitors())
    monkeypatch.setattr(tab, "board", Board())
    return SimpleNamespace(session_hash="page")


CALIBRATIONS_OF_ANYBODY = (
    st.binary(max_size=50)
    | cut_and_changed(CALIBRATIONS)
    | as_bytes(JSON | damaged(CALIBRATION) | damaged(WITHOUT_RUNS))
)


@cases(200)
@given(data=CALIBRATIONS_OF_ANYBODY)
def test_every_calibration_is_read_or_refused(data):
    try:
        found = parse_calibration(data)
    except ValueError as error:
        assert names_no_path(str(error))
    else:
        assert parse_calibration(json.dumps(CALIBRATION | found.record()).encode()).points == found.points
    assert parse_calibration(CALIBRATIONS[0]).points, "the next ordinary one is read"


@cases(8)
@given(data=CALIBRATIONS_OF_ANYBODY)
def test_every_calibration_is_answered_and_shown_or_refused(page, data):
    (shown,) = tab.on_upload(data, 25, tab.CLASSIFIER, ["lagrange", "quadratic"], 0, request=page)
    assert 'role="alert"' in shown.status or "Uploaded: " in shown.status
    (again,) = tab.on_upload(CALIBRATIONS[0], 25, tab.CLASSIFIER, ["lagrange"], 0, request=page)
    assert "Uploaded: " in again.status, "the next ordinary one is read"


METRICS = {
    "schema_version": 1,
    "trained_sizes": [64, 128],
    "temperature": 1.2,
    "history": [{"epoch": 1, "stage": None, "loss": 1.5, "accuracy": 0.4, "validation_accuracy": 0.5}],
    "trained_with": {"command": "python -m train fit", "hardware": "a CPU", "date": "2026", "training_seconds": 9.5},
    "protocols": {"kdef-unseen-people": protocol(0.8), "raf-db-test": protocol(0.7, by_angle=None)},
}


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder of models, as the results tab reads it, with one that has a ``metrics.json``."""
    (tmp_path / MODEL).mkdir()
    monkeypatch.setattr(model_files, "MODELS_FOLDER", tmp_path)
    monkeypatch.setattr(results, "board", Board())
    return tmp_path


METRICS_OF_ANYBODY = (
    st.binary(max_size=50) | cut_and_changed([json.dumps(METRICS).encode()]) | as_bytes(JSON | damaged(METRICS))
)


@cases(200)
@given(data=METRICS_OF_ANYBODY)
def test_all_figures_are_read_or_refused(models, data):
    path = models / MODEL / "metrics.json"
    path.write_bytes(data)
    for read in (read_metrics, read_results, lambda name: known_accuracy(name, "trained")):
        try:
            read(MODEL)
        except ModelFileError as error:
            assert names_no_path(str(error))
    path.write_text(json.dumps(METRICS))
    assert len(read_results(MODEL).rows) == 2, "the next ordinary one is read"


@cases(8)
@given(data=METRICS_OF_ANYBODY)
def test_all_figures_are_shown_or_refused(models, data):
    path = models / MODEL / "metrics.json"
    path.write_bytes(data)
    for split in results.SPLITS:
        results.show_tables(split.name)
        results.show_scores(split.name)
    results.show_training(MODEL)
    path.write_text(json.dumps(METRICS))
    assert "0.80" in results.show_tables(results.SPLITS[0].name).table, "the next ordinary one is shown"


@cases(100)
@given(data=st.binary(max_size=100) | cut_and_changed([f"{'0' * 64}  model.xml\n".encode()]))
def test_all_checksums_are_compared_or_refused(models, data):
    (models / MODEL / "model.xml").write_bytes(b"<net/>")
    (models / MODEL / "SHA256SUMS").write_bytes(data)
    with pytest.raises(ModelFileError) as raised:
        checked_file(MODEL, "model.xml")
    assert names_no_path(str(raised.value))
    model_files.write_checksums(models / MODEL, ["model.xml"])
    assert checked_file(MODEL, "model.xml").read_bytes() == b"<net/>"
