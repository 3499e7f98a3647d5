"""The head of a model: the linear layer from pooled features to logits, read off the model itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_LOUD = np.float32(1024)


@dataclass(frozen=True)
class Head:
    """What turns features into logits: ``logits = features averaged over h and w @ kernel + bias``.

    Attributes:
        kernel: float32 ``(C, 7)``.
        bias: float32 ``(7,)``.
    """

    kernel: np.ndarray
    bias: np.ndarray


def read_head(logits_of: Callable[[np.ndarray], np.ndarray], channels: int) -> Head:
    """Reads a head off what it answers to nothing and to each channel alone; a normalization in it is folded in.

    Args:
        logits_of: From pooled features, float32 ``(N, C)``, to logits ``(N, 7)``.
        channels: C.

    Raises:
        ValueError: If the head is not linear, so that no kernel and bias describe it.
    """
    bias = np.array(logits_of(np.zeros((1, channels), np.float32))[0], np.float32)
    # Loud enough that the rounding of the bias, the same in every channel, does not add up.
    alone = np.eye(channels, dtype=np.float32) * _LOUD
    kernel = (np.asarray(logits_of(alone), np.float32) - bias) / _LOUD
    mixed = np.random.default_rng(0).random((4, channels), np.float32)
    expected, came = mixed @ kernel + bias, np.asarray(logits_of(mixed))
    if not np.allclose(expected, came, atol=1e-3 * max(1.0, float(np.abs(expected).max()))):
        raise ValueError(
            f"expected logits that are linear in the pooled features, but they are off by up to "
            f"{np.abs(expected - came).max():.3g}"
        )
    return Head(kernel, bias)


def keras_head(model) -> Head:
    """Reads the head of a Keras model of the contract, see ``builder``."""
    import keras

    pooled = model.get_layer("pool").output
    after_pooling = keras.Model(pooled, model.output["logits"])
    return read_head(lambda features: np.asarray(after_pooling(features, training=False)), pooled.shape[-1])


def openvino_head(model) -> Head:
    """Reads the head of an OpenVINO model whose outputs are named by the contract, see ``builder``.

    Raises:
        ValueError: If no global average pooling leads to the logits.
    """
    import openvino

    model = model.clone()
    logits = model.output("logits").node
    node = logits
    while node.get_type_name() != "ReduceMean":
        if node.get_input_size() == 0:
            raise ValueError("expected a global average pooling (ReduceMean) before the logits, but found none")
        node = node.input_value(0).get_node()
    channels = node.get_output_partial_shape(0)[1].get_length()
    pooled = openvino.opset13.parameter([-1, channels], np.float32)
    for consumer in node.output(0).get_target_inputs():
        consumer.replace_source_output(pooled.output(0))
    after_pooling = openvino.Model([logits], [pooled])
    compiled = openvino.compile_model(after_pooling, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return read_head(lambda features: compiled([features])[0], channels)
