"""Training on all visible devices at once: each takes an equal share of every batch.

``keras.distribution.DataParallel`` works under JAX alone: under PyTorch it raises, and under TensorFlow its
module says not to use it.
"""

from __future__ import annotations

import logging

log = logging.getLogger(__name__)


def _visible() -> int:
    """Returns the number of devices that Keras' backend could train on: accelerators, or else CPUs."""
    import keras

    if keras.backend.backend() == "torch":
        import torch

        return max(1, torch.cuda.device_count())
    return len(keras.distribution.list_devices())


def use_all() -> int:
    """Lets models that are built from now on train on all visible devices, where the backend can.

    Returns:
        The number of devices that are used. Says so in the log if more are visible.
    """
    import keras

    count = _visible()
    if count == 1:
        return 1
    backend = keras.backend.backend()
    if backend != "jax":
        log.warning(
            "%d devices are visible, but with the backend %s one is used: KERAS_BACKEND=jax uses all", count, backend
        )
        return 1
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=keras.distribution.list_devices()))
    log.info("training on %d devices", count)
    return count


def used() -> int:
    """Returns the number of devices that share every batch."""
    import keras

    distribution = keras.distribution.distribution()
    return 1 if distribution is None else int(distribution.device_mesh.devices.size)


def check_batch(batch: int) -> None:
    """Raises a ValueError unless a batch can be shared equally by the devices in use."""
    if batch % used():
        raise ValueError(f"batch must be a multiple of the {used()} devices that share it, but got {batch}")
