"""Begins a run, or lets it go on: its data, its beginning, and the loop that its recipe needs."""

from __future__ import annotations

import logging
from pathlib import Path

from fer_core.model_files import sha256

from . import runs
from .checkpoints import Progress
from .export import machine
from .grow import grow_file

log = logging.getLogger(__name__)

_NO_DOWNLOAD = (
    "recipe {recipe!r} begins from ImageNet weights, which could not be downloaded: {reason}. The options are: run it "
    "where the download is possible, --weights PATH of a weights file of {model}{features}, or --weights none for "
    "random weights"
)


def beginning(progress: Progress, given: str | None, features: Path | None) -> str | Path | None:
    """Chooses what a run begins from, and records it.

    Args:
        progress: The run; gets ``weights``.
        given: ``"imagenet"``, ``"none"`` for random weights, the path of a weights file, or None for the recipe's own.
        features: A quantized MobileNet v1 for the backbone of ``bdf-mobilenet``, or None.

    Returns:
        ``"imagenet"``, a path, or None for random weights.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If both are given.
    """
    if given and features:
        raise ValueError(f"expected --weights or --features, but got both: {given} and {features.name}")
    if features:
        path = features
    elif given in (None, "none", "imagenet"):
        name = given or runs.recipe_of(progress).weights
        progress.weights = "imagenet" if name == "imagenet" else "random"
        return "imagenet" if name == "imagenet" else None
    else:
        path = Path(given)
    if not path.is_file():
        raise FileNotFoundError(f"expected 'imagenet', 'none' or the path of a weights file, but found no {path}")
    progress.weights = f"{path.name} (sha256 {sha256(path)[:12]})"
    return path


def start(
    progress: Progress,
    cache: Path,
    name: str | None = None,
    weights: str | None = None,
    begin: str | None = None,
    features: Path | None = None,
    teacher: str | None = None,
) -> Path:
    """Trains a run to its end, from where it stopped if it was begun before.

    Args:
        progress: What the run is, as ``runs.plan`` returns it; gets how far it has come.
        cache: Cache folder with the prepared data sets, and with all runs.
        name: Name of the run; by default it tells what the run is.
        weights: What it begins from, see ``beginning``.
        begin: Name of a finished run to begin from, in place of ``weights``; of a smaller model it is grown first.
        features: See ``beginning``.
        teacher: What the teacher may have seen of KDEF; by default what the run may.

    Returns:
        The folder of the finished run.

    Raises:
        ValueError, FileNotFoundError: If the data, the beginning or the checkpoint is not what it should be.
        ConnectionError: If ImageNet weights cannot be downloaded; names the options.
    """
    chosen = runs.recipe_of(progress)
    if begin and (weights or features):
        raise ValueError(f"expected --begin or weights, but got both: {begin} and {weights or features}")
    if features and not chosen.frozen_backbone:
        raise ValueError(f"--features are for a recipe that trains the head alone, but got {progress.recipe!r}")
    if begin and chosen.frozen_backbone:
        raise ValueError(f"recipe {progress.recipe!r} trains a head on features: it takes no --begin, but got {begin}")
    folder = runs.run_folder(cache, name or runs.run_name(progress))
    if begin:
        origin: str | Path | None = runs.begin_from(progress, cache, begin)
        assert progress.begin is not None, "begin_from has set it"
        small = progress.begin["model"]
        if small != progress.model:
            origin = grow_file(small, origin, progress.model, folder / "begin.weights.h5", progress.seed)  # type: ignore[arg-type]
    else:
        origin = beginning(progress, weights, features)
    progress.hardware = machine()
    data = runs.RunData(progress, cache, teacher)
    try:
        if chosen.frozen_backbone:
            from . import baselines

            (stage,) = chosen.stages
            kept = baselines.feature_folder(cache, progress, chosen.checked_at())
            parts = data.training(stage)["kdef"], data.validation()["kdef"]
            baselines.fit(chosen, progress, folder, data.crops["kdef"], *parts, kept, origin)
        else:
            from .fit import fit

            fit(chosen, progress, folder, data.training, data.validation(), origin)
    except ConnectionError as error:
        hint = ", --features FILE.tflite" if progress.model == "bdf-mobilenet" else ""
        raise ConnectionError(
            _NO_DOWNLOAD.format(recipe=progress.recipe, model=progress.model, features=hint, reason=error.__cause__)
        ) from error
    log.info("%s: done in %.0f s of training", folder.name, progress.seconds)
    return folder
