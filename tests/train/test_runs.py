"""Runs: their names and commands, what they may begin from, what they hold out."""

import dataclasses

import numpy as np
import pytest

from tests.train.generated import PEOPLE, kdef_pictures, write_cache
from train import checkpoints, runs
from train.__main__ import _parser
from train.checkpoints import Progress
from train.commands import _planned
from train.teacher import Lessons


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return write_cache(tmp_path_factory.mktemp("runs") / "cache")


def finish(cache, progress, name):
    """Leaves a record and weights as a finished run does."""
    folder = runs.run_folder(cache, name)

    class Model:
        def save_weights(self, path):
            path.write_bytes(name.encode())

    checkpoints.save_final(folder, Model(), progress)
    return folder


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        pytest.param([], "scalable-env2b0-elastic-fold0-seed0", id="default"),
        pytest.param(["--fold", "3", "--engine", "native"], "scalable-env2b0-elastic-fold3-seed0", id="fold"),
        pytest.param(["--split", "mixed", "--seed", "2"], "scalable-env2b0-elastic-mixed-seed2", id="mixed"),
        pytest.param(
            ["--recipe", "paper", "--model", "scalable-env2s", "--set", "epochs=3", "--weights", "none"],
            "scalable-env2s-paper-94px-mixed-seed0-epochs=3",
            id="paper",
        ),
        pytest.param(
            ["--recipe", "paper", "--resolution", "64", "--split", "people", "--weights", "none"],
            "scalable-env2b0-paper-64px-fold0-seed0",
            id="paper-people-apart",
        ),
    ],
)
def test_a_run_is_repeated_by_its_command(arguments, name):
    run = _planned(_parser().parse_args(["fit", *arguments]))
    assert runs.run_name(run) == name
    words = runs.command_of(run).removeprefix("python -m train ").split()
    again = _parser().parse_args(words)
    assert _planned(again) == run
    assert (again.weights or "none") == "none"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--recipe", "paper", "--fold", "1"], "has no folds, only seeds, but got fold 1", id="mixed-fold"),
        pytest.param(["--set", "epochs"], "--set must be KEY=VALUE, but got 'epochs'", id="set"),
        pytest.param(["--model", "resnet"], "model must be one of", id="model"),
    ],
)
def test_plans_that_contradict_themselves_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        _planned(_parser().parse_args(["fit", *arguments]))


def test_a_run_begins_where_another_ended(tmp_path):
    first = Progress("scalable-env2b0", "elastic", 0, None, history=[{"stage": 1, "epoch": 1}], seconds=9.0)
    folder = finish(tmp_path, first, "first")
    second = runs.plan("scalable-env2b0", "elastic", fold=2)
    assert runs.begin_from(second, tmp_path, "first") == folder / "final.weights.h5"
    assert second.begin["run"] == "first"
    assert len(second.begin["sha256"]) == 64
    assert "--begin first" in runs.command_of(second)
    third = dataclasses.replace(second)
    finish(tmp_path, second, "second")
    runs.begin_from(third, tmp_path, "second")
    assert [run.seconds for run in runs.chain(third)] == [9, 0, 0]


def test_the_teacher_is_named_in_the_command_of_a_run_that_began_from_another():
    run = runs.plan("scalable-env2b0", "kdef", fold=1)
    run.begin, run.teachers = {"run": "first"}, {"raf-db": "no-kdef", "ferplus": "no-kdef"}
    assert runs.command_of(run).endswith("--begin first --teacher no-kdef")


@pytest.mark.parametrize(
    ("begin", "message"),
    [
        pytest.param({"fold": 1}, "with fold1 held out, and so knows what fold2 is tested on", id="another-fold"),
        pytest.param({"fold": None, "split": "mixed"}, "with mixed-seed0 held out", id="mixed"),
        pytest.param({"model": "scalable-env2s", "fold": 2}, "expected a run of scalable-env2b0", id="another-model"),
    ],
)
def test_nobody_of_the_test_is_known_from_the_beginning(tmp_path, begin, message):
    finish(tmp_path, Progress(**{"model": "scalable-env2b0", "recipe": "elastic", "seed": 0} | begin), "first")
    with pytest.raises(ValueError, match=message):
        runs.begin_from(runs.plan("scalable-env2b0", "elastic", fold=2), tmp_path, "first")


def test_a_beginning_that_is_not_finished_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a finished run"):
        runs.begin_from(runs.plan("scalable-env2b0", "elastic"), tmp_path, "first")


def test_a_teacher_that_knew_the_test_is_named(tmp_path, caplog):
    finish(tmp_path, Progress("scalable-env2b0", "elastic", 0, None, teachers={"raf-db": "fold0"}), "first")
    runs.begin_from(runs.plan("scalable-env2b0", "elastic", fold=0), tmp_path, "first")
    assert "knew what" not in caplog.text
    runs.begin_from(runs.plan("scalable-env2b0", "elastic", fold=1), tmp_path, "first")
    assert "its teacher of fold0 knew what fold1 is tested on" in caplog.text


def test_what_is_held_out_is_recorded(cache):
    run = runs.plan("scalable-env2b0", "elastic", fold=1)
    data = runs.RunData(run, cache)
    test = {data.crops["kdef"].pictures[index].person for index in data.indices("kdef", "test")}
    assert run.held_out["test"] == sorted(test)
    assert set(run.held_out["validation"]) <= set(PEOPLE) - test
    mixed = runs.plan("scalable-env2b0", "paper", seed=1)
    runs.RunData(mixed, cache)
    assert mixed.held_out["test"][0].endswith("S.JPG")
    runs.hold_out(mixed, kdef_pictures())
    with pytest.raises(ValueError, match="was trained on another KDEF"):
        runs.hold_out(mixed, kdef_pictures(angles="S HL"))


def test_soft_labels_are_those_of_a_teacher_that_knew_no_more(cache, caplog):
    run = runs.plan("scalable-env2b0", "elastic", fold=1)
    data = runs.RunData(run, cache)
    stage = dataclasses.replace(runs.recipe_of(run).stages[1], teacher_share=0.5)
    labels = data.training(stage)["kdef"].targets
    count = len(data.crops["kdef"].pictures)
    lessons = Lessons(np.full((count, 7), 1 / 7, np.float32), np.zeros((count, 128), np.float16))
    lessons.write(runs.lessons_file(cache, "kdef", "fold0"))
    np.testing.assert_array_equal(data.training(stage)["kdef"].targets, labels)
    assert run.teachers == {}
    lessons.write(runs.lessons_file(cache, "kdef", "fold1"))
    np.testing.assert_allclose(data.training(stage)["kdef"].targets, 0.5 * labels + 0.5 / 7, rtol=1e-6)
    assert run.teachers == {"kdef": "fold1"}
    assert "knows more" not in caplog.text
    runs.RunData(run, cache, "fold0").training(stage)
    assert "the teacher of fold0 knows more of KDEF than a run of fold1 may" in caplog.text
    assert "--teacher fold0" in runs.command_of(run)


def test_a_teacher_that_never_saw_kdef_says_nothing_of_it(cache):
    run = runs.plan("scalable-env2b0", "elastic", fold=1)
    data = runs.RunData(run, cache, "no-kdef")
    stage = dataclasses.replace(runs.recipe_of(run).stages[1], data={"kdef": 1, "raf-db": 1}, teacher_share=0.5)
    labels = {name: part.targets for name, part in data.training(stage).items()}
    for name in labels:
        count = len(data.crops[name].pictures)
        lessons = Lessons(np.full((count, 7), 1 / 7, np.float32), np.zeros((count, 128), np.float16))
        lessons.write(runs.lessons_file(cache, name, "no-kdef"))
    taught = data.training(stage)
    np.testing.assert_array_equal(taught["kdef"].targets, labels["kdef"])
    np.testing.assert_allclose(taught["raf-db"].targets, 0.5 * labels["raf-db"] + 0.5 / 7, rtol=1e-6)


def test_soft_labels_of_other_pictures_are_refused(cache):
    run = runs.plan("scalable-env2b0", "elastic", fold=2)
    Lessons(np.zeros((3, 7)), np.zeros((3, 128))).write(runs.lessons_file(cache, "kdef", "fold2"))
    with pytest.raises(ValueError, match="kdef: expected 70 soft labels, got 3"):
        runs.RunData(run, cache).training(dataclasses.replace(runs.recipe_of(run).stages[1], teacher_share=0.5))
