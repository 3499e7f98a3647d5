"""Answers from measurements: both kinds, their labels, and no answer with a reason."""

from __future__ import annotations

import json

import pytest

from fer_core.answers import UNMEASURED_ACCURACY, KnownAccuracy, known_accuracy, solve_calibration
from fer_core.builder import ARCHITECTURES
from fer_core.interpolation import CURVES
from fer_core.ladders import PAPER_LADDER
from fer_core.latency import Point, point_of
from fer_core.measurements import Floor, Measurements
from tests.metrics_files import protocol, write_metrics

ACCURACY = {"48": 0.70, "96": 0.80, "128": 0.804, "224": 0.81, "299": 0.79}


def quadratic(size):
    return 5 + 4e-4 * size**2


def measurements(runtime="openvino", machine=quadratic, weights="trained", **changes):
    points = tuple(point_of(size, [[machine(size)] * 5] * 3) for size in PAPER_LADDER)
    fields = {"model": "scalable-env2b0", "weights": weights, "runtime": runtime, "points": points}
    return Measurements(**(fields | {"ladder": "paper", "protocol": "robust"} | changes))


@pytest.fixture
def models(tmp_path):
    """A folder of models in which one has a measured accuracy."""
    folder = tmp_path / "scalable-env2b0"
    folder.mkdir()
    protocol = {"accuracy_by_resolution": ACCURACY}
    metrics = {"schema_version": 1, "trained_sizes": [48, 96, 224], "protocols": {"kdef-unseen-people": protocol}}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return tmp_path


def test_the_schema(models):
    record = solve_calibration(measurements(), 20.0, models=models)
    json.dumps(record, allow_nan=False)
    expected = {"schema_version", "model", "weights", "runtime", "target_ms", "environment", "points", "skipped"}
    assert expected | {"curves", "answers", "answer", "floor_ms"} <= record.keys()
    assert {"resolution", "median_ms", "p10_ms", "p90_ms", "runs"} <= record["points"][0].keys()
    assert tuple(record["curves"]) == CURVES
    fields = {"resolution", "crossings", "extrapolated", "monotone", "interval", "warnings"}
    assert all(fields <= curve.keys() for curve in record["curves"].values())
    fields = {"curve", "resolution", "predicted_ms", "verified_ms", "reason"}
    assert set(record["answers"]) == {"largest", "economical"}
    assert fields <= record["answers"]["largest"].keys()
    assert record["answer"] == record["answers"]["economical"]


def test_largest_and_economical(models):
    answers = solve_calibration(measurements(), quadratic(230.5), models=models)["answers"]
    assert answers["largest"]["resolution"] == 230
    assert answers["largest"]["predicted_ms"] == pytest.approx(quadratic(230))
    assert answers["largest"]["verified_ms"] is None
    # 224 px is the most accurate below 230 px; 96 px is 0.01 below it, 128 px 0.006.
    assert answers["economical"]["resolution"] == 224


@pytest.mark.parametrize(
    ("fitting", "expected"),
    [
        pytest.param([48, 96, 128], 96, id="within-0.005-of-the-best"),
        pytest.param([48, 96, 128, 224], 224, id="not-within-0.005"),
        pytest.param([48], 48, id="one"),
        pytest.param([64], None, id="not-measured"),
        pytest.param([], None, id="none-fits"),
    ],
)
def test_economical_size(models, fitting, expected):
    assert known_accuracy("scalable-env2b0", "trained", models).economical_size(fitting) == expected


def test_one_fold_stands_in_where_five_were_not_measured(tmp_path):
    one_fold = {"kdef-unseen-people-fold0": protocol(0.8), "raf-db-test": protocol(0.9)}
    write_metrics(tmp_path, "scalable-env2s", one_fold)
    write_metrics(tmp_path, "scalable-env2b0", one_fold | {"kdef-unseen-people": protocol(0.7)})
    write_metrics(tmp_path, "bdf-mobilenet", {"raf-db-test": protocol(0.9)})
    best = [known_accuracy(name, "trained", tmp_path).by_resolution.get(128) for name in ARCHITECTURES]
    assert best == [0.7, 0.8, None, None]


def test_the_margin_of_the_accuracy_is_inclusive():
    assert KnownAccuracy(None, {96: 0.805, 128: 0.81}).economical_size([96, 128]) == 96


@pytest.mark.parametrize(
    ("weights", "resolution", "label"),
    [
        pytest.param("trained", 100, None, id="inside-the-trained-sizes"),
        pytest.param("trained", 225, UNMEASURED_ACCURACY, id="above-them"),
        pytest.param("trained", 40, UNMEASURED_ACCURACY, id="below-them"),
        pytest.param("random", 100, UNMEASURED_ACCURACY, id="random-weights"),
    ],
)
def test_labels(models, weights, resolution, label):
    assert known_accuracy("scalable-env2b0", weights, models).label(resolution) == label


def test_without_accuracy_the_answer_is_the_largest(tmp_path):
    record = solve_calibration(measurements(), 20.0, models=tmp_path)
    assert record["answers"]["economical"] is None
    assert record["answer"] == record["answers"]["largest"]
    assert record["answer"]["label"] == UNMEASURED_ACCURACY


@pytest.mark.parametrize(
    ("runtime", "other_floors", "end"),
    [
        pytest.param(
            "keras-predict", (Floor("openvino", 12, 1.4),), "openvino would: its floor is 1.4 ms", id="another-would"
        ),
        pytest.param("keras-predict", (), "openvino has a lower floor: calibrate it", id="not-looked-for"),
        pytest.param(
            "tensorflow-graph", (Floor("openvino", 12, 4.0),), "no other runtime of this project does", id="none-would"
        ),
        pytest.param("openvino", (), "no other runtime of this project does", id="the-fastest-already"),
    ],
)
def test_below_the_floor_there_is_no_answer_but_a_reason(models, runtime, other_floors, end):
    record = solve_calibration(measurements(runtime, other_floors=other_floors), 2.0, models=models)
    answer = record["answer"]
    assert answer["resolution"] is answer["predicted_ms"] is answer["verified_ms"] is answer["curve"] is None
    assert answer["floor_ms"] == record["floor_ms"] == pytest.approx(quadratic(12))
    assert answer["reason"].startswith(f"no resolution reaches 2 ms with {runtime}; its floor is 5.1 ms")
    assert answer["reason"].endswith(end)
    assert record["answers"]["economical"] is None


def test_above_the_measured_sizes_the_largest_of_them_answers(models):
    largest = solve_calibration(measurements(), 1000.0, models=models)["answers"]["largest"]
    assert largest["resolution"] == 299
    assert "larger ones have to be measured" in largest["reason"]


def test_the_answer_stays_between_the_sizes_that_were_measured(models):
    # The quadratic meets 20 ms at 193 px; a later measurement found that 200 px still does.
    found = point_of(200, [[19.0] * 5] * 3, role="verification")
    points = (*measurements().points, found)
    largest = solve_calibration(measurements(points=points), 20.0, models=models)["answers"]["largest"]
    assert largest["resolution"] >= 200
    assert largest["predicted_ms"] <= 20


def test_the_curves_asked_for_are_shown_and_do_not_change_the_answer(models):
    every = solve_calibration(measurements(), 20.0, models=models)
    one = solve_calibration(measurements(), 20.0, ["lagrange"], models=models)
    assert list(one["curves"]) == ["lagrange"]
    assert one["curves"]["lagrange"] == every["curves"]["lagrange"]
    assert one["answer"] == every["answer"]


def test_points_without_runs_have_an_interval_too(models):
    points = tuple(Point(size, quadratic(size), 0.9 * quadratic(size), 1.2 * quadratic(size), 40) for size in (48, 299))
    low, high = solve_calibration(measurements(points=points), 20.0, models=models)["curves"]["quadratic"]["interval"]
    assert low < 193 < high


@pytest.mark.parametrize(
    ("target", "curves", "degree", "message"),
    [
        pytest.param(0, CURVES, 2, "target_ms must be a number greater than zero, but got 0", id="zero-target"),
        pytest.param("25", CURVES, 2, "target_ms must be", id="text-target"),
        pytest.param(25, ["spline"], 2, "curve must be one of", id="unknown-curve"),
        pytest.param(25, CURVES, 0, "degree must be", id="degree"),
    ],
)
def test_unusable_arguments_are_refused(target, curves, degree, message):
    with pytest.raises(ValueError, match=message):
        solve_calibration(measurements(), target, curves, degree)
