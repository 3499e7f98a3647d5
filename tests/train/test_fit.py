"""A tiny run learns; one that was killed goes on and ends where the other did."""

import dataclasses
import json

import numpy as np
import pytest

from tests.train.generated import make_crops, small_model
from train import checkpoints, schedules
from train import fit as loop
from train.augment import Augmentation
from train.batches import EMBEDDING, part_of
from train.checkpoints import Progress
from train.recipes import Recipe, Stage
from train.trainers import ENGINES

STAGE = Stage(
    data={"a": 1},
    sizes=(32,),
    size_weights=(1,),
    epochs=2,
    learning_rate=1e-2,
    augmentation=Augmentation(light=0.1),
    batch=16,
    label_smoothing=0.0,
)
TINY = Recipe(stages=(STAGE, dataclasses.replace(STAGE, epochs=1, embedding_share=0.1)), validation_size=32)


@pytest.fixture(autouse=True, scope="module")
def small():
    """The loop does not care which network it trains; ``test_commands.py`` trains the real ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "build_model", small_model)
        yield


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
    logits = np.asarray(small_model(weights=folder / "final.weights.h5")(images)["logits"])
    np.testing.assert_allclose(logits, np.asarray(model(images)["logits"]), atol=1e-4)
    accuracy = np.mean(logits.argmax(1) == np.arange(64) % 7)
    assert accuracy == pytest.approx(progress.history[-1]["validation_accuracy"], abs=0.02)


def test_a_killed_run_goes_on(finished, tmp_path, monkeypatch):
    _, _, expected = finished
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    real_rate, calls = loop.learning_rate, []

    def kill_in_step_six(stage, step, steps, losses):
        calls.append(step)
        if len(calls) == 6:
            raise Killed
        return real_rate(stage, step, steps, losses)

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


def test_a_plateau_lowers_the_rate_and_survives_a_kill(tmp_path, monkeypatch):
    stage = dataclasses.replace(STAGE, schedule="plateau", epochs=9, learning_rate=1e-9)
    part = part_of(make_crops("a", 16), np.arange(16))

    def train():
        progress = Progress("scalable-env2b0", "tiny", 0, 0)
        loop.fit(Recipe((stage,), 32), progress, tmp_path, lambda stage: {"a": part}, {"a": part})
        return [record["learning_rate"] for record in progress.history]

    monkeypatch.setattr(schedules, "PATIENCE", 5)
    # Nothing is learned at such a rate, so the validation loss stands still and each fifth epoch is a plateau.
    monkeypatch.setattr(loop, "validate", lambda *_: {"a": {"loss": 2.0, "accuracy": 0.1, "pictures": 16}})
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    real, epochs = loop._record_epoch, []

    def killed_in_epoch_eight(progress, *scores):
        real(progress, *scores)
        epochs.append(1)
        if len(epochs) == 8:
            raise Killed

    monkeypatch.setattr(loop, "_record_epoch", killed_in_epoch_eight)
    with pytest.raises(Killed):
        train()
    monkeypatch.setattr(loop, "_record_epoch", real)
    assert train() == [1e-9] * 6 + [5e-10] * 3


def test_what_differs_from_the_checkpoint_is_named(tmp_path):
    begin = {"run": "first", "sha256": ""}
    checkpoints.save(tmp_path / "checkpoint.npz", Counter(2), Progress("m", "r", 0, 1, begin=begin))
    for other, message in [
        (Progress("m", "r", 0, 2, begin=begin), "with fold 1, but 2 was asked for"),
        (Progress("m", "r", 0, 1, resolution=64), "with resolution None, but 64 was asked for"),
        (Progress("m", "r", 0, 1), "that began from first, but None was asked for"),
    ]:
        with pytest.raises(ValueError, match=message):
            loop.prepare(other, tmp_path)
