"""The paper's figures as printed, and measured ones as their files have them; damaged files say where."""

from __future__ import annotations

import json
import math

import pytest

from fer_core import model_files
from fer_core.builder import ARCHITECTURES
from fer_core.model_files import ModelFileError
from fer_core.results import PAPER_TABLE_2, measured_rows, read_results
from tests.conftest import shared
from tests.metrics_files import protocol, write_metrics

MODEL = "scalable-env2b0"


def test_the_papers_table_is_that_of_its_transcript():
    lines = shared("paper.md").read_text().split("## Table 2", 1)[1].splitlines()
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert [name.lower() for name in table[0][1:]] == list(PAPER_TABLE_2)
    fields = ("resolution", "accuracy", "loss", "f1_macro", "f1_micro", "f1_weighted", "latency_ms")
    for field, row in zip(fields, table[2:], strict=True):
        assert [float(cell) for cell in row[1:]] == [getattr(paper, field) for paper in PAPER_TABLE_2.values()], field
    peaks = next(line for line in lines if line.startswith("Peak validation accuracy"))
    numbers = [float(number) for number in peaks.split(":")[1].strip(" .").split(",")]
    assert numbers == [paper.peak_validation_accuracy for paper in PAPER_TABLE_2.values()]


def test_the_papers_models_are_ours_at_the_papers_resolutions():
    assert {name: row.resolution for name, row in PAPER_TABLE_2.items()} == {
        name: architecture.paper_resolution for name, architecture in ARCHITECTURES.items()
    }


@pytest.mark.parametrize("model", list(ARCHITECTURES))
def test_rows_and_epochs_are_those_of_the_shipped_file(model):
    path = model_files.model_folder(model) / "metrics.json"
    results = read_results(model)
    if not path.is_file():
        assert results.rows == ()
        assert results.training is None
        return
    metrics = json.loads(path.read_text())
    assert [row.protocol for row in results.rows] == list(metrics["protocols"])
    for row in results.rows:
        entry = metrics["protocols"][row.protocol]
        same = ("accuracy", "loss", "f1_macro", "f1_micro", "f1_weighted", "calibration_error", "images", "resolution")
        same += ("faces_missed", "people", "confusion", "weights", "date", "machine", "description")
        assert {name: getattr(row, name) for name in same} == {name: entry.get(name) for name in same}
        assert {str(size): share for size, share in row.accuracy_by_resolution.items()} == entry[
            "accuracy_by_resolution"
        ]
        assert row.by_angle == entry.get("by_angle", {})
    if metrics.get("history"):
        for epoch, record in zip(results.training.epochs, metrics["history"], strict=True):
            same = ("epoch", "stage", "loss", "accuracy", "validation_loss", "validation_accuracy")
            assert {name: getattr(epoch, name) for name in same} == {name: record.get(name) for name in same}


@pytest.mark.parametrize(
    ("std", "expected"),
    [
        pytest.param(None, None, id="single-run"),
        pytest.param(0.02, 0.02, id="one-number"),
        pytest.param({"accuracy": 0.03, "loss": 0.4, "accuracy_by_resolution": {"48": 0.1}}, 0.03, id="by-figure"),
    ],
)
def test_standard_deviation(tmp_path, std, expected):
    write_metrics(tmp_path, MODEL, {"kdef-unseen-people": protocol(0.8, std=std)})
    (row,) = measured_rows(tmp_path)
    assert row.accuracy_std == expected
    assert row.accuracy_at(128) == row.accuracy
    assert row.accuracy_at(64) == pytest.approx(0.7)
    assert row.accuracy_at(65) is None


def test_a_model_without_a_file_is_empty(tmp_path):
    assert measured_rows(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"accuracy": None}, "raf-db-test is damaged: accuracy must be a number", id="no-accuracy"),
        pytest.param({"accuracy": "0.8"}, "accuracy must be a number of 0 to 1, but got '0.8'", id="text"),
        pytest.param({"accuracy": 1.2}, "accuracy must be a number of 0 to 1, but got 1.2", id="above-one"),
        pytest.param({"loss": math.nan}, "loss must be a number", id="nan"),
        pytest.param({"f1_macro": True}, "f1_macro must be a number", id="bool"),
        pytest.param({"images": 3.5}, "images must be a whole number", id="half-a-picture"),
        pytest.param({"confusion": [[1] * 7] * 6}, "confusion must be 7 x 7 counts", id="six-rows"),
        pytest.param({"confusion": [[-1] * 7] * 7}, "confusion must be 7 x 7 counts", id="negative"),
        pytest.param({"confusion": [1] * 7}, "confusion must be 7 x 7 counts", id="flat"),
        pytest.param({"accuracy_by_resolution": [0.5]}, "accuracy_by_resolution must be an object", id="list"),
        pytest.param({"accuracy_by_resolution": {"big": 0.5}}, "invalid literal", id="no-size"),
        pytest.param({"by_angle": {"XX": 0.5}}, "by_angle must be of FL, HL, S, HR, FR, but got XX", id="angle"),
        pytest.param({"weights": "lost"}, "weights must be one of shipped, run, but got 'lost'", id="weights"),
        pytest.param({"date": None}, "date must be text", id="no-date"),
        pytest.param({"machine": ""}, "machine must be text", id="no-machine"),
        pytest.param({"people": -1}, "people must be a whole number", id="people"),
    ],
)
def test_a_damaged_protocol_says_which_and_what(tmp_path, changes, message):
    write_metrics(tmp_path, MODEL, {"raf-db-test": protocol(0.8, **changes)})
    with pytest.raises(ModelFileError, match=message) as error:
        measured_rows(tmp_path)
    assert MODEL in str(error.value)
    assert str(tmp_path) not in str(error.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"protocols": []}, "protocols must be an object", id="protocols-list"),
        pytest.param({"protocols": {"raf-db-test": 1}}, "each protocol must be an object", id="protocol-number"),
        pytest.param({"history": {"epoch": 1}}, "history must be a list", id="history-object"),
        pytest.param({"history": [5]}, "each epoch must be an object", id="epoch-number"),
        pytest.param({"history": [{"loss": 1.0}]}, "epoch must be a whole number", id="no-epoch"),
        pytest.param({"history": [{"epoch": 1, "loss": "low"}]}, "loss must be a number", id="loss-text"),
        pytest.param({"history": [{"epoch": 1}], "trained_with": [1]}, "trained_with must be an object", id="trained"),
        pytest.param({"schema_version": 2}, "version 1, but got 2", id="version"),
    ],
)
def test_a_damaged_file_says_where(tmp_path, fields, message):
    write_metrics(tmp_path, MODEL, {}, **fields)
    with pytest.raises(ModelFileError, match=message):
        read_results(MODEL, tmp_path)


def test_an_epoch_may_lack_figures(tmp_path):
    history = [{"epoch": 1, "loss": None, "validation_loss": 1.5}, {"epoch": 2, "stage": 2, "accuracy": 0.5}]
    write_metrics(tmp_path, MODEL, {}, history=history, trained_with={"hardware": "a CPU", "training_seconds": 90})
    run = read_results(MODEL, tmp_path).training
    assert [(epoch.loss, epoch.validation_loss, epoch.stage) for epoch in run.epochs] == [
        (None, 1.5, None),
        (None, None, 2),
    ]
    assert (run.hardware, run.seconds, run.command, run.date, run.note) == ("a CPU", 90, None, None, None)
