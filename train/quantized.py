"""ImageNet features for BDF-MobileNet from a quantized TensorFlow Lite file, where Keras' own cannot be downloaded.

The file holds MobileNet v1 (alpha 1.0, without its top) as one byte per weight, with every batch normalization folded
into the convolution before it. De-quantized, the kernels go into Keras' architecture; its normalizations then only
add the folded bias.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

_CONVOLUTION = re.compile(r"MobilenetV1/MobilenetV1/Conv2d_(?P<number>\d+)(_(?P<kind>depthwise|pointwise))?/")
# Keras' names by TensorFlow's kinds; the first convolution is of no kind, and there is one of it.
_KERAS_NAMES = {None: "conv1", "depthwise": "conv_dw_{}", "pointwise": "conv_pw_{}"}


def interpreter(path: Path):
    """Opens a TensorFlow Lite file with its tensors allocated.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no TensorFlow Lite file.
    """
    import warnings

    if not path.is_file():
        raise FileNotFoundError(f"expected a TensorFlow Lite file at {path}, but found nothing")
    import tensorflow as tf

    with warnings.catch_warnings():
        # It is to move into a package of its own, which has nothing else that this project needs.
        warnings.filterwarnings("ignore", message=r"\s+Warning: tf.lite.Interpreter is deprecated")
        try:
            # Without XNNPACK, which packs the weights and frees what is read here.
            opened = tf.lite.Interpreter(
                str(path),
                experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
        except ValueError as error:
            raise ValueError(f"{path.name} must be a TensorFlow Lite file, but: {error}") from error
    opened.allocate_tensors()
    return opened


def read_convolutions(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Reads and de-quantizes MobileNet's convolutions.

    Args:
        path: The file: uint8 kernels with a scale and a zero point each, int32 biases with a scale.

    Returns:
        By the name of Keras' layer, in no order: the kernel in Keras' shape, ``(3, 3, in, out)`` or, depthwise,
        ``(3, 3, channels, 1)``, and the bias ``(out,)``, float32.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no MobileNet v1 with 27 quantized convolutions.
    """
    opened = interpreter(path)
    kernels, biases = {}, {}
    for tensor in opened.get_tensor_details():
        match = _CONVOLUTION.match(tensor["name"])
        scale, zero = tensor["quantization"]
        if not match or "Relu6" in tensor["name"] or not scale:
            continue
        values = (opened.get_tensor(tensor["index"]).astype(np.float32) - zero) * np.float32(scale)
        layer = _KERAS_NAMES[match["kind"]].format(match["number"])
        if values.ndim == 1:
            biases[layer] = values
        else:
            # (out, y, x, in), or (1, y, x, channels), to Keras' order.
            kernels[layer] = values.transpose(1, 2, 3, 0)
    if len(kernels) != 27 or set(kernels) != set(biases):
        raise ValueError(
            f"{path.name} must hold the 27 convolutions of MobileNet v1 and a bias for each, but it holds "
            f"{len(kernels)} and {len(biases)}"
        )
    return {layer: (kernels[layer], biases[layer]) for layer in kernels}


def load_mobilenet(model: keras.Model, path: Path) -> None:
    """Puts the de-quantized weights into the backbone of ``bdf-mobilenet``.

    Args:
        model: A model of ``builder.build_model("bdf-mobilenet")``.
        path: The TensorFlow Lite file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file or the model is of another architecture.
    """
    if model.name != "bdf-mobilenet":
        raise ValueError(f"features of MobileNet v1 are for bdf-mobilenet, but the model is {model.name}")
    for layer, (kernel, bias) in read_convolutions(path).items():
        model.get_layer(layer).set_weights([kernel])
        normalization = model.get_layer(f"{layer}_bn")
        ones, zeros = np.ones_like(bias), np.zeros_like(bias)
        # gamma, beta, mean, variance: what is left is the bias, as epsilon is added to the variance.
        normalization.set_weights([ones, bias, zeros, ones - np.float32(normalization.epsilon)])
