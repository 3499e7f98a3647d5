"""Puts a finished run into ``models/``: weights, OpenVINO files, checksums, what is known of the training."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np

from fer_core import model_files, runtimes
from fer_core.builder import build_model
from fer_core.emotions import EMOTIONS
from fer_core.recognizer import DEFAULT_RESOLUTION

from .batches import Part, plain_batches
from .checkpoints import Progress
from .metrics import fit_temperature
from .recipes import recipe

FILES = ["model.keras", "model.xml", "model.bin"]
_LIBRARIES = ("keras", "tensorflow", "torch", "openvino", "numpy", "opencv-python-headless")


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


def export(run_folder: Path, progress: Progress, validation: dict[str, Part], models: Path, trained_with: dict) -> Path:
    """Writes the model folder of a finished run, without figures of accuracy, which ``evaluate`` adds.

    Args:
        run_folder: Holds ``final.weights.h5``.
        progress: The run's record.
        validation: Held-out pictures, never the test: the temperature is fitted on them.
        models: Folder of all models.
        trained_with: Command, hardware and the like, for the record.

    Returns:
        The model's folder.
    """
    openvino = runtimes.import_openvino()
    folder = model_files.model_folder(progress.model, models)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / model_files.CHECKSUMS).unlink(missing_ok=True)
    save_half_precision(build_model(progress.model, run_folder / "final.weights.h5"), folder / "model.keras")
    model_files.write_checksums(folder, ["model.keras"])
    # From the stored float16 weights, so that every runtime computes with the same ones.
    keras_model, _ = runtimes.load_keras(progress.model, models)
    openvino.save_model(runtimes.convert_to_openvino(keras_model), folder / "model.xml", compress_to_fp16=True)
    model_files.write_checksums(folder, FILES)

    runtime = runtimes.load_runtime("openvino", progress.model, models)
    logits, labels, weights = [], [], []
    for part in validation.values():
        # Pictures on which the votes agree, and each data set as a whole counts alike.
        clear = np.array([part.crops.pictures[index].emotion is not None for index in part.indices])
        rows = [runtime.run(images).logits for images in plain_batches(part, DEFAULT_RESOLUTION)]
        logits.append(np.concatenate(rows)[clear])
        labels.append(part.targets.argmax(axis=1)[clear])
        weights.append(np.full(clear.sum(), 1 / clear.sum()))
    sizes = sorted({size for stage in recipe(progress.recipe).stages for size in stage.sizes})
    metrics = {
        "schema_version": model_files.SCHEMA_VERSION,
        "model": progress.model,
        "emotions": list(EMOTIONS),
        "trained_sizes": sizes,
        "temperature": fit_temperature(*map(np.concatenate, (labels, logits, weights))),
        "trained_with": trained_with
        | {
            "recipe": progress.recipe,
            "seed": progress.seed,
            "fold": progress.fold,
            "training_seconds": round(progress.seconds),
            "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        },
        "history": progress.history,
        "protocols": {},
    }
    write_metrics(folder, metrics)
    return folder


def write_metrics(folder: Path, metrics: dict) -> None:
    """Writes ``metrics.json`` to a temporary file, then renames it."""
    temporary = folder / "metrics.partial"
    temporary.write_text(json.dumps(metrics, indent=1) + "\n")
    temporary.rename(folder / "metrics.json")
