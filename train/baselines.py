"""The paper's BDF models: a frozen backbone, whose features are computed once, and a new head trained on them.

The backbone never changes, so what it makes of a picture under one augmentation does not either. A few augmented
views of every picture are computed and kept, and the epochs take turns with them: a head then trains in a minute.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from fer_core.builder import build_model
from fer_core.faces import resize_square
from fer_core.model_files import sha256

from . import checkpoints, devices
from .augment import Augmentation, augment
from .batches import EMBEDDING, Batch, Part, class_weights
from .checkpoints import Progress
from .crops import Crops
from .fit import cross_entropy, loop, prepare
from .quantized import load_mobilenet
from .recipes import Recipe, Stage
from .trainers import KerasTrainer

VIEWS = 8  # augmented views of every picture
_BATCH = 32

log = logging.getLogger(__name__)


def features_of(
    backbone: keras.Model, crops: Crops, size: int, augmentation: Augmentation, view: int | None, file: Path
) -> np.ndarray:
    """Computes what a backbone makes of every crop of a data set, or reads it if it was computed before.

    Args:
        backbone: Returns ``(N, C)`` for float32 RGB 0-255 ``(N, size, size, 3)``.
        crops: The data set.
        size: Side of the input in pixels.
        augmentation: Ranges of the augmentation.
        view: Number of the augmented view, always the same for the same number; None leaves the pictures as they are.
        file: Where it is kept.

    Returns:
        float32 ``(len(crops.pictures), C)``; zeros where there is no crop.
    """
    if file.is_file():
        return np.load(file)
    found = np.flatnonzero(crops.found)
    features = np.zeros((len(crops.pictures), backbone.output.shape[-1]), np.float32)
    for start in tqdm(range(0, len(found), _BATCH), desc=file.stem, unit="batch", mininterval=5):
        rows = found[start : start + _BATCH]
        images = []
        for index in rows:
            crop = np.asarray(crops.images[index])
            if view is None:
                images.append(resize_square(crop, size))
            else:
                images.append(augment(crop, size, augmentation, np.random.default_rng([view, index])))
        features[rows] = np.asarray(backbone.predict_on_batch(np.stack(images).astype(np.float32)))
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial.npy")
    np.save(partial, features)
    partial.rename(file)
    return features


class FeatureBatches:
    """All batches of one stage, as ``batches.Batches`` of features in place of pictures.

    Args:
        stage: Epochs, batch size and power of the class weights.
        views: Features of every picture, one array for each augmented view.
        part: The training pictures.
        seed: Seed of their order.
    """

    def __init__(self, stage: Stage, views: list[np.ndarray], part: Part, seed: int) -> None:
        self.stage, self._views, self._part, self._seed = stage, views, part, seed
        self.steps_per_epoch = len(part.indices) // stage.batch
        if self.steps_per_epoch == 0:
            raise ValueError(f"an epoch needs a batch of {stage.batch} pictures, but got {len(part.indices)}")
        self.steps = self.steps_per_epoch * stage.epochs
        weights = class_weights(part.targets, stage.class_weight_power)
        self._weights = part.targets @ (weights / (part.targets @ weights).mean())

    def iterate(self, first_step: int = 0) -> Iterator[Batch]:
        """Yields batches ``first_step`` to ``steps``, always in the same order."""
        size = self.stage.batch
        for step in range(first_step, self.steps):
            epoch, place = divmod(step, self.steps_per_epoch)
            order = np.random.default_rng([self._seed, 1, epoch]).permutation(len(self._part.indices))
            rows = order[place * size : (place + 1) * size]
            yield Batch(
                images=self._views[epoch % len(self._views)][self._part.indices[rows]],
                targets=self._part.targets[rows],
                weights=self._weights[rows].astype(np.float32),
                embeddings=np.zeros((size, EMBEDDING), np.float32),
                taught=np.zeros(size, np.float32),
            )


def fit(
    recipe: Recipe,
    progress: Progress,
    run_folder: Path,
    crops: Crops,
    training: Part,
    validation: Part,
    feature_folder: Path,
    weights: str | Path | None,
) -> keras.Model:
    """Trains the head of a frozen backbone, or goes on where the run in ``run_folder`` stopped.

    Args:
        recipe: What to do; one stage at one size.
        progress: What the run is; if there is a checkpoint, it gets how far that has come.
        run_folder: Holds the checkpoint while the run lasts, ``final.weights.h5`` and ``run.json`` after.
        crops: KDEF.
        training: Its pictures to train on.
        validation: Its held-out pictures.
        feature_folder: Where the features of this backbone, at this size and of these crops, are kept.
        weights: Of the backbone: as for ``build_model``, or a quantized ``.tflite`` file of MobileNet v1.

    Returns:
        The whole model, with the backbone.

    Raises:
        ValueError: If the run is finished, or its checkpoint is of another run.
        ConnectionError: If the ImageNet weights cannot be downloaded.
    """
    (stage,) = recipe.stages
    (size,) = stage.sizes
    prepare(progress, run_folder)
    devices.use_all()
    keras.utils.set_random_seed(progress.seed)
    quantized = isinstance(weights, Path) and weights.suffix == ".tflite"
    model = build_model(progress.model, None if quantized else weights)
    if quantized:
        load_mobilenet(model, weights)  # type: ignore[arg-type]
    pooled = model.get_layer("pool").output
    backbone = keras.Model(model.input, pooled)
    settings = (backbone, crops, size, stage.augmentation)
    plain = features_of(*settings, None, feature_folder / f"{crops.name}-plain.npy")
    views = [
        features_of(*settings, view, feature_folder / f"{crops.name}-view{view}.npy")
        for view in range(min(VIEWS, stage.epochs))
    ]
    features = keras.Input((pooled.shape[-1],), name="pooled")
    logits = features
    for name in ("head_normalization", "dropout", "logits"):
        logits = model.get_layer(name)(logits)
    trainer = KerasTrainer(keras.Model(features, {"logits": logits}))
    loop(
        recipe.stages,
        progress,
        run_folder,
        trainer,
        lambda stage: FeatureBatches(stage, views, training, progress.seed),
        lambda: {crops.name: cross_entropy(trainer.logits(plain[validation.indices]), validation.targets)},
    )
    checkpoints.save_final(run_folder, model, progress)
    return model


def feature_folder(cache: Path, progress: Progress, size: int) -> Path:
    """Returns where features are kept: another folder for another backbone, size in pixels, or preparation of KDEF."""
    origin = progress.weights if progress.weights != "random" else f"random seed {progress.seed}"
    prepared = sha256(cache / "crops" / "kdef.json")[:12]
    return cache / "features" / "-".join([progress.model, f"{size}px", *re.findall(r"[\w.]+", origin), prepared])
