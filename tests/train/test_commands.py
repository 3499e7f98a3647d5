"""The command line: a tiny run of every recipe, begun, killed, gone on with; and one clear line for what cannot be."""

import json

import pytest

from tests.train.generated import write_cache
from train import checkpoints, commands, runs
from train import fit as loop
from train.__main__ import main
from train.recipes import RECIPES, recipe


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return write_cache(tmp_path_factory.mktemp("commands") / "cache")


def tiny(name, cache):
    """The arguments of a run of one short epoch a stage."""
    arguments = ["fit", "--recipe", name, "--cache", str(cache), "--weights", "none"]
    if RECIPES[name].frozen_backbone:
        arguments += ["--model", "bdf-mobilenet"]
    else:
        arguments += ["--engine", "native"]
    if RECIPES[name].one_size:
        arguments += ["--resolution", "32"]
    return [*arguments, "--set", "epochs=1", "--set", "batch=32"]


@pytest.mark.parametrize("name", list(RECIPES))
def test_a_tiny_run_of_every_recipe(name, cache):
    assert main(tiny(name, cache)) == 0
    run = runs.plan(
        "bdf-mobilenet" if RECIPES[name].frozen_backbone else "scalable-env2b0",
        name,
        resolution=32 if RECIPES[name].one_size else None,
        changes={"epochs": 1, "batch": 32},
    )
    record, finished = runs.standing(cache, runs.run_name(run))
    assert finished
    assert [epoch["stage"] for epoch in record.history] == list(range(1, len(recipe(name).stages) + 1))
    assert record.weights == "random"
    assert bool(record.held_out) == ("kdef" in recipe(name).data)
    assert record.split == ("mixed" if name == "paper" else "people")
    assert record.hardware


def test_a_killed_command_goes_on(cache, tmp_path, monkeypatch, caplog):
    class Killed(BaseException):
        pass

    arguments = [*tiny("paper", cache), "--run", "killed", "--set", "epochs=3"]
    save, saved = checkpoints.save, []

    def save_and_die(path, trainer, progress):
        save(path, trainer, progress)
        saved.append(progress.step)
        raise Killed

    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr(checkpoints, "save", save_and_die)
    with pytest.raises(Killed):
        main(arguments)
    monkeypatch.undo()
    unfinished, finished = runs.standing(cache, "killed")
    assert (unfinished.step, finished) == (1, False)
    assert main(arguments) == 0
    assert "resuming stage 1 at step 1" in caplog.text
    record, finished = runs.standing(cache, "killed")
    assert finished
    assert record.held_out == unfinished.held_out
    assert main(arguments) == 2


def test_a_full_disk_loses_nothing(cache, monkeypatch, capsys, caplog):
    arguments = [*tiny("paper", cache), "--run", "full-disk", "--set", "epochs=3"]
    savez, saved = checkpoints.np.savez, []

    def fill_up(*values, **arrays):
        saved.append(1)
        if len(saved) == 2:
            raise OSError(28, "No space left on device")
        savez(*values, **arrays)

    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr(checkpoints.np, "savez", fill_up)
    assert main(arguments) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "No space left on device: no checkpoint could be written to" in said
    monkeypatch.undo()
    assert main(arguments) == 0
    assert "resuming stage 1 at step 1" in caplog.text


def test_a_run_begins_from_a_finished_one(cache, tmp_path, capsys):
    first = runs.plan("scalable-env2b0", "paper", resolution=32, changes={"epochs": 1, "batch": 32})
    if not runs.standing(cache, runs.run_name(first))[1]:
        assert main(tiny("paper", cache)) == 0
    arguments = [word for word in tiny("paper", cache) if word not in ("--weights", "none")]
    assert main([*arguments, "--run", "second", "--begin", runs.run_name(first)]) == 0
    record = json.loads((cache / "runs" / "second" / "run.json").read_text())
    assert record["begin"]["run"] == runs.run_name(first)
    assert main([*arguments, "--begin", runs.run_name(first), "--seed", "1"]) == 2
    assert "knows what mixed-seed1 is tested on" in capsys.readouterr().err


@pytest.fixture
def no_download(monkeypatch):
    import keras

    def refuse(*arguments, **options):
        raise Exception("URL fetch failure: no route to host")

    monkeypatch.setattr(keras.utils, "get_file", refuse)
    monkeypatch.setattr("keras.src.utils.file_utils.get_file", refuse)


@pytest.mark.parametrize(
    ("name", "options"),
    [("paper", "--weights none for random"), ("baseline", "--features FILE.tflite, or --weights none for random")],
)
def test_imagenet_weights_are_the_papers_default(cache, no_download, capsys, name, options):
    arguments = [word for word in tiny(name, cache) if word not in ("--weights", "none")]
    assert main([*arguments, "--run", f"{name}-from-imagenet"]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "begins from ImageNet weights, which could not be downloaded: URL fetch failure: no route" in said
    assert options in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["prepare"], "kdef is needed, but was not found as", id="prepare-without-data"),
        pytest.param(["evaluate"], "kdef is needed, but was not found as", id="evaluate-without-data"),
        pytest.param(["evaluate", "--protocol", "all"], "protocol must be one of", id="unknown-protocol"),
        pytest.param(["fit"], "ferplus is not prepared: run 'python -m train prepare", id="fit-before-prepare"),
        pytest.param(["fit", "--recipe", "magic"], "recipe must be one of faces, kdef", id="unknown-recipe"),
        pytest.param(["fit", "--set", "epoch=3"], "settings are epochs, learning_rate", id="unknown-recipe-key"),
        pytest.param(["fit", "--resolution", "302"], "takes no resolution, but got 302 px", id="elastic-resolution"),
        pytest.param(["fit", "--begin", "none"], "expected a finished run", id="fit-from-no-run"),
        pytest.param(["fit", "--begin", "x", "--weights", "y"], "but got both: x and y", id="two-beginnings"),
        pytest.param(["fit", "--weights", "no.h5"], "but found no no.h5", id="fit-from-no-file"),
        pytest.param(["fit", "--features", "a.tflite"], "that trains the head alone, but got 'elastic'", id="features"),
        pytest.param(["export", "--run", "none"], "expected a finished run", id="no-such-run"),
        pytest.param(["teach", "--onnx", "none.onnx"], "kdef is not prepared", id="teach-before-prepare"),
        pytest.param(["teach", "--onnx", "a", "--without-kdef", "--fold", "1"], "give neither --fold", id="teach-fold"),
    ],
)
def test_unusable_input_is_one_line_and_status_2(tmp_path, capsys, arguments, message):
    data = ["--data", str(tmp_path)] if arguments[0] in ("prepare", "evaluate") else []
    assert main([*arguments, *data, "--cache", str(tmp_path / "cache")]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert message in said[-1]
    assert len(said) == 1


@pytest.mark.parametrize(
    ("arguments", "knew", "shown"),
    [
        pytest.param(["--fold", "1"], "fold1", {"raf-db": 133, "kdef": 42}, id="fold"),
        pytest.param(["--split", "mixed", "--seed", "1"], "mixed-seed1", {"raf-db": 133, "kdef": 56}, id="mixed"),
        pytest.param(["--without-kdef"], "no-kdef", {"raf-db": 133, "kdef": 0}, id="without-kdef"),
    ],
)
def test_a_teacher_sees_no_more_than_its_pupils(cache, monkeypatch, arguments, knew, shown):
    import numpy as np

    from train import teacher

    seen = {}

    def fit(onnx, training, validation, seed):
        seen.update({name: len(part.indices) for name, part in training.items()})

    def predict(model, part):
        count = len(part.indices)
        return teacher.Lessons(np.full((count, 7), 1 / 7, np.float32), np.ones((count, 128), np.float16))

    monkeypatch.setattr(teacher, "fit", fit)
    monkeypatch.setattr(teacher, "predict", predict)
    assert main(["teach", "--onnx", "x.onnx", "--cache", str(cache), *arguments]) == 0
    assert seen == shown
    for name in commands.READERS:
        path = runs.lessons_file(cache, name, knew)
        assert len(teacher.Lessons.read(path).probabilities) > 0
        path.unlink()
