"""Which models the page runs, and that each is loaded once."""

from __future__ import annotations

import shutil

import pytest

from fer_core import model_files
from fer_core.recognizer import DEFAULT_MODEL
from tabs import engine


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A folder of models without weights, and nothing loaded."""
    for model in model_files.MODELS_FOLDER.iterdir():
        if model.is_dir():
            shutil.copytree(model, tmp_path / model.name, ignore=shutil.ignore_patterns("model.*", "SHA256SUMS"))
    monkeypatch.setattr(model_files, "MODELS_FOLDER", tmp_path)
    monkeypatch.setattr(engine, "_loading", {})
    return tmp_path


def test_both_elastic_models_are_offered():
    assert engine.models() == ["scalable-env2b0", "scalable-env2s"]


def test_the_first_is_offered_even_without_weights_and_says_what_is_missing(folder):
    assert engine.models() == [DEFAULT_MODEL]
    with pytest.raises(model_files.ModelFileError, match="scalable-env2b0 has no weights here"):
        engine.recognizer()
    assert engine.state() == "broken"


def test_each_model_is_loaded_once_and_one_without_weights_harms_no_other(folder, monkeypatch):
    loads = []
    monkeypatch.setattr(engine.EmotionRecognizer, "load", lambda model: loads.append(model) or _loaded(model))
    for model in ("scalable-env2b0", "scalable-env2b0"):
        assert engine.recognizer(model) == "recognizer of scalable-env2b0"
    for _ in range(2):
        with pytest.raises(model_files.ModelFileError, match="damaged"):
            engine.recognizer("scalable-env2s")
    assert loads == ["scalable-env2b0", "scalable-env2s", "scalable-env2s"], "a load that failed is tried again"
    assert engine.state() == "ready"


def _loaded(model: str) -> str:
    if model == "scalable-env2s":
        raise model_files.ModelFileError("damaged")
    return f"recognizer of {model}"
