"""Puts a finished run into ``models/``: weights, OpenVINO files, checksums, what is known of the training."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import logging
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np

from fer_core import model_files, runtimes
from fer_core.builder import architecture, build_model
from fer_core.compute import available_threads, cpu_model
from fer_core.emotions import EMOTIONS
from fer_core.recognizer import DEFAULT_RESOLUTION

from .batches import Part, plain_batches
from .checkpoints import FINAL_WEIGHTS, Progress
from .metrics import fit_temperature
from .runs import chain, command_of, recipe_of

FILES = ["model.keras", "model.xml", "model.bin"]
_LIBRARIES = ("keras", "tensorflow", "torch", "openvino", "numpy", "opencv-python-headless")
# What is kept of the run that another began from: enough to repeat it.
_BEGIN = ("run", "sha256", "model", "recipe", "seed", "engine", "changes")
# float16 is kept where it moves the accuracy by less.
HALF_MAY_MOVE = 0.002

log = logging.getLogger(__name__)


def save_half_precision(model, path: Path) -> None:
    """Saves a Keras model with its float32 weights stored as float16: half the size, same loading code."""
    full = path.with_suffix(".full.keras")
    model.save(full)
    weights = path.with_suffix(".weights.h5")
    try:
        with zipfile.ZipFile(full) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
            for name in source.namelist():
                if name != "model.weights.h5":
                    target.writestr(name, source.read(name))
            with source.open("model.weights.h5") as packed, weights.open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
            half = path.with_suffix(".half.h5")
            with h5py.File(weights) as old, h5py.File(half, "w") as new:
                _copy_half(old, new)
            target.write(half, "model.weights.h5")
    finally:
        for leftover in (full, weights, path.with_suffix(".half.h5")):
            leftover.unlink(missing_ok=True)


def _copy_half(old: h5py.Group, new: h5py.Group) -> None:
    for key, value in old.attrs.items():
        new.attrs[key] = value
    for key, item in old.items():
        if isinstance(item, h5py.Group):
            _copy_half(item, new.create_group(key))
        else:
            values = item[()]
            new.create_dataset(key, data=values.astype(np.float16) if values.dtype == np.float32 else values)


def _write_model(name: str, weights: Path, models: Path, half: bool) -> None:
    """Writes the files of a model in half or full precision, and their checksums."""
    openvino = runtimes.import_openvino()
    folder = model_files.model_folder(name, models)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / model_files.CHECKSUMS).unlink(missing_ok=True)
    model = build_model(name, weights)
    if half:
        save_half_precision(model, folder / "model.keras")
    else:
        model.save(folder / "model.keras")
    model_files.write_checksums(folder, ["model.keras"])
    # From the stored weights, so that every runtime computes with the same ones.
    keras_model, _ = runtimes.load_keras(name, models)
    openvino.save_model(runtimes.convert_to_openvino(keras_model), folder / "model.xml", compress_to_fp16=half)
    model_files.write_checksums(folder, FILES)


def _held_out_logits(
    name: str, models: Path, validation: dict[str, Part], size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns labels, logits and weights of the held-out pictures on which the votes agree.

    Each data set as a whole counts alike. Computed in float32, so that only the stored weights make a difference.
    """
    runtime = runtimes.load_runtime("openvino", name, models, "fp32")
    labels, logits, weights = [], [], []
    for part in validation.values():
        clear = np.array([part.crops.pictures[index].emotion is not None for index in part.indices])
        rows = [runtime.run(images).logits for images in plain_batches(part, size)]
        logits.append(np.concatenate(rows)[clear])
        labels.append(part.targets.argmax(axis=1)[clear])
        weights.append(np.full(clear.sum(), 1 / clear.sum()))
    return np.concatenate(labels), np.concatenate(logits), np.concatenate(weights)


def export(run_folder: Path, progress: Progress, validation: dict[str, Part], models: Path, trained_with: dict) -> Path:
    """Writes the model folder of a finished run, without figures of accuracy, which ``evaluate`` adds.

    The weights are stored as float16 where that moves the validation accuracy by less than ``HALF_MAY_MOVE``.

    Args:
        run_folder: Holds ``final.weights.h5``.
        progress: The run's record.
        validation: Held-out pictures, never the test: the temperature is fitted on them.
        models: Folder of all models.
        trained_with: Hardware and the like, for the record.

    Returns:
        The model's folder.

    Raises:
        ValueError: If Keras runs on another backend than TensorFlow, from which OpenVINO converts.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"export needs KERAS_BACKEND=tensorflow, but got {keras.backend.backend()}")
    name, weights = progress.model, run_folder / FINAL_WEIGHTS
    chosen = recipe_of(progress)
    size = chosen.checked_at() if chosen.one_size else DEFAULT_RESOLUTION
    folder = model_files.model_folder(name, models)
    _write_model(name, weights, models, half=False)
    labels, logits, counts = _held_out_logits(name, models, validation, size)
    full = np.mean(logits.argmax(axis=1) == labels)
    _write_model(name, weights, models, half=True)
    half_logits = _held_out_logits(name, models, validation, size)[1]
    moved = float(np.mean(half_logits.argmax(axis=1) == labels) - full)
    half = abs(moved) < HALF_MAY_MOVE
    if half:
        logits = half_logits
    else:
        _write_model(name, weights, models, half=False)
    log.info("%s: float16 moves the validation accuracy by %+.4f: %s", name, moved, "kept" if half else "not kept")

    runs = chain(progress)
    recorded = model_files.read_metrics(name, models) or {}
    metrics = empty_metrics(name) | {
        "trained_sizes": sorted({size for run in runs for stage in recipe_of(run).stages for size in stage.sizes}),
        "temperature": fit_temperature(labels, logits, counts),
        "stored_as": {"precision": "float16" if half else "float32", "float16_moves_accuracy_by": moved},
        "trained_with": {
            "architecture": architecture(name).backbone,
            "command": command_of(progress),
            "commands": [command_of(run) for run in runs],
            "date": datetime.date.today().isoformat(),
            "recipe": progress.recipe,
            "seed": progress.seed,
            "fold": progress.fold,
            "split": progress.split,
            "engine": progress.engine,
            "hardware": progress.hardware or machine(),
            "weights": runs[0].weights,
            "begin": progress.begin and {key: progress.begin[key] for key in _BEGIN},
            "changes": progress.changes,
            "teachers": {name: knew for run in runs for name, knew in run.teachers.items()},
            "checkpoint_sha256": model_files.sha256(weights),
            "training_seconds": round(sum(run.seconds for run in runs)),
            "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        }
        | trained_with,
        "history": full_history(runs),
        # Figures of these files are of others now; what recorded runs gave still stands.
        "protocols": {
            key: figures for key, figures in recorded.get("protocols", {}).items() if figures["weights"] == "run"
        },
        "unfinished": recorded.get("unfinished", []),
    }
    write_metrics(folder, metrics)
    return folder


def empty_metrics(name: str) -> dict:
    """Returns the record of a model of which there are no weights here, and of which nothing was measured."""
    return {
        "schema_version": model_files.SCHEMA_VERSION,
        "model": name,
        "emotions": list(EMOTIONS),
        "trained_sizes": [],
        "temperature": 1.0,
        "stored_as": None,
        "trained_with": {},
        "history": [],
        "protocols": {},
        "unfinished": [],
    }


def full_history(runs: list[Progress]) -> list[dict]:
    """Joins the epochs of runs that began one from the other: stages and epochs are counted through."""
    history: list[dict] = []
    stages = 0
    for run in runs:
        for epoch in run.history:
            history.append(epoch | {"stage": stages + epoch["stage"], "epoch": len(history) + 1})
        stages += len(recipe_of(run).stages)
    return history


def machine() -> str:
    """Names the CPU and how many of its threads this process may use."""
    return f"{cpu_model()}, {available_threads()} threads"


def write_metrics(folder: Path, metrics: dict) -> None:
    """Writes ``metrics.json`` to a temporary file, then renames it."""
    temporary = folder / "metrics.partial"
    temporary.write_text(json.dumps(metrics, indent=1) + "\n")
    temporary.rename(folder / "metrics.json")
