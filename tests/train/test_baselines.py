"""A frozen backbone under a new head: features are computed once, and the head alone learns."""

import dataclasses

import numpy as np
import pytest

from fer_core.builder import build_model
from tests.train.generated import make_crops
from train import baselines, checkpoints
from train import fit as loop
from train.augment import TABLE_1
from train.baselines import FeatureBatches, features_of, fit
from train.batches import part_of
from train.checkpoints import Progress
from train.recipes import recipe

CROPS = make_crops("kdef", 56, 48)
PARTS = part_of(CROPS, np.arange(42)), part_of(CROPS, np.arange(42, 56))


@pytest.fixture(autouse=True, scope="module")
def few_views():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baselines, "VIEWS", 2)
        yield


def run(folder, model="bdf-mobilenet", size=32, epochs=4):
    chosen = recipe("baseline", model, size, {"epochs": epochs, "batch": 14, "learning_rate": 0.02})
    progress = Progress(model, "baseline", 0, 0, resolution=size)
    trained = fit(chosen, progress, folder / "run", CROPS, *PARTS, folder / "features", None)
    return trained, progress


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("baseline")
    return folder, *run(folder)


def test_the_head_learns_what_the_features_tell(tmp_path):
    # Random backbones tell nothing: features that are kept already take their place. All others are silent, as
    # batch normalization would make noise as loud as what counts.
    features = np.zeros((56, 1024), np.float32)
    features[np.arange(56), np.arange(56) % 7] += 8
    (tmp_path / "features").mkdir()
    for name in ("plain", "view0", "view1"):
        np.save(tmp_path / "features" / f"kdef-{name}.npy", features)
    _, progress = run(tmp_path, epochs=20)
    assert progress.history[-1]["loss"] < progress.history[0]["loss"]
    assert progress.history[-1]["validation_accuracy"] > 0.8


def test_nothing_but_the_head_changes(finished):
    folder, model, progress = finished
    assert [record["epoch"] for record in progress.history] == list(range(1, 5))
    saved = build_model("bdf-mobilenet", folder / "run" / "final.weights.h5")
    import keras

    keras.utils.set_random_seed(0)
    fresh = build_model("bdf-mobilenet")
    changed = [
        layer.name
        for layer, other in zip(saved.layers, fresh.layers, strict=True)
        if any((a != b).any() for a, b in zip(layer.get_weights(), other.get_weights(), strict=True))
    ]
    assert changed == ["head_normalization", "logits"]
    images = CROPS.images[:2, :32, :32].astype(np.float32)
    np.testing.assert_allclose(
        np.asarray(saved(images)["logits"]), np.asarray(model(images)["logits"]), rtol=1e-4, atol=1e-4
    )


def test_features_are_those_of_the_backbone_and_kept(finished):
    folder, model, _ = finished
    import keras

    files = sorted((folder / "features").iterdir())
    assert [file.name for file in files] == ["kdef-plain.npy", *(f"kdef-view{view}.npy" for view in range(2))]
    backbone = keras.Model(model.input, model.get_layer("pool").output)
    found = dataclasses.replace(CROPS, found=np.arange(56) != 3)
    again = features_of(backbone, found, 32, TABLE_1, 1, folder / "again.npy")
    np.testing.assert_allclose(np.delete(again, 3, 0), np.delete(np.load(files[2]), 3, 0), rtol=1e-4, atol=1e-5)
    assert not again[3].any(), "there is nothing where no face was found"
    assert (np.load(files[1]) != np.load(files[2])).any(), "views differ"

    class Unusable:
        output = property(lambda self: pytest.fail("computed twice"))

    np.testing.assert_array_equal(features_of(Unusable(), CROPS, 32, TABLE_1, 1, folder / "again.npy"), again)


def test_a_killed_baseline_goes_on(finished, tmp_path, monkeypatch):
    folder, _, expected = finished

    class Killed(Exception):
        pass

    save = checkpoints.save

    def save_and_die(path, trainer, progress):
        save(path, trainer, progress)
        if progress.step == 7:
            raise Killed

    (tmp_path / "features").symlink_to(folder / "features")
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr(checkpoints, "save", save_and_die)
    with pytest.raises(Killed):
        run(tmp_path)
    monkeypatch.undo()
    _, progress = run(tmp_path)
    for got, wanted in zip(progress.history[2:], expected.history[2:], strict=True):
        assert got["validation_loss"] == pytest.approx(wanted["validation_loss"], rel=1e-3)


def test_inception_trains_too(tmp_path):
    model, progress = run(tmp_path, "bdf-inceptionv3", 75, epochs=1)
    assert np.isfinite(progress.history[0]["loss"])
    assert model.get_layer("logits").kernel.shape == (2048, 7)
    assert (tmp_path / "run" / "final.weights.h5").is_file()


def test_batches_are_balanced_and_take_turns_with_the_views():
    stage = dataclasses.replace(recipe("baseline", "bdf-mobilenet").stages[0], epochs=3, batch=8)
    views = [np.full((56, 2), view, np.float32) for view in range(2)]
    part = part_of(CROPS, np.arange(16))
    batches = list(FeatureBatches(stage, views, part, seed=0).iterate())
    assert [batch.images[0, 0] for batch in batches] == [0, 0, 1, 1, 0, 0]
    labels = np.concatenate([batch.targets.argmax(1) for batch in batches[:2]])
    weights = np.concatenate([batch.weights for batch in batches[:2]])
    sums = np.bincount(labels, weights, minlength=7)
    np.testing.assert_allclose(sums, sums[0], rtol=1e-5, err_msg="power 1: every class counts alike")
    assert weights.mean() == pytest.approx(1)
    rest = list(FeatureBatches(stage, views, part, seed=0).iterate(first_step=4))
    np.testing.assert_array_equal(rest[0].targets, batches[4].targets)
    with pytest.raises(ValueError, match="needs a batch of 8 pictures, but got 7"):
        FeatureBatches(stage, views, part_of(CROPS, np.arange(7)), seed=0)


def test_features_of_other_backbones_lie_elsewhere(tmp_path):
    (tmp_path / "crops").mkdir()
    (tmp_path / "crops" / "kdef.json").write_text("{}")
    of = [
        Progress("bdf-mobilenet", "baseline", 0, 0),
        Progress("bdf-mobilenet", "baseline", 1, 0),
        Progress("bdf-mobilenet", "baseline", 0, 0, weights="a.tflite (sha256 123)"),
        Progress("bdf-mobilenet", "baseline", 1, 0, weights="a.tflite (sha256 123)"),
        Progress("bdf-inceptionv3", "baseline", 0, 0, weights="a.h5 (sha256 456)"),
    ]
    folders = [baselines.feature_folder(tmp_path, progress, 224) for progress in of]
    assert folders[2] == folders[3]
    assert len(set(folders)) == 4
