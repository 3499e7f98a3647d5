"""A tiny run learns; one that was killed goes on and ends where the other did."""

import dataclasses
import json

import numpy as np
import pytest

from fer_core.builder import build_model
from tests.train.generated import make_crops
from train import checkpoints
from train import fit as loop
from train.augment import Augmentation
from train.batches import EMBEDDING, part_of
from train.checkpoints import Progress
from train.recipes import RECIPES, Recipe, Stage, recipe
from train.trainers import ENGINES

STAGE = Stage(
    data={"a": 1},
    sizes=(32,),
    size_weights=(1,),
    epochs=2,
    learning_rate=2e-3,
    augmentation=Augmentation(light=0.1),
    batch=16,
    label_smoothing=0.0,
)
TINY = Recipe(stages=(STAGE, dataclasses.replace(STAGE, epochs=1, embedding_share=0.1)), validation_size=32)


def run(folder, engine="keras"):
    embeddings = np.random.default_rng(0).normal(size=(64, EMBEDDING)).astype(np.float16)
    part = part_of(make_crops("a", 64), np.arange(64), embeddings=embeddings)
    progress = Progress("scalable-env2b0", "tiny", 0, 0, engine=engine)
    model = loop.fit(TINY, progress, folder, lambda stage: {"a": part}, {"a": part})
    return model, progress


class Killed(Exception):
    """Stands for a kill signal in the middle of a step."""


@pytest.fixture(scope="module", params=ENGINES)
def finished(tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("run")
    model, progress = run(folder, request.param)
    return folder, model, progress


def test_a_run_learns_and_is_recorded(finished):
    folder, model, progress = finished
    assert [record["epoch"] for record in progress.history] == [1, 2, 3]
    assert progress.history[-1]["loss"] < progress.history[0]["loss"]
    record = json.loads((folder / "run.json").read_text())
    assert record["history"] == progress.history
    assert {"loss", "accuracy", "validation_loss", "validation_accuracy", "learning_rate"} <= set(record["history"][0])
    assert sorted(path.name for path in folder.iterdir()) == ["final.weights.h5", "run.json"]
    with pytest.raises(ValueError, match="is finished: choose another name, or export it"):
        run(folder)
    # The weights that were saved are the trained ones.
    images = make_crops("a", 64).images.astype(np.float32)
    logits = np.asarray(build_model("scalable-env2b0", folder / "final.weights.h5")(images)["logits"])
    np.testing.assert_allclose(logits, np.asarray(model(images)["logits"]), atol=1e-4)
    accuracy = np.mean(logits.argmax(1) == np.arange(64) % 7)
    assert accuracy == pytest.approx(progress.history[-1]["validation_accuracy"], abs=0.02)


def test_a_killed_run_goes_on(finished, tmp_path, monkeypatch):
    _, _, expected = finished
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    real_rate, calls = loop.learning_rate, []

    def kill_in_step_six(stage, step, steps):
        calls.append(step)
        if len(calls) == 6:
            raise Killed
        return real_rate(stage, step, steps)

    monkeypatch.setattr(loop, "learning_rate", kill_in_step_six)
    with pytest.raises(Killed):
        run(tmp_path, expected.engine)
    saved = checkpoints.read_progress(tmp_path / "checkpoint.npz")
    assert (saved.stage, saved.step) == (0, 5)
    monkeypatch.undo()
    _, progress = run(tmp_path, expected.engine)
    # Dropout's random states are part of the checkpoint, so the two runs differ by rounding alone.
    for got, wanted in zip(progress.history, expected.history, strict=True):
        assert got["learning_rate"] == wanted["learning_rate"]
        assert got["validation_loss"] == pytest.approx(wanted["validation_loss"], rel=0.05)


class Counter:
    """The smallest trainer that a checkpoint can hold."""

    def __init__(self, units):
        self.weights = np.zeros(units, np.float32)

    def state(self):
        return {"weights": self.weights}

    def load(self, state):
        self.weights = state["weights"]


def test_checkpoints_of_other_runs_are_refused(tmp_path):
    path = tmp_path / "checkpoint.npz"
    checkpoints.save(path, Counter(2), Progress("scalable-env2s", "tiny", 0, 0))
    with pytest.raises(ValueError, match="with model 'scalable-env2s', but 'scalable-env2b0' was asked for"):
        run(tmp_path)
    with pytest.raises(ValueError, match=r"is of another model: expected weights with shape \(3,\), but got \(2,\)"):
        checkpoints.restore(path, Counter(3))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="must be a checkpoint of 'python -m train fit'"):
        checkpoints.read_progress(path)


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.npz"
    checkpoints.save(path, Counter(2), Progress("a", "b", 0, 0, step=1))

    def full(*arguments, **arrays):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.np, "savez", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoints.save(path, Counter(2), Progress("a", "b", 0, 0, step=2))
    assert checkpoints.read_progress(path).step == 1
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_learning_rate_warms_up_and_falls_to_zero():
    rates = [loop.learning_rate(STAGE, step, 100) for step in range(100)]
    assert max(rates) == STAGE.learning_rate == rates[5]
    assert rates[:5] == sorted(rates[:5])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] < 0.001 * STAGE.learning_rate


@pytest.mark.parametrize("name", list(RECIPES))
def test_recipes_have_at_most_six_sizes_a_stage(name):
    for stage in recipe(name).stages:
        assert len(stage.sizes) == len(stage.size_weights) <= 6
        assert all(size >= 32 for size in stage.sizes)


def test_unknown_recipes_are_named():
    with pytest.raises(ValueError, match="recipe must be one of elastic, but got 'magic'"):
        recipe("magic")
