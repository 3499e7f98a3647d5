"""More than one device: the same losses under JAX; elsewhere one is used, and it is said."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from train import devices

# What ``fit`` does, on a small network: ten steps, and what validation sees after them.
TRAIN = """
import json, logging, sys
from pathlib import Path
import numpy as np
from tests.train.generated import make_crops, small_model
from train import devices, fit
from train.augment import Augmentation
from train.batches import part_of
from train.checkpoints import Progress
from train.recipes import Recipe, Stage

logging.basicConfig(level=logging.INFO)
fit.build_model = small_model
losses = []

class Recorded:
    def __init__(self, trainer):
        self.trainer = trainer
    def __getattr__(self, name):
        return getattr(self.trainer, name)
    def step(self, batch, rate):
        result = self.trainer.step(batch, rate)
        losses.append(result[0])
        return result

make = fit.make_trainer
fit.make_trainer = lambda *arguments: Recorded(make(*arguments))
stage = Stage({"a": 1}, (32,), (1,), 5, 1e-2, Augmentation(rotation=10, flip=True), batch=16, embedding_share=0.1)
part = part_of(make_crops("a", 35), np.arange(35))
progress = Progress("scalable-env2b0", "tiny", 0, 0)
fit.fit(Recipe((stage,), 32), progress, Path(sys.argv[1]), lambda stage: {"a": part}, {"a": part})
print(json.dumps({"devices": devices.used(), "losses": losses, "history": progress.history}))
"""


def begin(folder, count):
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", TRAIN, str(folder / str(count))]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_devices_train_as_one_does(tmp_path):
    pytest.importorskip("jax")
    answers = []
    for process in [begin(tmp_path, count) for count in (1, 2)]:
        with process:
            said, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
        answers.append(json.loads(said.splitlines()[-1]))
    one, two = answers
    assert (one["devices"], two["devices"]) == (1, 2)
    assert "training on 2 devices" in errors
    assert len(one["losses"]) == 10
    assert two["losses"] == pytest.approx(one["losses"], abs=1e-4)
    # 35 pictures are no multiple of two devices: validation takes them all the same.
    scores = [run["history"][-1]["validation_loss"] for run in answers]
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)


def test_a_batch_that_two_devices_cannot_share_is_refused(monkeypatch):
    monkeypatch.setattr(devices, "used", lambda: 2)
    devices.check_batch(16)
    with pytest.raises(ValueError, match="batch must be a multiple of the 2 devices that share it, but got 15"):
        devices.check_batch(15)


def test_another_backend_says_that_it_uses_one(monkeypatch, caplog):
    monkeypatch.setattr(devices, "_visible", lambda: 4)
    assert devices.use_all() == 1
    assert devices.used() == 1
    assert "4 devices are visible, but with the backend tensorflow one is used" in caplog.text


def test_one_device_is_nothing_to_speak_of(caplog):
    assert devices.use_all() == 1
    assert "devices are visible" not in caplog.text
