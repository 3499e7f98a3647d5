"""Results tab: every number traced to the file or the paper, empty states, damaged files, downloads."""

from __future__ import annotations

import base64
import io
import json
import re
from html import unescape

import pandas as pd
import pytest

from fer_core import model_files
from fer_core.builder import ARCHITECTURES
from fer_core.latency import Point
from fer_core.measurements import Measurements
from fer_core.results import PAPER_MACHINE, PAPER_TABLE_2, measured_rows
from fer_core.splits import PEOPLE_APART, PEOPLE_MIXED, SPLITS
from tabs import results
from tabs import results_views as views
from tabs.board import Board, Kept, Task
from tests.metrics_files import protocol, write_metrics

MODEL = "scalable-env2b0"
APART, MIXED = (split.name for split in SPLITS)
FULL = {
    "kdef-unseen-people-fold0": protocol(0.78),
    "kdef-unseen-people": protocol(0.84, std=0.02, weights="run", people=60),
    "kdef-paper-split": protocol(0.96, std=0.004, weights="run"),
    "raf-db-test": protocol(0.8, by_angle=None, people=None),
}


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A folder of models that the tab reads; empty at first."""
    monkeypatch.setattr(model_files, "MODELS_FOLDER", tmp_path)
    return tmp_path


@pytest.fixture
def board(monkeypatch):
    """A board of this test's own."""
    monkeypatch.setattr(results, "board", Board())
    return results.board


def calibrated(board, latencies, model=MODEL, runtime="openvino", ladder="paper", ended=0.0):
    points = tuple(Point(size, ms, ms, ms, 40) for size, ms in latencies.items())
    environment = {"cpu": "my CPU", "threads": 2, "date": "2026-11-24T08:00:00+00:00"}
    measurements = Measurements(model, "trained", runtime, ladder, "robust", points, environment=environment)
    board._keep(Task(model, runtime, ladder, "robust", 40.0), Kept(measurements, {}, ended, "a"))
    return measurements


def cells(html):
    """Returns the text of a table's cells, row by row."""
    lines = re.findall(r"<tr>(.*?)</tr>", html, re.S)
    found = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", line, re.S) for line in lines]
    return [[unescape(re.sub(r"<[^>]+>", " ", cell)).strip() for cell in row] for row in found]


def text(html):
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


def downloaded(html, name):
    data = re.search(rf'download="{name}" href="data:text/csv;base64,([^"]+)"', html)[1]
    return pd.read_csv(io.BytesIO(base64.b64decode(data)))


def test_the_papers_half_of_the_table_is_the_papers(models, board):
    table = cells(results.show_tables(APART).table)
    assert PAPER_MACHINE in table[0][1]
    assert table[1] == ["model", *["px", "accuracy", "loss", "F1 macro", "F1 micro", "F1 weighted", "latency, ms"] * 2]
    assert [row[0] for row in table[2:]] == list(ARCHITECTURES)
    assert table[2][1:8] == ["302", "0.96", "0.16", "0.95", "0.96", "0.97", "40"]
    assert table[5][1:8] == ["224", "0.74", "0.76", "0.74", "0.73", "0.73", "16"]
    # What the tab tells its reader to notice.
    assert PAPER_TABLE_2["scalable-env2s"].f1_micro != PAPER_TABLE_2["scalable-env2s"].accuracy


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        pytest.param(APART, ["128", "0.840 ± 0.020", "1.100", "0.827", "0.842", "0.835"], id="apart"),
        pytest.param(MIXED, ["128", "0.960 ± 0.004", "1.100", "0.947", "0.962", "0.955"], id="mixed"),
    ],
)
def test_our_half_of_the_table_is_the_splits(models, board, split, expected):
    write_metrics(models, MODEL, FULL)
    shown = results.show_tables(split)
    table = cells(shown.table)
    assert table[0][2] == f"Here, {split}"
    assert table[2][8:] == [*expected, "not measured"]
    origin = text(shown.origins)
    assert "Measured 2026-11-20 on a CPU, 2 threads, openvino (fp32), with recorded training runs" in origin
    assert "105 pictures" in origin
    assert f"At the paper's 302 px: accuracy {float(expected[1][:5]) - 0.1:.3f}." in origin


@pytest.mark.parametrize("split", [APART, MIXED])
def test_what_was_not_measured_says_why(models, board, split):
    table = cells(results.show_tables(split).table)
    assert [row[8].split(";")[0] for row in table[2:]] == ["paper: 0.96", "paper: 0.92", "paper: 0.69", "paper: 0.74"]
    assert table[4][8:] == ["paper: 0.69; not measured: ImageNet weights not available here", "not measured"]
    for row in (table[2], table[3], table[5]):
        assert "python -m train evaluate" in row[8]
        assert row[8].endswith("--retrain")


def test_latency_is_this_machines_own(models, board):
    write_metrics(models, MODEL, FULL)
    calibrated(board, {100: 70.0, 128: 75.0}, runtime="keras-predict", ended=9.0)
    calibrated(board, {100: 3.0, 200: 9.0})
    calibrated(board, {224: 12.0, 299: 31.0}, model="bdf-inceptionv3", ended=5.0)
    shown = results.show_tables(APART)
    table = cells(shown.table)
    assert re.fullmatch(r"≈ [3-9]\.\d", table[2][-1]), "the app's runtime, between two measured sizes"
    assert table[4][-1] == "31.0", "at the paper's size where no accuracy says another"
    assert table[5][-1] == "not measured"
    assert "Latency at 128 px: openvino, trained weights, measured 2026-11-24 on my CPU, 2 threads." in text(
        shown.origins
    )
    assert {trace.name.replace("<br>", " ") for trace in shown.trade_off.data} == {
        "Pareto front",
        f"here: {MODEL}, openvino",
        f"here: {MODEL}, keras-predict",
        f"the paper's, on another machine: {PAPER_MACHINE}",
    }
    assert not shown.trade_off_note["visible"]


@pytest.mark.parametrize(
    ("calibrate", "message"),
    [
        pytest.param(False, "press Run in the Calibration tab", id="not-calibrated"),
        pytest.param(True, f"has an accuracy with {APART}", id="not-scored"),
    ],
)
def test_accuracy_against_latency_says_what_is_missing(models, board, calibrate, message):
    if calibrate:
        calibrated(board, {48: 2.0, 128: 4.0})
    shown = results.show_tables(APART)
    assert len(shown.trade_off.data) == 1, "the paper's points"
    assert shown.trade_off_note["visible"]
    assert message in shown.trade_off_note["value"]


def test_the_newest_calibration_of_each_model_and_runtime_counts(board):
    calibrated(board, {48: 2.0, 96: 4.0}, ended=1.0)
    other = calibrated(board, {48: 9.0, 96: 9.5}, model="scalable-env2s", ended=1.5)
    newer = calibrated(board, {48: 3.0, 96: 5.0}, ladder="chebyshev:10", ended=2.0)
    typed = calibrated(board, {40: 1.0, 80: 2.0}, model="bdf-mobilenet", ladder="40,80", ended=3.0)
    assert results.calibrations() == [typed, newer, other]


def test_every_shipped_figure_is_on_the_page_as_its_file_has_it():
    """Of the models in ``models/`` themselves."""
    table = cells(results.show_scores(APART).every)
    assert "calibration error" in table[0]
    shown = iter(table[1:])
    for model in ARCHITECTURES:
        path = model_files.model_folder(model) / "metrics.json"
        for entry in json.loads(path.read_text())["protocols"].values() if path.is_file() else ():
            row = dict(zip(table[0], next(shown), strict=True))
            assert row["model"] == model
            assert entry["description"] in row["scored on"]
            for what in (entry["weights"], entry["date"], entry["machine"]):
                assert what in row["scored on"]
            assert row["accuracy"].split(" ± ")[0] == f"{entry['accuracy']:.3f}"
            for head in ("loss", "F1 macro", "F1 micro", "F1 weighted", "calibration error"):
                assert row[head] == f"{entry[head.lower().replace(' ', '_')]:.3f}"
            counts = {"px": "resolution", "pictures": "images", "people": "people", "faces missed": "faces_missed"}
            for head, field in counts.items():
                assert row[head] == ("" if entry[field] is None else str(entry[field]))
    assert next(shown, None) is None


def test_downloads_hold_what_the_tables_show(models, board):
    write_metrics(models, MODEL, FULL)
    calibrated(board, {100: 3.0, 128: 4.0})
    shown = results.show_tables(MIXED)
    rows = measured_rows(models)

    table = downloaded(shown.downloads, "table_2.csv")
    assert table["model"].tolist() == list(ARCHITECTURES)
    again = views.table_2_html(table.fillna({"note": ""}).astype({"here: px": "Int64"}), PEOPLE_MIXED)
    assert cells(again)[2:3] == cells(shown.table)[2:3], "numbers of a measured model"
    assert table.loc[0, ["date", "machine", "latency machine"]].tolist() == ["2026-11-20", "a CPU, 2 threads", "my CPU"]
    assert "ImageNet weights not available here" in table.loc[2, "note"]

    every = downloaded(shown.downloads, "every_figure.csv")
    assert every["accuracy"].tolist() == [row.accuracy for row in rows]
    assert every["repeat with"].tolist()[2] == "python -m train evaluate --protocol kdef-paper-split --retrain"
    assert cells(views.every_figure_html(every.astype({"people": "Int64"}))) == cells(results.show_scores(MIXED).every)

    sizes = downloaded(shown.downloads, "accuracy_by_resolution.csv")
    assert sizes.groupby("protocol")["accuracy"].count().tolist() == [len(row.accuracy_by_resolution) for row in rows]
    for row in rows:
        mine = sizes[sizes["protocol"] == row.protocol]
        assert dict(zip(mine["px"], mine["accuracy"], strict=True)) == row.accuracy_by_resolution


@pytest.mark.parametrize(
    ("apart", "mixed", "statement"),
    [
        pytest.param({}, {}, "0.960 with people mixed, 0.840 kept apart. The gap of 12.0 percentage points", id="leak"),
        pytest.param({"std": 0.05}, {"std": 0.04}, "may be chance: its standard deviation is 6.4", id="chance"),
        pytest.param({"accuracy": 0.97}, {}, "No leak shows", id="no-leak"),
        pytest.param({"resolution": 64}, {}, "at 128 px: 0.960", id="same-size"),
        pytest.param({"resolution": 90, "accuracy_by_resolution": {}}, {}, "at 128 and 90 px", id="two-sizes"),
    ],
)
def test_the_leak_is_stated_in_words_and_numbers(models, apart, mixed, statement):
    entries = {
        "kdef-unseen-people": protocol(0.84, **apart),
        "kdef-paper-split": protocol(0.96, **mixed),
    }
    write_metrics(models, MODEL, entries)
    assert statement in text(results.show_scores(APART).leak)


@pytest.mark.parametrize(
    ("entries", "missing"),
    [
        pytest.param({"kdef-unseen-people": protocol(0.8)}, [PEOPLE_MIXED], id="apart-only"),
        pytest.param({"kdef-paper-split": protocol(0.9)}, [PEOPLE_APART], id="mixed-only"),
        pytest.param({"raf-db-test": protocol(0.9, by_angle=None)}, SPLITS, id="neither"),
    ],
)
def test_an_unmeasured_split_says_which_command_measures_it(models, entries, missing):
    write_metrics(models, MODEL, entries)
    said = text(results.show_scores(APART).leak)
    for split in missing:
        assert f"{split.name.capitalize()}: not measured yet" in said
        assert f"python -m train evaluate --protocol {split.protocols[0]} --retrain" in said
    assert "percentage points" not in said


def test_shipped_weights_and_runs_are_not_compared(models):
    run = protocol(0.9, weights="run", command="python -m train evaluate --retrain")
    write_metrics(models, MODEL, {"kdef-unseen-people-fold0": protocol(0.8), "kdef-paper-split": run})
    said = text(results.show_scores(APART).leak)
    assert "No model was measured both ways with the same kind of weights" in said
    assert "percentage points" not in said


def test_measured_apart_in_two_models_and_never_both_ways(models):
    write_metrics(models, MODEL, {"kdef-unseen-people": protocol(0.8)})
    write_metrics(models, "scalable-env2s", {"kdef-paper-split": protocol(0.9)})
    assert "No model was measured both ways" in text(results.show_scores(APART).leak)


def test_the_switch_changes_what_is_of_kdef(models):
    write_metrics(models, MODEL, FULL)
    apart, mixed = results.show_scores(APART), results.show_scores(MIXED)
    folds = [f"{MODEL}: KDEF, people kept apart, {number}" for number in ("5 folds", "1 fold")]
    assert apart.scored["choices"] == [*folds, f"{MODEL}: RAF-DB"]
    assert mixed.scored["choices"] == [f"{MODEL}: KDEF, people mixed", f"{MODEL}: RAF-DB"]
    for shown, accuracy in ((apart, 0.84), (mixed, 0.96)):
        assert accuracy in shown.by_resolution["value"].data[0].y
        assert accuracy + 0.02 in shown.angles["value"].data[0].y
    assert apart.splits["value"] == mixed.splits["value"], "it shows both"
    assert apart.every == mixed.every


def test_nothing_measured_at_all(models, board):
    tables, scored = results.show_tables(APART), results.show_scores(APART)
    assert "python -m train evaluate --write" in tables.alerts["value"]
    assert downloaded(tables.downloads, "table_2.csv")["here: accuracy"].isna().all()
    for plot in (scored.splits, scored.by_resolution, scored.matrix, scored.angles):
        assert not plot["visible"]
    assert "not measured by angle" in scored.angle_note["value"]
    assert not results.show_confusion(None)["visible"]


def test_a_damaged_file_is_said_and_hides_no_other_model(models, board):
    write_metrics(models, MODEL, {"raf-db-test": protocol(0.8, accuracy=7)})
    (models / "scalable-env2s").mkdir()
    (models / "scalable-env2s" / "metrics.json").write_text('{"schema')
    write_metrics(models, "bdf-mobilenet", {"kdef-unseen-people": protocol(0.7)})
    tables = results.show_tables(APART)
    alerts = tables.alerts["value"]
    assert alerts.count('role="alert"') == 2
    assert "scalable-env2b0: metrics.json: raf-db-test is damaged" in alerts
    assert "scalable-env2s: metrics.json is damaged" in alerts
    assert str(models) not in alerts
    assert cells(tables.table)[5][9] == "0.700"


def test_confusion_of_the_chosen_row(models):
    matrix = [[true * 7 + answer for answer in range(7)] for true in range(7)]
    write_metrics(models, MODEL, FULL | {"raf-db-test": protocol(0.8, confusion=matrix)})
    (drawn,) = results.show_confusion(f"{MODEL}: RAF-DB")["value"].data
    assert [[int(count) for count in row] for row in drawn.text] == matrix


def test_training_shows_its_origin_and_the_papers_peak(models):
    history = [{"epoch": 1, "loss": None, "validation_loss": 1.5}, {"epoch": 2, "loss": 1.25, "validation_loss": 1.0}]
    trained = {"command": "python -m train fit", "hardware": "a <CPU>", "training_seconds": 120, "date": "2026-11-19"}
    trained["note"] = "Begun from <older> weights."
    write_metrics(models, "scalable-env2s", {}, history=history, trained_with=trained)
    loss, _, note = results.show_training("scalable-env2s")
    assert list(loss["value"].data[1].y) == [1.5, 1.0]
    said = text(note)
    assert "2 epochs: python -m train fit, a <CPU>, 2026-11-19, 2 minutes. Begun from <older> weights. The" in said
    assert "peaks at 0.94" in said
    assert "gap" in said


@pytest.mark.parametrize(
    ("model", "protocols", "reason"),
    [
        pytest.param(MODEL, {}, "no training is recorded; its accuracy is not measured yet", id="nothing"),
        pytest.param("bdf-inceptionv3", {}, "ImageNet weights not available here", id="never"),
        pytest.param("bdf-mobilenet", FULL, "bdf-mobilenet: no training is recorded.", id="measured"),
    ],
)
def test_no_training_says_so(models, model, protocols, reason):
    write_metrics(models, model, protocols)
    loss, accuracy, note = results.show_training(model)
    assert not loss["visible"]
    assert not accuracy["visible"]
    assert reason in text(note)


def test_texts_from_files_are_escaped(models, board):
    write_metrics(models, MODEL, {"kdef-unseen-people": protocol(0.8, description="<script>x", machine="<b>")})
    shown = results.show_tables(APART).origins + results.show_scores(APART).every
    assert "<script>" not in shown
    assert "&lt;script&gt;x" in shown
