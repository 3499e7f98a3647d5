"""A calibration from beginning to end, in its own process and from the command line."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fer_core.answers import UNMEASURED_ACCURACY
from fer_core.calibration import calibrate, load_calibration, save_calibration, solve_calibration
from fer_core.calibration_commands import add_parsers
from fer_core.compute import MeasurementRunning, gate
from fer_core.environment import environment
from fer_core.measuring import MeasurementCanceled

MODEL = "bdf-mobilenet"


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """One small calibration, with models that have no weights; 12 px is too small for this one."""
    empty = tmp_path_factory.mktemp("models")
    return list(calibrate(MODEL, "openvino", 1000.0, "12,32,64", runs=5, models=empty))


def test_progress_rises_and_shows_points_one_by_one(steps):
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)
    phases = list(dict.fromkeys(step.phase for step in steps))
    assert phases == ["loading", "measuring", "growing", "verifying", "ending", "done"]
    counts = [len(step.points) for step in steps if step.phase == "measuring"]
    assert set(counts) == {0, 1, 2}
    assert all(step.record is None for step in steps[:-1])


def test_record(steps):
    record = steps[-1].record
    json.dumps(record, allow_nan=False)
    assert record["model"] == MODEL
    assert record["weights"] == "random"
    assert [skipped["resolution"] for skipped in record["skipped"]] == [12]
    assert "at least 32 px" in record["skipped"][0]["reason"]
    roles = {point["resolution"]: point["role"] for point in record["points"]}
    assert (roles[32], roles[64]) == ("ladder", "ladder")
    assert roles[640] == "growth"
    assert all(point["median_ms"] > 0 and point["runs"] >= 5 for point in record["points"])
    assert record["reference"]["before_ms"] > 0


def test_the_largest_size_that_is_measured_answers_a_generous_target(steps):
    answer = steps[-1].record["answer"]
    assert answer["resolution"] == 640
    assert answer["verified_ms"] <= 1000
    assert answer["label"] == UNMEASURED_ACCURACY
    assert steps[-1].record["answers"]["economical"] is None


def test_another_target_needs_no_measurement(steps, tmp_path):
    path = tmp_path / "calibration.json"
    save_calibration(steps[-1].record, path)
    found = load_calibration(path)
    target = found.points[1].latency_ms * 1.01
    answer = solve_calibration(found, target, models=tmp_path)["answer"]
    assert answer["resolution"] >= found.points[0].resolution
    assert answer["verified_ms"] is None


def test_the_machine_is_described():
    found = environment("bf16")
    json.dumps(found)
    assert found["cpu"]
    assert 1 <= found["threads"] <= found["affinity_cpus"] <= found["logical_cpus"]
    assert found["memory_gib"] > 0
    assert "openvino" in found["libraries"]
    assert found["precision"] == "bf16"
    assert found["date"].endswith("+00:00")


def test_others_pause_while_it_measures_and_closing_it_frees_them():
    running = calibrate(MODEL, "openvino", ladder_text="32,64")
    next(running)
    next(running)
    with pytest.raises(MeasurementRunning), gate.turn("visitor"):
        pass
    running.close()
    with gate.turn("visitor"):
        pass


def test_a_canceled_calibration_frees_the_others():
    cancel = threading.Event()
    running = calibrate(MODEL, "openvino", ladder_text="32,64", cancel=cancel)
    next(running)
    cancel.set()
    with pytest.raises(MeasurementCanceled):
        list(running)
    assert not gate.measuring


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"model": "resnet"}, "model must be one of", id="model"),
        pytest.param({"runtime": "onnx"}, "runtime must be one of", id="runtime"),
        pytest.param({"target_ms": 0}, "target_ms must be", id="target"),
        pytest.param({"ladder_text": "none"}, "ladder must be", id="ladder"),
        pytest.param({"protocol_name": "quick"}, "protocol must be", id="protocol"),
        pytest.param({"runs": 0}, "runs must be", id="runs"),
        pytest.param({"precision": "int8"}, "precision must be", id="precision"),
    ],
)
def test_unusable_arguments_are_refused_before_anything_runs(changes, message):
    with pytest.raises(ValueError, match=message):
        calibrate(**({"model": MODEL, "runtime": "openvino"} | changes))


def command(*arguments):
    parser = argparse.ArgumentParser()
    add_parsers(parser.add_subparsers())
    options = parser.parse_args([str(argument) for argument in arguments])
    return options.run(options)


@pytest.fixture
def saved(steps, tmp_path):
    path = tmp_path / "calibration.json"
    save_calibration(steps[-1].record, path)
    return path


def test_solve_prints_an_answer(saved, capsys):
    assert command("solve", saved, "--target-ms", 900, "--curve", "lagrange") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["schema_version"] == 1
    assert list(record["curves"]) == ["lagrange"]
    assert record["answer"]["verified_ms"] is None


def test_solve_writes_a_file(saved, tmp_path, capsys):
    assert command("solve", saved, "--target-ms", 0.000001, "--output", tmp_path / "out.json") == 0
    assert capsys.readouterr().out == ""
    record = json.loads((tmp_path / "out.json").read_text())
    assert record["answer"]["resolution"] is None
    assert record["answer"]["floor_ms"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["solve", "none.json", "--target-ms", 25], "none.json: No such file", id="no-file"),
        pytest.param(
            ["calibrate", "--model", "resnet", "--runtime", "openvino"], "model must be one of", id="unknown-model"
        ),
        pytest.param(
            ["calibrate", "--model", MODEL, "--runtime", "openvino", "--target-ms", -4],
            "greater than zero",
            id="target",
        ),
        pytest.param(
            ["calibrate", "--model", MODEL, "--runtime", "openvino", "--output", "none/x.json"],
            "a folder that exists, but got none/x.json",
            id="no-folder",
        ),
    ],
)
def test_unusable_commands_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        command(*arguments)


def test_a_killed_run_leaves_the_last_good_calibration(saved):
    before = saved.read_bytes()
    program = (
        "import argparse, sys; from fer_core.calibration_commands import add_parsers; "
        "parser = argparse.ArgumentParser(); add_parsers(parser.add_subparsers()); "
        "options = parser.parse_args(sys.argv[1:]); options.run(options)"
    )
    arguments = ["calibrate", "--model", MODEL, "--runtime", "openvino", "--output", str(saved)]
    running = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    while "loading" not in running.stderr.readline():
        assert running.poll() is None
    running.kill()
    running.wait()
    running.stderr.close()
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
