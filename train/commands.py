"""What each command of ``python -m train`` does with its options."""

from __future__ import annotations

import argparse
import logging

import numpy as np

from . import crops as crop_cache
from . import runs
from .batches import Part, part_of
from .checkpoints import Progress
from .data import READERS, find_data, split

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


def teach(options: argparse.Namespace) -> None:
    """Fine-tunes the teacher on training pictures, then writes what it says of every crop of every data set."""
    from . import teacher

    progress = Progress("teacher", "teacher", options.seed, options.fold, split=options.split or "people")
    if options.without_kdef and (options.fold is not None or options.split):
        raise ValueError("--without-kdef leaves nothing of KDEF to be split: give neither --fold nor --split")
    if progress.split == "people" and not options.without_kdef:
        progress.fold = options.fold or 0
    knew = runs.part_of_kdef(progress)
    crops = {name: crop_cache.load(name, options.cache) for name in READERS}
    parts: dict[str, dict[str, Part]] = {"train": {}, "validation": {}}
    for name in teacher.STAGE.data:
        divided = split(name, crops[name].pictures, progress.fold or 0, progress.mixed_seed)
        left_out = name == "kdef" and options.without_kdef
        parts["train"][name] = part_of(crops[name], divided["train"][:0] if left_out else divided["train"])
        if not left_out:
            parts["validation"][name] = part_of(crops[name], divided["validation"])
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
        lessons.write(runs.lessons_file(options.cache, name, knew))


def _planned(options: argparse.Namespace) -> Progress:
    return runs.plan(
        options.model,
        options.recipe,
        options.seed,
        options.fold,
        options.split,
        options.resolution,
        options.engine,
        runs.parse_changes(options.set),
    )


def fit(options: argparse.Namespace) -> None:
    """Trains or resumes a run."""
    from .start import start

    start(
        _planned(options),
        options.cache,
        options.run,
        options.weights,
        options.begin,
        options.features,
        options.teacher,
    )


def export(options: argparse.Namespace) -> None:
    """Puts a finished run into the folder of models."""
    from fer_core import model_files

    from .checkpoints import read_record
    from .export import export as write

    folder = runs.run_folder(options.cache, options.run)
    progress = read_record(folder)
    validation = runs.RunData(progress, options.cache).validation()
    origin = {"note": options.note} | ({"hardware": options.hardware} if options.hardware else {})
    model_folder = write(folder, progress, validation, model_files.MODELS_FOLDER, origin)
    log.info("%s: written; 'python -m train evaluate --write' adds its figures and its card", model_folder.name)


def evaluate(options: argparse.Namespace) -> None:
    """Scores protocols, and either writes the figures or compares them with the stored ones."""
    from .evaluation import evaluate as score

    score(options)
