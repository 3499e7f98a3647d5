"""Activation maps add up to what the model says."""

import numpy as np
import pytest

from fer_core.activation_maps import activation_map, activation_maps
from fer_core.emotions import EMOTIONS
from fer_core.face import Face
from fer_core.faces import FaceDetector, square_crop
from fer_core.head import Head
from fer_core.runtimes import RUNTIMES, load_runtime


@pytest.mark.parametrize("resolution", [64, 160])
@pytest.mark.parametrize("runtime", list(RUNTIMES))
def test_the_mean_of_a_map_and_the_bias_are_the_logit(runtime, resolution, astronaut, loaded):
    crop = square_crop(astronaut, FaceDetector().detect(astronaut).xyxy[0], resolution)[None].astype(np.float32)
    outputs = loaded(runtime).run(crop)
    head = loaded(runtime).head
    side = -(-resolution // 32)
    for emotion, bias, logit in zip(EMOTIONS, head.bias, outputs.logits[0], strict=True):
        activation = activation_map(outputs.features[0], head, emotion)
        assert activation.shape == (side, side)
        assert activation.mean() + bias == pytest.approx(logit, abs=1e-3)


def test_the_maps_of_bf16_are_those_of_fp32(astronaut, loaded):
    crop = square_crop(astronaut, FaceDetector().detect(astronaut).xyxy[0], 128)[None].astype(np.float32)
    served = load_runtime("openvino", "scalable-env2b0")
    maps = [
        activation_map(runtime.run(crop).features[0], runtime.head, "happiness")
        for runtime in (served, loaded("openvino"))
    ]
    assert np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1] > 0.99


@pytest.fixture(scope="module")
def loaded():
    """Runtimes by name, computing in fp32, each loaded once."""
    runtimes = {}

    def load(name):
        if name not in runtimes:
            runtimes[name] = load_runtime(name, "scalable-env2b0", precision="fp32")
        return runtimes[name]

    return load


HEAD = Head(np.eye(7, dtype=np.float32), np.zeros(7, np.float32))


def test_each_face_gets_the_map_of_its_own_emotion():
    features = np.random.default_rng(0).random((2, 3, 3, 7), np.float32)
    faces = [
        Face((0, 0, 9, 9), 1.0, {name: float(name == emotion) for name in EMOTIONS}) for emotion in ("fear", "anger")
    ]
    maps = activation_maps(faces, features, HEAD)
    np.testing.assert_array_equal(maps[0], features[0, ..., EMOTIONS.index("fear")])
    np.testing.assert_array_equal(maps[1], features[1, ..., EMOTIONS.index("anger")])
    assert activation_maps([], None, HEAD) == []


@pytest.mark.parametrize(
    ("shape", "emotion", "message"),
    [
        pytest.param((3, 3, 7), "joy", "emotion must be one of anger, .*, but got 'joy'", id="emotion"),
        pytest.param((3, 3, 8), "fear", r"shape \(h, w, 7\), but got \(3, 3, 8\)", id="channels"),
        pytest.param((1, 3, 3, 7), "fear", r"shape \(h, w, 7\), but got \(1, 3, 3, 7\)", id="batch"),
    ],
)
def test_wrong_arguments_are_named(shape, emotion, message):
    with pytest.raises(ValueError, match=message):
        activation_map(np.zeros(shape, np.float32), HEAD, emotion)
