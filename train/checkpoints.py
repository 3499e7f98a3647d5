"""Checkpoints: everything a killed run needs to go on, in one file that is always whole."""

from __future__ import annotations

import json
import os
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

    from .trainers import Trainer

CHECKPOINT = "checkpoint.npz"
FINAL_WEIGHTS = "final.weights.h5"


@dataclass
class Progress:
    """What a run is, and how far it has come.

    Attributes:
        model: Name of the model.
        recipe: Name of the recipe.
        seed: Seed of the run.
        fold: Test fold of KDEF, which the run never sees; None without KDEF, or where people are mixed.
        stage: Index of the stage under way.
        step: Steps done in that stage.
        seconds: Time spent training so far.
        history: One record per finished epoch.
        engine: What trains it, a name of ``trainers.ENGINES``.
        split: How KDEF is split: ``"people"`` keeps them apart, ``"mixed"`` draws pictures by the run's seed.
        resolution: Side in pixels of a recipe of one size, if it is not the model's usual one.
        changes: Settings of the recipe that the run replaces.
        weights: What it began from: ``"random"``, ``"imagenet"``, or the name and checksum of a file.
        begin: Record of the run that it began from, that run's name as ``"run"`` and its weights' ``"sha256"``.
        held_out: KDEF's validation and test: people, or names of pictures where people are mixed.
        teachers: By data set, whose soft labels it learned from: the part of KDEF that the teacher knew.
        hardware: What it was trained on.
    """

    model: str
    recipe: str
    seed: int
    fold: int | None
    stage: int = 0
    step: int = 0
    seconds: float = 0.0
    history: list[dict] = field(default_factory=list)
    engine: str = "keras"
    split: str = "people"
    resolution: int | None = None
    changes: dict = field(default_factory=dict)
    weights: str = "random"
    begin: dict | None = None
    held_out: dict[str, list[str]] = field(default_factory=dict)
    teachers: dict[str, str] = field(default_factory=dict)
    hardware: str = ""

    @property
    def mixed_seed(self) -> int | None:
        """Seed of the split that mixes people, or None where they are kept apart."""
        return self.seed if self.split == "mixed" else None


def save(path: Path, trainer: Trainer, progress: Progress) -> None:
    """Writes a checkpoint to a temporary file, then renames it: the last good one is never lost.

    Raises:
        OSError: If the disk refuses, for example because it is full; the last good checkpoint stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    try:
        with temporary.open("wb") as file:
            np.savez(file, progress=np.array(json.dumps(asdict(progress))), **trainer.state())  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
    except OSError as error:
        raise OSError(
            error.errno,
            f"{error.strerror}: no checkpoint could be written to {path.parent}; the last one stays, and the same "
            "command goes on from there",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def read_progress(path: Path) -> Progress:
    """Reads how far the run of a checkpoint has come.

    Raises:
        ValueError: If the file is no checkpoint of this program.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return Progress(**json.loads(str(file["progress"])))
    except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path.name} must be a checkpoint of 'python -m train fit', but: {error}") from error


def restore(path: Path, trainer: Trainer) -> None:
    """Puts the values of a checkpoint into a trainer that has begun the checkpoint's stage.

    Raises:
        ValueError: If it belongs to another model or optimizer; says what differs.
    """
    expected = trainer.state()
    with np.load(path, allow_pickle=False) as file:
        state = {name: file[name] for name in file.files if name != "progress"}
    if set(state) != set(expected):
        raise ValueError(f"{path.name} holds {len(state)} arrays, but this model has {len(expected)} of other names")
    for name, value in expected.items():
        if state[name].shape != value.shape:
            raise ValueError(
                f"{path.name} is of another model: expected {name} with shape {value.shape}, "
                f"but got {state[name].shape}"
            )
    trainer.load(state)


def save_final(run_folder: Path, model: keras.Model, progress: Progress) -> None:
    """Writes ``final.weights.h5``, then ``run.json`` with the history, and drops the checkpoint."""
    run_folder.mkdir(parents=True, exist_ok=True)
    temporary = run_folder / "partial.weights.h5"
    model.save_weights(temporary)
    temporary.rename(run_folder / FINAL_WEIGHTS)
    record = run_folder / "run.partial"
    record.write_text(json.dumps(asdict(progress), indent=1))
    record.rename(run_folder / "run.json")
    (run_folder / CHECKPOINT).unlink(missing_ok=True)


def read_record(run_folder: Path) -> Progress:
    """Reads the record of a finished run.

    Raises:
        FileNotFoundError: If the run is not finished, or there is none.
    """
    record = run_folder / "run.json"
    if not record.is_file():
        raise FileNotFoundError(f"expected a finished run with a run.json in {run_folder}, but found none")
    return Progress(**json.loads(record.read_text()))
