"""Calibrations as files: whole or not at all, and read back with distrust."""

from __future__ import annotations

import copy
import json

import pytest

from fer_core.answers import solve_calibration
from fer_core.calibration_files import LARGEST_FILE, load_calibration, parse_calibration, save_calibration
from fer_core.latency import Reference, point_of
from fer_core.measurements import Floor, Measurements
from fer_core.measuring import Skipped

MEASUREMENTS = Measurements(
    model="bdf-inceptionv3",
    weights="random",
    runtime="keras-predict",
    ladder="paper",
    protocol="robust",
    points=tuple(point_of(size, [[size / 10, size / 9], [size / 11]], 0.25) for size in (84, 128, 224)),
    skipped=(Skipped(12, "bdf-inceptionv3 needs a resolution of at least 75 px, but got 12 px"),),
    timed={"inference": "the forward pass"},
    environment={"cpu": "a CPU", "threads": 2, "governor": None, "libraries": {"numpy": "2.4.6"}},
    reference=Reference(5.0, 5.1),
    other_floors=(Floor("openvino", 84, 1.5),),
)


@pytest.fixture
def record(tmp_path):
    return solve_calibration(MEASUREMENTS, 12.0, models=tmp_path)


def test_what_is_saved_is_read_back(record, tmp_path):
    path = tmp_path / "calibration.json"
    save_calibration(record, path)
    found = load_calibration(path)
    assert found.points[0].median_ms == pytest.approx(MEASUREMENTS.points[0].median_ms, rel=1e-6)
    again = solve_calibration(found, 12.0, models=tmp_path)
    assert again["answer"]["resolution"] == record["answer"]["resolution"]
    for field in ("model", "runtime", "skipped", "environment", "timed", "reference", "other_floors", "protocol"):
        assert again[field] == record[field]
    assert [path.name for path in tmp_path.iterdir()] == ["calibration.json"]


def test_a_failed_save_leaves_the_last_good_file(record, tmp_path):
    path = tmp_path / "calibration.json"
    save_calibration(record, path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_calibration(record | {"floor_ms": float("nan")}, path)
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["calibration.json"]


def test_the_schema_of_the_design_is_enough(record):
    points = [{k: p[k] for k in ("resolution", "median_ms", "p10_ms", "p90_ms", "runs")} for p in record["points"]]
    least = {"schema_version": 1, "model": record["model"], "runtime": record["runtime"], "points": points}
    found = parse_calibration(json.dumps(least).encode())
    assert [point.resolution for point in found.points] == [84, 128, 224]
    assert found.points[0].standard_error_ms > 0


def _set(record, path, value):
    changed = copy.deepcopy(record)
    target = changed
    for key in path[:-1]:
        target = target[key]
    if value is ...:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        pytest.param(["schema_version"], 0, "schema_version 1, but got 0", id="older"),
        pytest.param(["schema_version"], ..., "schema_version 1, but got None", id="no-version"),
        pytest.param(["points"], ..., "model, runtime and points", id="no-points"),
        pytest.param(["points"], [], "at least 2 points, but got 0", id="empty-points"),
        pytest.param(["points"], "many", "points must be a list", id="points-are-text"),
        pytest.param(["points"], [1, 2], "points must be a list of at most 200 objects", id="points-are-numbers"),
        pytest.param(["points", 0, "resolution"], 128, "128 px more than once", id="duplicate"),
        pytest.param(["points", 0, "resolution"], -84, "whole number of 1 to .* got -84", id="negative-size"),
        pytest.param(["points", 0, "resolution"], 84.5, "whole number of 1 to .* got 84.5", id="fractional-size"),
        pytest.param(["points", 0, "resolution"], 10**5, "at most 4096 px", id="huge-size"),
        pytest.param(["points", 0, "resolution"], 10**400, "got a huge number", id="astronomical-size"),
        pytest.param(["points", 0, "median_ms"], 0, "median_ms must be a number greater than zero", id="zero-time"),
        pytest.param(["points", 0, "median_ms"], "fast", "got 'fast'", id="text-time"),
        pytest.param(["points", 0, "median_ms"], True, "got True", id="truth-value"),
        pytest.param(["points", 0, "median_ms"], 1.0, "must be that of its runs, 8.400, but got 1.000", id="edited"),
        pytest.param(["points", 0, "visits_ms"], [[]], "must be lists of runs", id="empty-visit"),
        pytest.param(["points", 0, "visits_ms"], [["x"]], "greater than zero", id="runs-are-text"),
        pytest.param(["points", 0, "visits_ms"], [[1.0] * 20_001], "at most 20000 runs", id="too-many-runs"),
        pytest.param(["points", 0, "role"], "hero", "role must be one of ladder", id="role"),
        pytest.param(["model"], "resnet", "model must be one of scalable-env2b0", id="model"),
        pytest.param(["model"], ["a"], "model must be one of", id="model-is-a-list"),
        pytest.param(["runtime"], "onnx", "runtime must be one of keras-predict", id="runtime"),
        pytest.param(["protocol"], "quick", "protocol must be one of robust, paper", id="protocol"),
        pytest.param(["environment"], "a CPU", "environment must be an object", id="environment"),
        pytest.param(["skipped"], [{"reason": "?"}], "resolution must be a whole number", id="skipped"),
        pytest.param(["reference"], {"before_ms": 1}, "after_ms must be a number", id="reference"),
        pytest.param(["ladder"], "x" * 300, "ladder must be text of at most 200", id="long-text"),
    ],
)
def test_what_is_no_calibration_is_refused(record, path, value, message):
    with pytest.raises(ValueError, match=message):
        parse_calibration(json.dumps(_set(record, path, value)).encode())


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "the file is empty", id="empty"),
        pytest.param(b"  \n", "the file is empty", id="blank"),
        pytest.param(b'{"schema_version": 1, "mod', "damaged or of another kind", id="cut-off"),
        pytest.param(b"\x89PNG\r\n\x1a\n\x00\x00", "damaged or of another kind", id="a-picture"),
        pytest.param(b'{"points": NaN}', "damaged or of another kind", id="not-a-number"),
        pytest.param(b"[" * 100_000, "damaged or of another kind", id="deeply-nested"),
        pytest.param(b"[1, 2]", "something else", id="a-list"),
        pytest.param(b'{"name": "package"}', "something else", id="another-json"),
    ],
)
def test_what_is_no_json_of_ours_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        parse_calibration(data)


def test_strangers_environments_are_cut(record):
    strange = {"cpu": "x" * 9999, "libraries": {"a": "b" * 999, "c": [1]}, "list": [1], "threads": 2}
    found = parse_calibration(json.dumps(record | {"environment": strange}).encode()).environment
    assert found == {"cpu": "x" * 200, "libraries": {"a": "b" * 50}, "threads": 2}


def test_huge_files_are_refused_unread(tmp_path):
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE + 1)
    with pytest.raises(ValueError, match=r"at most 5,000,000 bytes, but huge\.json has more"):
        load_calibration(path)


def test_missing_files_and_folders_are_named_without_their_path(record, tmp_path):
    with pytest.raises(ValueError, match=r"expected a calibration file, but none\.json: No such file") as raised:
        load_calibration(tmp_path / "none.json")
    assert str(tmp_path) not in str(raised.value)
    with pytest.raises(ValueError, match=r"expected a folder to write c\.json into, but No such file"):
        save_calibration(record, tmp_path / "missing" / "c.json")
