"""A finished run becomes a model folder: stored small where that costs nothing, with all that is known of it."""

import dataclasses

import keras
import numpy as np
import pytest

from fer_core import model_files
from fer_core.runtimes import load_runtime
from tests.train.generated import make_crops, small_model
from train import export
from train import fit as loop
from train.augment import Augmentation
from train.batches import part_of
from train.checkpoints import Progress
from train.recipes import Recipe, Stage

NAME = "scalable-env2b0"

CROPS = make_crops("kdef", 56, 40)
VALIDATION = {"kdef": part_of(CROPS, np.arange(56))}
EPOCH = {"stage": 1, "epoch": 1, "loss": 1.0}


@pytest.fixture(autouse=True, scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "build_model", small_model)
        patch.setattr(loop, "build_model", small_model)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that began from another."""
    folder = tmp_path_factory.mktemp("run") / "second"
    stage = Stage({"kdef": 1}, (40,), (1,), 3, 1e-2, Augmentation(light=0.2), batch=14)
    first = Progress(NAME, "paper", 0, None, split="mixed", resolution=40, seconds=60, history=[EPOCH])
    begin = dataclasses.asdict(first) | {"run": "first", "sha256": "f" * 64}
    progress = Progress(NAME, "paper", 0, None, split="mixed", resolution=40, begin=begin)
    model = loop.fit(Recipe((stage,), 40), progress, folder, lambda stage: VALIDATION, VALIDATION)
    progress.seconds = 30
    return folder, model, progress


@pytest.mark.parametrize(
    ("allowed", "precision"),
    [pytest.param(1.0, "float16", id="small-enough"), pytest.param(0.0, "float32", id="too-much")],
)
def test_half_precision_is_kept_where_it_moves_little(run, tmp_path, monkeypatch, allowed, precision):
    folder, model, progress = run
    monkeypatch.setattr(export, "HALF_MAY_MOVE", allowed)
    written = export.export(folder, progress, VALIDATION, tmp_path, {"note": "a note"})
    metrics = model_files.read_metrics(NAME, tmp_path)
    assert metrics["stored_as"]["precision"] == precision
    images = CROPS.images[:5].astype(np.float32)
    expected = np.asarray(model(images)["logits"])
    for runtime in ("openvino", "keras-predict"):
        logits = load_runtime(runtime, NAME, tmp_path, "fp32").run(images).logits
        np.testing.assert_allclose(logits, expected, atol=0.02 * np.abs(expected).max())
    assert metrics["stored_as"]["float16_moves_accuracy_by"] == pytest.approx(0, abs=0.04)
    parameters = model.count_params()
    assert ((written / "model.bin").stat().st_size > 3 * parameters) == (precision == "float32")
    assert sorted(path.name for path in written.iterdir()) == [
        "SHA256SUMS",
        "metrics.json",
        "model.bin",
        "model.keras",
        "model.xml",
    ]


def test_the_record_tells_the_whole_story(run, tmp_path):
    folder, _, progress = run
    (tmp_path / NAME).mkdir()
    before = {"kdef-paper-split": {"weights": "run"}, "raf-db-test": {"weights": "shipped"}}
    export.write_metrics(tmp_path / NAME, export.empty_metrics(NAME) | {"protocols": before})
    export.export(folder, progress, VALIDATION, tmp_path, {"note": "a note"})
    metrics = model_files.read_metrics(NAME, tmp_path)
    assert [(epoch["stage"], epoch["epoch"]) for epoch in metrics["history"]] == [(1, 1), (2, 2), (2, 3), (2, 4)]
    trained = metrics["trained_with"]
    assert trained["training_seconds"] == 90
    assert len(trained["commands"]) == 2
    assert trained["commands"][1].endswith("--begin first")
    assert trained["begin"]["run"] == "first"
    assert trained["checkpoint_sha256"] == model_files.sha256(folder / "final.weights.h5")
    assert metrics["trained_sizes"] == [40]
    assert list(metrics["protocols"]) == ["kdef-paper-split"], "figures of other files are gone, those of runs stay"


def test_another_backend_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="export needs KERAS_BACKEND=tensorflow, but got jax"):
        export.export(run[0], run[2], VALIDATION, tmp_path, {})
