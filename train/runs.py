"""Runs: what one is called, which command repeats it, what it may begin from, how far it has come."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from fer_core.builder import architecture
from fer_core.model_files import sha256

from . import crops as crop_cache
from .batches import Part, part_of
from .checkpoints import CHECKPOINT, FINAL_WEIGHTS, Progress, read_progress, read_record
from .data import Picture, split
from .grow import GROWS_FROM
from .recipes import Recipe, Stage, recipe

SPLITS = ("people", "mixed")

log = logging.getLogger(__name__)


def plan(
    model: str,
    recipe_name: str,
    seed: int = 0,
    fold: int | None = None,
    split: str | None = None,
    resolution: int | None = None,
    engine: str = "keras",
    changes: Mapping[str, str | float] | None = None,
) -> Progress:
    """Returns the record of a run that has not begun.

    Args:
        model: A model of ``builder.ARCHITECTURES``.
        recipe_name: A key of ``RECIPES``.
        seed: Seed of everything that is random in it.
        fold: Test fold of KDEF; None is the first, where people are kept apart.
        split: ``"people"`` or ``"mixed"``; None is the recipe's own.
        resolution: Side in pixels, for a recipe of one size; by default the paper's for the model.
        engine: A name of ``trainers.ENGINES``.
        changes: Settings of the recipe to replace.

    Raises:
        ValueError: If two of them do not go together; says what was expected and what came.
    """
    architecture(model)
    chosen = recipe(recipe_name, model, resolution, changes)
    split = split or chosen.split
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, but got {split!r}")
    if "kdef" not in chosen.data:
        if split == "mixed" or fold is not None:
            raise ValueError(f"recipe {recipe_name!r} uses no picture of KDEF: it takes neither a fold nor a split")
    elif split == "people":
        fold = fold or 0
    elif fold is not None:
        raise ValueError(f"a split that mixes people has no folds, only seeds, but got fold {fold}")
    numbers = {key: getattr(chosen.stages[0], key) for key in changes or {}}
    size = chosen.validation_size if chosen.one_size else None
    return Progress(model, recipe_name, seed, fold, engine=engine, split=split, resolution=size, changes=numbers)


def recipe_of(progress: Progress) -> Recipe:
    """Returns the recipe of a run, with its resolution and its changes."""
    return recipe(progress.recipe, progress.model, progress.resolution, progress.changes)


def part_of_kdef(progress: Progress) -> str:
    """Names what a run, or its teacher, may see of KDEF: ``"fold0"`` is all but fold 0, ``"no-kdef"`` is nothing."""
    if progress.split == "mixed":
        return f"mixed-seed{progress.seed}"
    return "no-kdef" if progress.fold is None else f"fold{progress.fold}"


def run_name(progress: Progress) -> str:
    """Returns the name of a run whose user gave none: all that tells it from others."""
    parts = [progress.model, progress.recipe]
    if progress.resolution:
        parts.append(f"{progress.resolution}px")
    if progress.split == "mixed":
        parts.append("mixed")
    elif progress.fold is not None:
        parts.append(f"fold{progress.fold}")
    parts.append(f"seed{progress.seed}")
    return "-".join([*parts, *(f"{key}={value:g}" for key, value in progress.changes.items())])


def run_folder(cache: Path, name: str) -> Path:
    """Returns the folder of a run in the cache."""
    return cache / "runs" / name


def command_of(progress: Progress) -> str:
    """Returns the command that repeats a run; of files it knows the names only."""
    words = ["python -m train fit", f"--model {progress.model}", f"--recipe {progress.recipe}"]
    if progress.resolution:
        words.append(f"--resolution {progress.resolution}")
    if progress.split != recipe(progress.recipe).split:
        words.append(f"--split {progress.split}")
    if progress.fold is not None:
        words.append(f"--fold {progress.fold}")
    words.append(f"--seed {progress.seed}")
    if progress.engine != "keras":
        words.append(f"--engine {progress.engine}")
    words += [*origin_words(progress), *teacher_words(progress), *change_words(progress)]
    return " ".join(words)


def origin_words(progress: Progress) -> list[str]:
    """Returns the options that say what a run began from."""
    if progress.begin:
        return [f"--begin {progress.begin['run']}"]
    if progress.weights == (recipe(progress.recipe).weights or "random"):
        return []
    given = "none" if progress.weights == "random" else progress.weights.split(" ")[0]
    return [f"--{'features' if given.endswith('.tflite') else 'weights'} {given}"]


def teacher_words(progress: Progress) -> list[str]:
    """Returns the options that name the teacher a run listened to, if it was another than usual."""
    others = {*progress.teachers.values()} - {part_of_kdef(progress)}
    return [f"--teacher {teacher}" for teacher in sorted(others)]


def change_words(progress: Progress) -> list[str]:
    """Returns the options that replace settings of a run's recipe."""
    return [f"--set {key}={value:g}" for key, value in progress.changes.items()]


def parse_changes(items: Sequence[str] | None) -> dict[str, str]:
    """Reads options such as ``epochs=3``.

    Raises:
        ValueError: If one has no equals sign.
    """
    changes = {}
    for item in items or []:
        key, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"--set must be KEY=VALUE, but got {item!r}")
        changes[key] = value
    return changes


def begin_from(progress: Progress, cache: Path, name: str) -> Path:
    """Lets a run begin from the last weights of a finished one, and records which.

    Args:
        progress: The run that is to begin; gets ``begin`` and ``weights``.
        cache: Cache folder.
        name: The finished run.

    Returns:
        Its weights, which are those of a smaller model where ``progress.begin`` says so.

    Raises:
        FileNotFoundError: If there is no such run, or it is not finished.
        ValueError: If it is of a model that this run cannot begin as, or knows people or pictures that it is tested on.
    """
    folder = run_folder(cache, name)
    first = read_record(folder)
    possible = {progress.model, GROWS_FROM.get(progress.model, progress.model)}
    if first.model not in possible:
        expected = " or ".join(sorted(possible))
        raise ValueError(f"--begin {name}: expected a run of {expected}, but it is of {first.model}")
    earlier: Progress | None = first
    while earlier:
        seen, allowed = part_of_kdef(earlier), part_of_kdef(progress)
        if seen not in ("no-kdef", allowed):
            raise ValueError(
                f"--begin {name}: it learned from KDEF with {seen} held out, and so knows what {allowed} is tested on"
            )
        for teacher in sorted({*earlier.teachers.values()} - {"no-kdef", allowed}):
            log.warning(
                "--begin %s: its teacher of %s knew what %s is tested on; it is recorded", name, teacher, allowed
            )
        earlier = Progress(**_without_origin(earlier.begin)) if earlier.begin else None
    weights = folder / FINAL_WEIGHTS
    progress.begin = dataclasses.asdict(first) | {"run": name, "sha256": sha256(weights)}
    progress.weights = f"run {name}"
    return weights


def beginning_named(pattern: str, progress: Progress) -> str:
    """Returns the run that a run begins from: ``{fold}`` and ``{seed}`` in the pattern stand for its own."""
    return pattern.replace("{fold}", str(progress.fold)).replace("{seed}", str(progress.seed))


def _without_origin(begin: dict) -> dict:
    return {key: value for key, value in begin.items() if key not in ("run", "sha256")}


def chain(progress: Progress) -> list[Progress]:
    """Returns the runs behind some weights, the earliest first, the run itself last."""
    runs = [progress]
    while runs[0].begin:
        runs.insert(0, Progress(**_without_origin(runs[0].begin)))
    return runs


def hold_out(progress: Progress, pictures: list[Picture]) -> None:
    """Records what of KDEF a run is validated and tested on, so that its score needs no guess.

    Raises:
        ValueError: If the run was validated or tested on others.
    """
    parts = split("kdef", pictures, progress.fold or 0, progress.mixed_seed)
    held_out = {}
    for part in ("validation", "test"):
        if progress.split == "mixed":
            held = {PurePosixPath(pictures[index].path).name for index in parts[part]}
        else:
            held = {pictures[index].person for index in parts[part]}
        held_out[part] = sorted(held)
    if progress.held_out and progress.held_out != held_out:
        raise ValueError(
            f"{run_name(progress)} was trained on another KDEF than the one prepared now: its split would be another"
        )
    progress.held_out = held_out


def lessons_file(cache: Path, data_set: str, knew: str) -> Path:
    """Returns the file with what a teacher says of a data set.

    Args:
        cache: Cache folder.
        data_set: A key of ``READERS``.
        knew: What the teacher knew of KDEF, as ``part_of_kdef`` names it.
    """
    return cache / "crops" / f"{data_set}.teacher-{knew}.npz"


class RunData:
    """The pictures of a run: training and validation parts of every data set that its recipe uses.

    Args:
        progress: The run; gets ``held_out``, and ``teachers`` once a stage has listened to one.
        cache: Cache folder with the prepared data sets.
        teacher: What the teacher may have seen of KDEF, as ``part_of_kdef`` names it; by default what the run may.

    Raises:
        FileNotFoundError: If a data set is not prepared; names the command.
    """

    def __init__(self, progress: Progress, cache: Path, teacher: str | None = None) -> None:
        names = recipe_of(progress).data
        self._progress, self._cache, self._teacher = progress, cache, teacher or part_of_kdef(progress)
        self.crops = {name: crop_cache.load(name, cache) for name in names}
        self._splits = {
            name: split(name, item.pictures, progress.fold or 0, progress.mixed_seed)
            for name, item in self.crops.items()
        }
        if "kdef" in names:
            hold_out(progress, self.crops["kdef"].pictures)
        if self._teacher not in ("no-kdef", part_of_kdef(progress)):
            log.warning(
                "the teacher of %s knows more of KDEF than a run of %s may; it is recorded",
                self._teacher,
                part_of_kdef(progress),
            )

    def indices(self, name: str, part: str) -> np.ndarray:
        """Returns the pictures of a part, ``"train"``, ``"validation"`` or ``"test"``, of one data set."""
        return self._splits[name][part]

    def validation(self) -> dict[str, Part]:
        """Returns the held-out pictures that may decide something: never the test."""
        return {name: part_of(crops, self._splits[name]["validation"]) for name, crops in self.crops.items()}

    def training(self, stage: Stage) -> dict[str, Part]:
        """Returns the training pictures of a stage, with what the teacher says of them if the stage listens."""
        return {name: self._training(name, stage) for name in stage.data}

    def _training(self, name: str, stage: Stage) -> Part:
        crops, indices = self.crops[name], self._splits[name]["train"]
        if not stage.teacher_share and not stage.embedding_share:
            return part_of(crops, indices)
        from .teacher import STAGE, Lessons

        path = lessons_file(self._cache, name, self._teacher)
        if not path.is_file():
            log.info("%s: there is no teacher of %s, the labels alone are used", name, self._teacher)
            return part_of(crops, indices)
        lessons = Lessons.read(path)
        if len(lessons.probabilities) != len(crops.pictures):
            raise ValueError(f"{name}: expected {len(crops.pictures)} soft labels, got {len(lessons.probabilities)}")
        self._progress.teachers[name] = self._teacher
        # Where it never learned, a teacher would only blur the labels; FER+ has ten people's votes besides.
        learned = name in STAGE.data and not (name == "kdef" and self._teacher == "no-kdef")
        share = stage.teacher_share if learned else 0.0
        return part_of(crops, indices, lessons.probabilities, share, lessons.embeddings)


def standing(cache: Path, name: str) -> tuple[Progress | None, bool]:
    """Returns the record of a run, or None if it has not begun, and whether it is finished."""
    folder = run_folder(cache, name)
    if (folder / "run.json").is_file():
        return read_record(folder), True
    checkpoint = folder / CHECKPOINT
    return (read_progress(checkpoint), False) if checkpoint.is_file() else (None, False)
