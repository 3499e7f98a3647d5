"""The head read off a model is the one the model computes with."""

import numpy as np
import pytest

from fer_core.builder import build_model
from fer_core.head import keras_head, openvino_head, read_head
from fer_core.runtimes import convert_to_openvino


def test_a_linear_function_is_read_exactly():
    random = np.random.default_rng(0)
    kernel, bias = random.normal(size=(20, 7)).astype(np.float32), random.normal(size=7).astype(np.float32)
    head = read_head(lambda features: features @ kernel + bias, 20)
    np.testing.assert_allclose(head.kernel, kernel, atol=1e-6)
    np.testing.assert_array_equal(head.bias, bias)
    assert head.kernel.dtype == head.bias.dtype == np.float32


def test_what_is_not_linear_is_refused():
    with pytest.raises(ValueError, match="expected logits that are linear in the pooled features, but they are off by"):
        read_head(lambda features: np.tanh(features[:, :7]), 20)


def test_a_normalization_before_the_classifier_is_folded_in():
    model = build_model("bdf-mobilenet")
    random = np.random.default_rng(0)
    normalization = model.get_layer("head_normalization")
    normalization.set_weights([random.uniform(0.5, 2, weight.shape) for weight in normalization.get_weights()])
    classifier = model.get_layer("logits")
    pooled = random.random((3, 1024), np.float32)
    expected = np.asarray(classifier(normalization(pooled, training=False)))
    for head in (keras_head(model), openvino_head(convert_to_openvino(model))):
        assert head.kernel.shape == (1024, 7)
        np.testing.assert_allclose(pooled @ head.kernel + head.bias, expected, atol=1e-4)


def test_a_model_without_pooling_is_named():
    import openvino

    pixels = openvino.opset13.parameter([-1, 7], np.float32)
    logits = openvino.opset13.relu(pixels)
    logits.output(0).get_tensor().set_names({"logits"})
    with pytest.raises(ValueError, match="expected a global average pooling"):
        openvino_head(openvino.Model([logits], [pixels]))
