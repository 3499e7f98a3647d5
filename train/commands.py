"""What each command of ``python -m train`` does with its options."""

from __future__ import annotations

import argparse
import datetime
import logging
from pathlib import Path

import numpy as np

from . import crops as crop_cache
from .batches import Part, part_of
from .data import READERS, find_data, split
from .recipes import Stage, recipe

log = logging.getLogger(__name__)


def prepare(options: argparse.Namespace) -> None:
    """Fills the cache with the data sets that were named, or with all."""
    given = {name: getattr(options, name.replace("-", "_")) for name in READERS}
    named = [name for name, path in given.items() if path] or list(READERS)
    # All are looked for before the first is prepared, which takes minutes.
    paths = {name: find_data(name, given[name], options.data) for name in named}
    for name, path in paths.items():
        crops = crop_cache.prepare(name, path, options.cache)
        log.info("%s: %d pictures, %d without a face", name, len(crops.pictures), (~crops.found).sum())


def _lessons_file(cache: Path, name: str, fold: int) -> Path:
    return cache / "crops" / f"{name}.teacher-fold{fold}.npz"


def teach(options: argparse.Namespace) -> None:
    """Fine-tunes the teacher on training pictures, then writes what it says of every crop of every data set."""
    from . import teacher

    crops = {name: crop_cache.load(name, options.cache) for name in READERS}
    splits = {name: split(name, item.pictures, options.fold) for name, item in crops.items()}
    parts = {
        kind: {name: part_of(crops[name], splits[name][kind]) for name in teacher.STAGE.data}
        for kind in ("train", "validation")
    }
    model = teacher.fit(options.onnx, parts["train"], parts["validation"], options.seed)
    for name, item in crops.items():
        everything = part_of(item, np.arange(len(item.pictures)))
        said = teacher.predict(model, everything)
        # Where no face was found there is nothing to say: zeros, which no training picture points to.
        lessons = teacher.Lessons(
            np.zeros((len(item.pictures), said.probabilities.shape[1]), np.float32),
            np.zeros((len(item.pictures), said.embeddings.shape[1]), np.float16),
        )
        lessons.probabilities[everything.indices] = said.probabilities
        lessons.embeddings[everything.indices] = said.embeddings
        lessons.write(_lessons_file(options.cache, name, options.fold))


def _training_part(crops: crop_cache.Crops, indices: np.ndarray, stage: Stage, cache: Path, fold: int) -> Part:
    """Selects training pictures and what the teacher says of them, if the stage listens and it has spoken."""
    if not stage.teacher_share and not stage.embedding_share:
        return part_of(crops, indices)
    from .teacher import STAGE, Lessons

    path = _lessons_file(cache, crops.name, fold)
    if not path.is_file():
        log.info("%s: the teacher has said nothing for fold %d, the labels alone are used", crops.name, fold)
        return part_of(crops, indices)
    lessons = Lessons.read(path)
    if len(lessons.probabilities) != len(crops.pictures):
        raise ValueError(
            f"{crops.name}: expected {len(crops.pictures)} soft labels, but got {len(lessons.probabilities)}"
        )
    # FER+ has ten people's votes; the teacher, which never learned from it, would only blur them.
    share = stage.teacher_share if crops.name in STAGE.data else 0.0
    return part_of(crops, indices, lessons.probabilities, share, lessons.embeddings)


def fit(options: argparse.Namespace) -> None:
    """Trains or resumes a run."""
    from .checkpoints import Progress
    from .fit import fit as train

    chosen = recipe(options.recipe)
    names = sorted({name for stage in chosen.stages for name in stage.data})
    crops = {name: crop_cache.load(name, options.cache) for name in names}
    splits = {name: split(name, item.pictures, options.fold) for name, item in crops.items()}

    def training(stage: Stage) -> dict[str, Part]:
        return {
            name: _training_part(crops[name], splits[name]["train"], stage, options.cache, options.fold)
            for name in stage.data
        }

    validation = {name: part_of(crops[name], splits[name]["validation"]) for name in names}
    progress = Progress(options.model, options.recipe, options.seed, options.fold, engine=options.engine)
    run = options.run or f"{options.model}-{options.recipe}-fold{options.fold}-seed{options.seed}"
    train(chosen, progress, options.cache / "runs" / run, training, validation, options.weights)
    log.info("%s: done in %.0f s of training", run, progress.seconds)


def export(options: argparse.Namespace) -> None:
    """Puts a finished run into the folder of models."""
    from fer_core import model_files
    from fer_core.builder import architecture

    from .checkpoints import read_record
    from .export import export as write

    folder = options.cache / "runs" / options.run
    progress = read_record(folder)
    names = sorted({name for stage in recipe(progress.recipe).stages for name in stage.data})
    validation = {}
    for name in names:
        crops = crop_cache.load(name, options.cache)
        validation[name] = part_of(crops, split(name, crops.pictures, progress.fold)["validation"])
    trained_with = {
        "architecture": architecture(progress.model).backbone,
        "command": f"python -m train fit --model {progress.model} --recipe {progress.recipe} "
        f"--seed {progress.seed} --fold {progress.fold}",
        "hardware": options.hardware or machine(),
        "note": options.note,
    }
    model_folder = write(folder, progress, validation, model_files.MODELS_FOLDER, trained_with)
    log.info("%s: written; 'python -m train evaluate --write' adds its figures and its card", model_folder.name)


def evaluate(options: argparse.Namespace) -> None:
    """Scores a shipped model, and either writes the figures or compares them with the shipped ones."""
    from fer_core import EmotionRecognizer, model_files

    from .card import write_card
    from .evaluate import PROTOCOLS, check_protocol, compare
    from .evaluate import evaluate as score
    from .export import write_metrics

    # Everything is checked before the first protocol is scored, which takes a minute.
    names = options.protocol or list(PROTOCOLS)
    data = {}
    for name in names:
        data_set = check_protocol(name).data_set
        data[name] = find_data(data_set, getattr(options, data_set.replace("-", "_")), options.data)
    recognizer = EmotionRecognizer.load(options.model, options.runtime)
    metrics = model_files.read_metrics(options.model)
    if metrics is None:
        raise FileNotFoundError(f"expected models/{options.model}/metrics.json, found none: export the run first")
    fold = metrics["trained_with"]["fold"]
    if fold != 0 and "kdef-unseen-people-fold0" in names:
        raise ValueError(f"these weights held out fold {fold}: kdef-unseen-people-fold0 would score people they know")
    differing = []
    for name in names:
        figures = score(recognizer, name, data[name])
        log.info("%s", name)
        for line, differs in compare(figures, metrics["protocols"].get(name, {})):
            log.info("  %s", line)
            if differs:
                differing.append(f"{name}, {line}")
        if options.write:
            metrics["protocols"][name] = figures | {
                "description": PROTOCOLS[name].description,
                "weights": "shipped",
                "runtime": f"{options.runtime} ({recognizer.runtime.precision})",
                "date": datetime.date.today().isoformat(),
                "machine": machine(),
            }
    if options.write:
        folder = model_files.model_folder(options.model)
        write_metrics(folder, metrics)
        write_card(folder, metrics)
    elif differing:
        raise ValueError(f"{len(differing)} figures differ from the shipped ones: " + "; ".join(differing))


def machine() -> str:
    """Names the CPU and how many of its threads this process may use."""
    from fer_core.compute import available_threads, cpu_model

    return f"{cpu_model()}, {available_threads()} threads"
