"""Files of a model: whole or refused, with a message that names no path of the machine."""

import json
import shutil

import pytest

from fer_core import EmotionRecognizer, model_files
from fer_core.model_files import ModelFileError

NAME = "scalable-env2b0"


@pytest.fixture
def models(tmp_path):
    """A copy of the shipped model that a test may damage."""
    shutil.copytree(model_files.MODELS_FOLDER / NAME, tmp_path / NAME)
    return tmp_path


def cut(path):
    path.write_bytes(path.read_bytes()[:-1000])


def swap(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("file_name", "damage", "message"),
    [
        pytest.param("model.bin", cut, "model.bin is damaged: expected SHA-256", id="cut-short"),
        pytest.param("model.xml", swap, "model.xml is damaged: expected SHA-256", id="one-byte-changed"),
        pytest.param("model.bin", lambda path: path.unlink(), "model.bin, found nothing", id="missing"),
        pytest.param("model.keras", lambda path: path.unlink(), "model.keras, found nothing", id="missing-keras"),
        pytest.param("SHA256SUMS", lambda path: path.unlink(), "has no weights here", id="no-checksums"),
        pytest.param("SHA256SUMS", lambda path: path.write_text(""), "expected a checksum of", id="empty-checksums"),
        pytest.param("metrics.json", cut, "metrics.json is damaged", id="metrics-cut-short"),
        pytest.param(
            "metrics.json", lambda path: path.write_text('{"schema_version": 99}'), "but got 99", id="other-version"
        ),
    ],
)
def test_damage_is_refused(models, file_name, damage, message):
    damage(models / NAME / file_name)
    with pytest.raises(ModelFileError, match=message) as caught:
        EmotionRecognizer.load(models=models)
    assert str(models) not in str(caught.value)


def test_a_whole_model_loads(models):
    assert EmotionRecognizer.load(models=models, resolution=64).resolution == 64


def test_checksums_are_those_of_sha256sum(models):
    for line in (models / NAME / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert model_files.sha256(models / NAME / name) == digest


def test_models_without_weights_are_known_as_such():
    assert model_files.is_trained(NAME)
    assert not model_files.is_trained("bdf-inceptionv3")
    assert model_files.read_metrics("bdf-inceptionv3") is None


def test_metrics_hold_what_the_design_promises():
    metrics = model_files.read_metrics(NAME)
    assert {"trained_sizes", "temperature", "history", "trained_with", "protocols"} <= set(metrics)
    json.dumps(metrics, allow_nan=False)
    protocols = metrics["protocols"]
    assert {"kdef-unseen-people-fold0", "raf-db-test", "ferplus-test"} <= set(protocols)
    assert protocols["raf-db-test"]["accuracy"] >= 0.65
    assert protocols["kdef-unseen-people-fold0"]["accuracy"] >= 0.72
    assert (protocols["raf-db-test"]["images"], protocols["ferplus-test"]["images"]) == (3068, 3096)
    assert set(protocols["kdef-unseen-people-fold0"]["by_angle"]) == {"FL", "HL", "S", "HR", "FR"}
    promised = {"loss", "f1_macro", "f1_micro", "f1_weighted", "calibration_error", "people", "accuracy_on_found"}
    for figures in protocols.values():
        assert promised <= set(figures)
        assert figures["weights"] in ("shipped", "run")
        confusion = figures["confusion"]
        assert sum(map(sum, confusion)) == figures["images"] - figures["faces_missed"]
        hits = sum(confusion[index][index] for index in range(7))
        # Folds differ by a few pictures, and their mean counts each alike.
        exact = {"rel": 1e-6} if figures["weights"] == "shipped" else {"abs": 0.002}
        assert figures["accuracy"] == pytest.approx(hits / figures["images"], **exact)
        assert figures["accuracy"] == pytest.approx(figures["accuracy_by_resolution"][str(figures["resolution"])])
