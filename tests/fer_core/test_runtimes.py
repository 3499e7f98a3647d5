"""The runtimes agree, and a wrong input is named before it reaches one."""

import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.special import softmax

from fer_core.faces import FaceDetector, square_crop
from fer_core.runtimes import RUNTIMES, load_runtime
from tests.conftest import shared


@pytest.fixture(scope="module")
def graph():
    return load_runtime("tensorflow-graph", "scalable-env2b0")


@pytest.fixture(scope="module")
def openvino():
    return load_runtime("openvino", "scalable-env2b0")


@pytest.fixture(scope="module")
def astronaut_crops(astronaut):
    """The astronaut's face at eight places and both ways round, float32 (16, 128, 128, 3)."""
    box = FaceDetector().detect(astronaut).xyxy[0]
    views = [square_crop(astronaut, box + shift, 128) for shift in range(-16, 16, 4)]
    return np.stack(views + [view[:, ::-1] for view in views]).astype(np.float32)


def probabilities(runtime, images):
    return np.concatenate([softmax(runtime.run(image[None]).logits, axis=1) for image in images])


@pytest.mark.parametrize("resolution", [48, 128, 224])
def test_all_runtimes_give_the_same_outputs(graph, openvino, astronaut, resolution):
    image = square_crop(astronaut, FaceDetector().detect(astronaut).xyxy[0], resolution)[None].astype(np.float32)
    reference = graph.run(image)
    for runtime in (openvino, load_runtime("openvino", "scalable-env2b0", precision="fp32")):
        outputs = runtime.run(image)
        assert outputs.logits.shape == (1, 7)
        assert outputs.features.shape == reference.features.shape
        assert np.abs(softmax(outputs.logits) - softmax(reference.logits)).max() < 0.02
    keras_predict = load_runtime("keras-predict", "scalable-env2b0").run(image)
    np.testing.assert_allclose(keras_predict.logits, reference.logits, atol=1e-3)
    np.testing.assert_allclose(keras_predict.features, reference.features, atol=1e-3)


def test_one_and_many_faces_give_the_same(openvino, astronaut_crops):
    together = softmax(openvino.run(astronaut_crops).logits, axis=1)
    np.testing.assert_allclose(together, probabilities(openvino, astronaut_crops), atol=0.02)


def test_openvino_agrees_on_the_astronaut(graph, openvino, astronaut_crops):
    expected, got = probabilities(graph, astronaut_crops), probabilities(openvino, astronaut_crops)
    assert (expected.argmax(1) == got.argmax(1)).all()
    assert np.percentile(np.abs(expected - got), 99) <= 0.02


def test_openvino_agrees_on_500_real_faces(graph, openvino):
    from fer_core.faces import resize_square
    from train.crops import decode
    from train.data import Source, read_raf_db

    source = Source(shared("data/raf-db.zip"))
    pictures = [picture for picture in read_raf_db(source) if picture.part == "test"]
    chosen = np.random.default_rng(0).choice(len(pictures), 500, replace=False)
    crops = [decode(source.read(pictures[index].path), pictures[index].path) for index in chosen]
    images = np.stack([resize_square(crop, 128) for crop in crops]).astype(np.float32)
    expected = np.concatenate([softmax(graph.run(images[i : i + 50]).logits, axis=1) for i in range(0, 500, 50)])
    served = probabilities(openvino, images)
    assert (expected.argmax(1) == served.argmax(1)).mean() >= 0.99
    assert np.percentile(np.abs(expected - served), 99) <= 0.02
    exact = probabilities(load_runtime("openvino", "scalable-env2b0", precision="fp32"), images)
    assert np.abs(expected - exact).max() <= 0.005


@pytest.mark.parametrize(
    ("images", "message"),
    [
        pytest.param(np.zeros((1, 64, 64, 3), np.uint8), "must be float32", id="uint8"),
        pytest.param(np.zeros((64, 64, 3), np.float32), "shape", id="no-batch"),
        pytest.param(np.zeros((1, 64, 32, 3), np.float32), "shape", id="not-square"),
        pytest.param(np.zeros((0, 64, 64, 3), np.float32), "shape", id="no-pictures"),
        pytest.param(np.zeros((1, 64, 64, 4), np.float32), "shape", id="rgba"),
    ],
)
def test_wrong_images_are_named(openvino, images, message):
    with pytest.raises(ValueError, match=message):
        openvino.run(images)


def test_compiled_resolutions_are_bounded_and_come_back():
    runtime = load_runtime("openvino", "scalable-env2b0")
    runtime.most_compiled = 2
    image = {size: np.full((1, size, size, 3), 90, np.float32) for size in (64, 72, 80)}
    first = runtime.run(image[64]).logits
    for size in (72, 80):
        runtime.run(image[size])
    assert [resolution for _, resolution in runtime._requests] == [72, 80]
    np.testing.assert_array_equal(runtime.run(image[64]).logits, first)


def test_untrained_models_run_with_random_weights():
    runtime = load_runtime("openvino", "bdf-mobilenet")
    assert runtime.weights == "random"
    assert runtime.run(np.zeros((1, 64, 64, 3), np.float32)).logits.shape == (1, 7)


def test_names():
    assert list(RUNTIMES) == ["keras-predict", "tensorflow-graph", "openvino"]
    with pytest.raises(ValueError, match="must be one of keras-predict, tensorflow-graph, openvino, but got 'tvm'"):
        load_runtime("tvm", "scalable-env2b0")


def test_openvino_reports_to_nobody(tmp_path):
    # In a process of its own, as on a user's machine: the reports are silent where CI is set.
    program = (
        "import sys; from fer_core.runtimes import import_openvino; import_openvino();"
        "import openvino.tools.ovc; assert sys.modules['openvino_telemetry'] is None"
    )
    environment = {name: value for name, value in os.environ.items() if name != "CI"} | {"HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    assert list(tmp_path.iterdir()) == []
