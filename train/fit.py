"""Trains a model after a recipe: settings, data, model, loop, from top to bottom.

The loop knows neither Keras nor PyTorch: ``trainers.py`` does.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from fer_core.builder import build_model

from . import checkpoints
from .batches import Batches, Part, plain_batches
from .checkpoints import Progress
from .recipes import Recipe, Stage
from .trainers import Trainer, make_trainer

WARM_UP = 0.05  # share of a stage's steps
CHECKPOINT_SECONDS = 240  # at most this much work is lost to a kill

log = logging.getLogger(__name__)


def learning_rate(stage: Stage, step: int, steps: int) -> float:
    """Learning rate of a step: linear warm-up, then half a cosine from the peak down to 0."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return stage.learning_rate * (step + 1) / warm_up
    return stage.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def validate(trainer: Trainer, parts: dict[str, Part], size: int) -> dict[str, dict[str, float]]:
    """Scores held-out crops, without augmentation.

    Args:
        trainer: The model under training.
        parts: Held-out pictures by data set.
        size: Side of the input in pixels.

    Returns:
        By data set: ``loss`` (cross-entropy against the targets) and ``accuracy`` (against their largest share).
    """
    scores = {}
    for name, part in parts.items():
        logits = np.concatenate([trainer.logits(images) for images in plain_batches(part, size)])
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        scores[name] = {
            "loss": float(-(part.targets * log_probabilities).sum(axis=1).mean()),
            "accuracy": float((logits.argmax(axis=1) == part.targets.argmax(axis=1)).mean()),
        }
    return scores


def fit(
    recipe: Recipe,
    progress: Progress,
    run_folder: Path,
    training: Callable[[Stage], dict[str, Part]],
    validation: dict[str, Part],
    weights: str | Path | None = None,
) -> keras.Model:
    """Trains, or goes on where the run in ``run_folder`` stopped.

    Args:
        recipe: What to do.
        progress: Names and seed of the run; replaced by the checkpoint's if there is one.
        run_folder: Holds ``checkpoint.npz`` while the run lasts, ``final.weights.h5`` and ``run.json`` after.
        training: Gives the training pictures of a stage, by data set.
        validation: Held-out pictures by data set; reported, never chosen by.
        weights: Beginning of a fresh run, as for ``build_model``.

    Returns:
        The trained model, both outputs. ``progress`` holds the history.

    Raises:
        ValueError: If the run is finished, or its checkpoint is of another model, recipe, seed, fold or engine.
    """
    if (run_folder / "run.json").is_file():
        raise ValueError(f"the run {run_folder.name} is finished: choose another name, or export it")
    checkpoint = run_folder / "checkpoint.npz"
    resumed = checkpoint.is_file()
    if resumed:
        saved = checkpoints.read_progress(checkpoint)
        for name in ("model", "recipe", "seed", "fold", "engine"):
            if getattr(saved, name) != getattr(progress, name):
                raise ValueError(
                    f"{run_folder} holds a run with {name} {getattr(saved, name)!r}, but {getattr(progress, name)!r} "
                    "was asked for: choose another run name"
                )
        for field in dataclasses.fields(saved):
            setattr(progress, field.name, getattr(saved, field.name))
        log.info("resuming stage %d at step %d", progress.stage + 1, progress.step)
    keras.utils.set_random_seed(progress.seed)
    model = build_model(progress.model, None if resumed else weights)
    embedding = any(stage.embedding_share for stage in recipe.stages)
    trainer = make_trainer(progress.engine, model, embedding, progress.seed)

    while progress.stage < len(recipe.stages):
        stage = recipe.stages[progress.stage]
        trainer.begin(stage)
        if resumed:
            checkpoints.restore(checkpoint, trainer)
            resumed = False
        batches = Batches(stage, training(stage), seed=100 * progress.seed + progress.stage)
        label = f"stage {progress.stage + 1}/{len(recipe.stages)}"
        bar = tqdm(total=batches.steps, initial=progress.step, desc=label, unit="step", mininterval=10)
        started = saved_at = time.monotonic()
        sums = np.zeros(3)  # loss, hits and pictures since the epoch began, or since the run went on
        for batch in batches.iterate(progress.step):
            rate = learning_rate(stage, progress.step, batches.steps)
            loss, accuracy = trainer.step(batch, rate)
            progress.step += 1
            count = len(batch.images)
            sums += [loss * count, accuracy * count, count]
            mean_loss, mean_accuracy = (sums[:2] / sums[2]).tolist()
            bar.set_postfix(loss=f"{mean_loss:.3f}", accuracy=f"{mean_accuracy:.3f}", refresh=False)
            bar.update()
            if progress.step % batches.steps_per_epoch == 0:
                scores = validate(trainer, validation, recipe.validation_size)
                sums[:] = 0
                pictures = sum(len(validation[name].indices) for name in scores)
                mean = {
                    key: sum(scores[name][key] * len(validation[name].indices) for name in scores) / max(1, pictures)
                    for key in ("loss", "accuracy")
                }
                record = {
                    "stage": progress.stage + 1,
                    "epoch": len(progress.history) + 1,
                    "loss": mean_loss,
                    "accuracy": mean_accuracy,
                    "validation_loss": mean["loss"],
                    "validation_accuracy": mean["accuracy"],
                    "validation_by_data_set": scores,
                    "learning_rate": rate,
                }
                progress.history.append(record)
                log.info("%s", record)
            if time.monotonic() - saved_at > CHECKPOINT_SECONDS:
                progress.seconds += time.monotonic() - started
                started = saved_at = time.monotonic()
                checkpoints.save(checkpoint, trainer, progress)
        bar.close()
        progress.seconds += time.monotonic() - started
        progress.stage, progress.step = progress.stage + 1, 0
        if progress.stage < len(recipe.stages):
            # The next stage begins with a fresh optimizer, and a checkpoint must hold the one that goes on.
            trainer.begin(recipe.stages[progress.stage])
            checkpoints.save(checkpoint, trainer, progress)
    trainer.finish()
    checkpoints.save_final(run_folder, model, progress)
    return model
