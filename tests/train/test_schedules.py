"""Learning rates: by hand, and against Keras' own callback."""

import dataclasses
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from train import schedules
from train.augment import Augmentation
from train.recipes import Stage

STAGE = Stage({"a": 1}, (32,), (1,), epochs=2, learning_rate=2e-3, augmentation=Augmentation())


def test_a_cycle_warms_up_and_falls_to_zero():
    rates = [schedules.learning_rate(STAGE, step, 100) for step in range(100)]
    assert max(rates) == STAGE.learning_rate == rates[5]
    assert rates[:5] == sorted(rates[:5])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] < 0.001 * STAGE.learning_rate


@pytest.mark.parametrize("seed", range(5))
def test_a_plateau_is_what_keras_calls_one(seed):
    losses = 1 + np.cumsum(np.random.default_rng(seed).choice([-0.02, 0, 0.01, -5e-5], 60))
    optimizer = SimpleNamespace(learning_rate=keras.Variable(1e-3))
    callback = keras.callbacks.ReduceLROnPlateau(
        factor=schedules.FACTOR, patience=schedules.PATIENCE, min_delta=schedules.LEAST_GAIN
    )
    callback.set_model(SimpleNamespace(optimizer=optimizer))
    callback.on_train_begin()
    stage = dataclasses.replace(STAGE, schedule="plateau", learning_rate=1e-3)
    for epoch, loss in enumerate(losses):
        assert schedules.learning_rate(stage, 7, 100, losses[:epoch]) == pytest.approx(
            float(keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(optimizer.learning_rate))), rel=1e-6
        )
        callback.on_epoch_end(epoch, {"val_loss": loss})


def test_unknown_schedules_are_named():
    with pytest.raises(ValueError, match="schedule must be one of cycle, plateau, but got 'magic'"):
        schedules.learning_rate(dataclasses.replace(STAGE, schedule="magic"), 0, 10)
