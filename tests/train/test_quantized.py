"""ImageNet features from a quantized file: what Keras computes is what TensorFlow Lite computes."""

import cv2
import numpy as np
import pytest

from fer_core.builder import build_model
from tests.conftest import shared
from train.quantized import interpreter, load_mobilenet, read_convolutions

FILE = "weights/mobilenet_v1_1.0_224_quant_embedding_extractor.tflite"


def pictures():
    from skimage import data

    for name in ("astronaut", "chelsea", "coffee"):
        yield cv2.resize(getattr(data, name)(), (224, 224), interpolation=cv2.INTER_AREA)


def test_features_are_those_of_tensorflow_lite():
    path = shared(FILE)
    quantized = interpreter(path)
    model = build_model("bdf-mobilenet")
    load_mobilenet(model, path)
    for picture in pictures():
        quantized.set_tensor(quantized.get_input_details()[0]["index"], picture[None])
        quantized.invoke()
        output = quantized.get_output_details()[0]
        scale, zero = output["quantization"]
        expected = (quantized.get_tensor(output["index"]).astype(np.float32).ravel() - zero) * scale
        features = np.asarray(model(picture[None].astype(np.float32))["features"]).mean(axis=(1, 2))[0]
        # One byte a value: 0.024 a step, of values up to 6, through 27 layers.
        assert np.corrcoef(features, expected)[0, 1] > 0.98
        assert np.abs(features - expected).mean() < 0.05


def test_the_first_layers_are_those_of_numpy():
    """De-quantized by hand, convolved by hand: neither Keras nor TensorFlow Lite."""
    path = shared(FILE)
    opened = interpreter(path)
    tensors = {tensor["name"].split("/")[2]: tensor for tensor in reversed(opened.get_tensor_details()[1:28])}
    model = build_model("bdf-mobilenet")
    load_mobilenet(model, path)
    import keras

    upto = keras.Model(model.input, model.get_layer("conv_dw_1_relu").output)
    patch = next(pictures())[40:46, 60:66].astype(np.float32) / 127.5 - 1

    def weights(layer, kernel_name):
        kernel = next(t for t in opened.get_tensor_details() if kernel_name in t["name"] and "Relu6" not in t["name"])
        values = [
            (opened.get_tensor(t["index"]).astype(np.float64) - t["quantization"][1]) * t["quantization"][0]
            for t in (kernel, tensors[layer])
        ]
        return values

    kernel, bias = weights("Conv2d_0", "Conv2d_0/weights_quant")
    first = np.empty((2, 2, 32))
    for y in range(2):
        for x in range(2):
            window = patch[2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
            first[y, x] = np.clip((kernel * window).sum(axis=(1, 2, 3)) + bias, 0, 6)
    kernel, bias = weights("Conv2d_1_depthwise", "Conv2d_1_depthwise/weights_quant")
    # In the first corner, padded by one zero, the kernel's last 2 x 2 see the map.
    expected = np.clip((kernel[0, 1:, 1:] * first).sum(axis=(0, 1)) + bias, 0, 6)
    got = np.asarray(upto(((patch[None] + 1) * 127.5).astype(np.float32)))[0, 0, 0]
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_files_that_are_something_else_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a TensorFlow Lite file"):
        read_convolutions(tmp_path / "missing.tflite")
    (tmp_path / "text.tflite").write_text("text")
    with pytest.raises(ValueError, match=r"text\.tflite must be a TensorFlow Lite file"):
        read_convolutions(tmp_path / "text.tflite")
    with pytest.raises(ValueError, match="must hold the 27 convolutions of MobileNet v1"):
        read_convolutions(shared("weights/tf2_mobilenet_v2_1.0_224_ptq.tflite"))


def test_other_models_are_refused(tmp_path):
    with pytest.raises(ValueError, match="are for bdf-mobilenet, but the model is scalable-env2b0"):
        load_mobilenet(build_model("scalable-env2b0"), tmp_path)
