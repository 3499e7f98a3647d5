"""A large EfficientNetV2 that begins as a trained small one, not at random (Net2Net: Chen, Goodfellow & Shlens, 2016).

Wider: channels are repeated, and what read one of them reads shares of its copies. Deeper: the blocks that the small
one lacks add nothing at first. From the second stage on, the large network so computes what the small one does. Its
stem and first stage are only alike: EfficientNetV2-S has fewer channels there, and adds their input to their output.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fer_core.builder import build_model

if TYPE_CHECKING:
    import keras

GROWS_FROM = {"scalable-env2s": "scalable-env2b0"}

log = logging.getLogger(__name__)


def copied_channels(small: int, large: int) -> np.ndarray:
    """Returns which channel of the small network each channel of the large one copies, int64 ``(large,)``.

    Numbers of channels alone decide it, so that tensors which are added or multiplied are copied alike.
    """
    return np.arange(large) % small


def _shares(copies: np.ndarray, outputs: int, rng: np.random.Generator) -> np.ndarray:
    """Returns how much each output reads of each channel, ``(channels, outputs)``: 1 over all copies of a channel.

    The shares differ, or copies would get equal gradients and stay copies for ever.
    """
    drawn = rng.uniform(0.25, 0.75, (len(copies), outputs))
    sums = np.zeros((copies.max() + 1, outputs))
    np.add.at(sums, copies, drawn)
    return drawn / sums[copies]


def _grown(small: np.ndarray, shape: tuple[int, ...], depthwise: bool, rng: np.random.Generator) -> np.ndarray:
    """Enlarges a kernel ``(..., in, out)``, a depthwise kernel ``(h, w, channels, 1)``, or a vector ``(channels,)``."""
    if len(shape) == 1:
        return small[copied_channels(len(small), shape[0])]
    inputs = copied_channels(small.shape[-2], shape[-2])
    if depthwise:
        return small[:, :, inputs]
    outputs = copied_channels(small.shape[-1], shape[-1])
    return small[..., inputs, :][..., outputs] * _shares(inputs, len(outputs), rng)


def grow(small: keras.Model, large: keras.Model, seed: int = 0) -> None:
    """Gives a large network the weights of a small one.

    Args:
        small: A trained EfficientNetV2 of ``builder.build_model``.
        large: One with at least as many blocks in every stage. Keeps its own weights inside the blocks that the small
            one lacks.
        seed: Seed of the shares.
    """
    from keras import ops

    rng = np.random.default_rng(seed)
    known = {layer.name: layer for layer in small.layers}
    for layer in large.layers:
        if layer.name not in known:
            if layer.name.endswith("project_bn"):  # the last of a block, before it is added to its input
                layer.gamma.assign(np.zeros(layer.gamma.shape))
            continue
        depthwise = "depth_multiplier" in layer.get_config()
        for variable, source in zip(layer.weights, known[layer.name].weights, strict=True):
            variable.assign(_grown(ops.convert_to_numpy(source), variable.shape, depthwise, rng))


def grow_file(small: str, weights: Path, large: str, target: Path, seed: int) -> Path:
    """Writes the weights of a large model that begins as a small one.

    Args:
        small: Name of the trained model.
        weights: Its weights.
        large: Name of the model to grow.
        target: File to write, ``.weights.h5``.
        seed: Seed of the shares, and of the blocks that the small model lacks.

    Returns:
        ``target``.
    """
    import keras

    keras.utils.set_random_seed(seed)
    model = build_model(large)
    grow(build_model(small, weights), model, seed)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"partial-{target.name}")
    model.save_weights(partial)
    partial.rename(target)
    log.info("%s: begins as the %s of %s", large, small, weights.parent.name)
    return target
