"""Learning rates: one cycle over a stage, or lower whenever the validation loss stands still."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .recipes import SCHEDULES, Stage

WARM_UP = 0.05  # share of a cycle's steps
FACTOR = 0.5  # of the rate that is left after a plateau
PATIENCE = 10  # epochs without a better validation loss that make a plateau
LEAST_GAIN = 1e-4  # a validation loss must fall by this much to be better


def cycle(peak: float, step: int, steps: int) -> float:
    """Returns the rate of a step: linear warm-up, then half a cosine from the peak down to 0."""
    warm_up = max(1, round(WARM_UP * steps))
    if step < warm_up:
        return peak * (step + 1) / warm_up
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, steps - warm_up)))


def plateau(first: float, losses: Sequence[float]) -> float:
    """Returns the rate of the next epoch, as ``keras.callbacks.ReduceLROnPlateau`` would set it.

    It depends on what is recorded and nothing else, so that a run that goes on after a kill has the same rates.

    Args:
        first: Rate of the first epoch.
        losses: Validation loss of each epoch so far.
    """
    rate, best, waited = first, math.inf, 0
    for loss in losses:
        if loss < best - LEAST_GAIN:
            best, waited = loss, 0
            continue
        waited += 1
        if waited == PATIENCE:
            rate, waited = rate * FACTOR, 0
    return rate


def learning_rate(stage: Stage, step: int, steps: int, losses: Sequence[float] = ()) -> float:
    """Returns the learning rate of a step.

    Args:
        stage: Names the schedule and its highest rate.
        step: Steps done in this stage.
        steps: Steps of the whole stage.
        losses: Validation loss of each epoch of this stage so far.

    Raises:
        ValueError: If there is no such schedule; names those there are.
    """
    if stage.schedule == "cycle":
        return cycle(stage.learning_rate, step, steps)
    if stage.schedule == "plateau":
        return plateau(stage.learning_rate, losses)
    raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, but got {stage.schedule!r}")
