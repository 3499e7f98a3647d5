"""Trains a model after a recipe: settings, data, model, loop, from top to bottom.

The loop knows neither Keras nor PyTorch: ``trainers.py`` does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import keras
import numpy as np
from scipy.special import log_softmax
from tqdm import tqdm

from fer_core.builder import build_model

from . import checkpoints, devices
from .batches import Batch, Batches, Part, plain_batches
from .checkpoints import Progress
from .recipes import Recipe, Stage
from .schedules import learning_rate
from .trainers import Trainer, make_trainer

CHECKPOINT_SECONDS = 240  # at most this much work is lost to a kill
# What must be the same when a run goes on.
IDENTITY = ("model", "recipe", "seed", "fold", "engine", "split", "resolution", "changes")

log = logging.getLogger(__name__)


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Scores n answers: ``loss`` against the targets, ``accuracy`` against their largest share, and ``pictures``, n."""
    log_probabilities = log_softmax(logits, axis=1)
    return {
        "loss": float(-(targets * log_probabilities).sum(axis=1).mean()),
        "accuracy": float((logits.argmax(axis=1) == targets.argmax(axis=1)).mean()),
        "pictures": len(targets),
    }


def validate(trainer: Trainer, parts: dict[str, Part], size: int) -> dict[str, dict[str, float]]:
    """Scores held-out crops, without augmentation.

    Args:
        trainer: The model under training.
        parts: Held-out pictures by data set.
        size: Side of the input in pixels.

    Returns:
        ``cross_entropy`` by data set.
    """
    scores = {}
    for name, part in parts.items():
        logits = np.concatenate([trainer.logits(images) for images in plain_batches(part, size)])
        scores[name] = cross_entropy(logits, part.targets)
    return scores


def prepare(progress: Progress, run_folder: Path) -> bool:
    """Looks whether a run goes on: if so, fills its record with how far it has come.

    Returns:
        Whether it goes on.

    Raises:
        ValueError: If the run is finished, or the checkpoint is of another run; says what differs.
    """
    if (run_folder / "run.json").is_file():
        raise ValueError(f"the run {run_folder.name} is finished: choose another name, or export it")
    checkpoint = run_folder / checkpoints.CHECKPOINT
    if not checkpoint.is_file():
        return False
    saved = checkpoints.read_progress(checkpoint)
    for name in IDENTITY:
        if getattr(saved, name) != getattr(progress, name):
            raise ValueError(
                f"{run_folder} holds a run with {name} {getattr(saved, name)!r}, but {getattr(progress, name)!r} "
                "was asked for: choose another run name"
            )
    before, now = (record.begin and record.begin["run"] for record in (saved, progress))
    if before != now:
        raise ValueError(f"{run_folder} holds a run that began from {before}, but {now} was asked for")
    for name in ("stage", "step", "seconds", "history", "weights", "begin", "teachers"):
        setattr(progress, name, getattr(saved, name))
    log.info("resuming stage %d at step %d", progress.stage + 1, progress.step)
    return True


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
        progress: What the run is; if there is a checkpoint, it gets how far that has come.
        run_folder: Holds the checkpoint while the run lasts, ``final.weights.h5`` and ``run.json`` after.
        training: Gives the training pictures of a stage, by data set.
        validation: Held-out pictures by data set; reported, and what a plateau is measured by.
        weights: Beginning of a fresh run, as for ``build_model``.

    Returns:
        The trained model, both outputs. ``progress`` holds the history.

    Raises:
        ValueError: If the run is finished, or its checkpoint is of another run.
    """
    resumed = prepare(progress, run_folder)
    if progress.engine == "keras":
        devices.use_all()
    keras.utils.set_random_seed(progress.seed)
    model = build_model(progress.model, None if resumed else weights)
    embedding = any(stage.embedding_share for stage in recipe.stages)
    trainer = make_trainer(progress.engine, model, embedding, progress.seed)
    loop(
        recipe.stages,
        progress,
        run_folder,
        trainer,
        lambda stage: Batches(stage, training(stage), seed=100 * progress.seed + progress.stage),
        lambda: validate(trainer, validation, recipe.checked_at()),
    )
    checkpoints.save_final(run_folder, model, progress)
    return model


class _BatchSource(Protocol):
    """All batches of a stage, such as ``Batches``."""

    steps: int
    steps_per_epoch: int

    def iterate(self, first_step: int) -> Iterator[Batch]:
        """Yields the batches from one step on."""


def loop(
    stages: Sequence[Stage],
    progress: Progress,
    run_folder: Path,
    trainer: Trainer,
    batches_of: Callable[[Stage], _BatchSource],
    scores_of: Callable[[], dict[str, dict[str, float]]],
) -> None:
    """Takes every step of every stage that is left, with a checkpoint now and then.

    Args:
        stages: All stages of the run.
        progress: The run; grows with every step.
        run_folder: Holds the checkpoint.
        trainer: The model under training.
        batches_of: Gives the batches of a stage.
        scores_of: Scores the model as it is on held-out pictures: loss and accuracy by data set.
    """
    checkpoint = run_folder / checkpoints.CHECKPOINT
    resumed = checkpoint.is_file()
    while progress.stage < len(stages):
        stage = stages[progress.stage]
        trainer.begin(stage)
        if resumed:
            checkpoints.restore(checkpoint, trainer)
            resumed = False
        batches = batches_of(stage)
        label = f"stage {progress.stage + 1}/{len(stages)}"
        started = saved_at = time.monotonic()
        sums = np.zeros(3)  # loss, hits and pictures since the epoch began, or since the run went on
        with tqdm(total=batches.steps, initial=progress.step, desc=label, unit="step", mininterval=10) as bar:
            for batch in batches.iterate(progress.step):
                losses = [
                    epoch["validation_loss"] for epoch in progress.history if epoch["stage"] == progress.stage + 1
                ]
                rate = learning_rate(stage, progress.step, batches.steps, losses)
                loss, accuracy = trainer.step(batch, rate)
                progress.step += 1
                count = len(batch.images)
                sums += [loss * count, accuracy * count, count]
                mean_loss, mean_accuracy = (sums[:2] / sums[2]).tolist()
                bar.set_postfix(loss=f"{mean_loss:.3f}", accuracy=f"{mean_accuracy:.3f}", refresh=False)
                bar.update()
                if progress.step % batches.steps_per_epoch == 0:
                    _record_epoch(progress, mean_loss, mean_accuracy, scores_of(), rate)
                    sums[:] = 0
                if time.monotonic() - saved_at > CHECKPOINT_SECONDS:
                    progress.seconds += time.monotonic() - started
                    started = saved_at = time.monotonic()
                    checkpoints.save(checkpoint, trainer, progress)
        progress.seconds += time.monotonic() - started
        progress.stage, progress.step = progress.stage + 1, 0
        if progress.stage < len(stages):
            # The next stage begins with a fresh optimizer, and a checkpoint must hold the one that goes on.
            trainer.begin(stages[progress.stage])
            checkpoints.save(checkpoint, trainer, progress)
    trainer.finish()


def _record_epoch(progress: Progress, loss: float, accuracy: float, scores: dict, rate: float) -> None:
    pictures = sum(each["pictures"] for each in scores.values())
    mean = {
        key: sum(each[key] * each["pictures"] for each in scores.values()) / pictures for key in ("loss", "accuracy")
    }
    record = {
        "stage": progress.stage + 1,
        "epoch": len(progress.history) + 1,
        "loss": loss,
        "accuracy": accuracy,
        "validation_loss": mean["loss"],
        "validation_accuracy": mean["accuracy"],
        "validation_by_data_set": scores,
        "learning_rate": rate,
    }
    progress.history.append(record)
    log.info("%s", record)
