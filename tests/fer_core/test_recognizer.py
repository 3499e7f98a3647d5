"""EmotionRecognizer: the interface that checks rely on."""

import subprocess
import sys

import numpy as np
import pytest

from fer_core import EmotionRecognizer
from fer_core.emotions import EMOTIONS
from fer_core.pictures import read_picture
from tests.conftest import shared


@pytest.fixture(scope="module")
def recognizer():
    return EmotionRecognizer.load()


def test_the_astronaut_smiles(recognizer, astronaut):
    (face,) = recognizer.recognize(astronaut)
    assert face.emotion == "happiness"
    assert face.confidence == max(face.probabilities.values()) > 0.5
    assert tuple(face.probabilities) == EMOTIONS
    assert sum(face.probabilities.values()) == pytest.approx(1)
    assert all(isinstance(edge, int) for edge in face.box)
    assert 0.9 <= face.detection_score <= 1


def test_recognizing_is_stateless(recognizer, astronaut):
    first = recognizer.recognize(astronaut)
    recognizer.recognize(astronaut[:, ::-1])
    assert recognizer.recognize(astronaut) == first


def test_faces_of_one_picture_do_not_influence_each_other(recognizer, astronaut):
    face = astronaut[:256, 96:352]
    (alone,) = recognizer.recognize(np.hstack([face, np.zeros_like(face)]))
    both = recognizer.recognize(np.hstack([face, face]))
    assert len(both) == 2
    for found in both:
        for emotion in EMOTIONS:
            assert found.probabilities[emotion] == pytest.approx(alone.probabilities[emotion], abs=0.1)


def test_boxes_are_clipped_to_the_picture(recognizer, astronaut):
    x0, y0, *_ = recognizer.recognize(astronaut)[0].box
    cut = np.ascontiguousarray(astronaut[y0 + 20 :, x0 + 10 :])
    for face in recognizer.recognize(cut):
        assert min(face.box) >= 0
        assert face.box[2] <= cut.shape[1]
        assert face.box[3] <= cut.shape[0]


def test_stages_are_timed(recognizer, astronaut):
    timings = recognizer.analyze(astronaut).timings_ms
    assert set(timings) == {"detect", "crop", "classify", "total"}
    assert timings["total"] == pytest.approx(timings["detect"] + timings["crop"] + timings["classify"])


def test_no_face_is_an_empty_list(recognizer):
    assert recognizer.recognize(np.zeros((1, 1, 3), np.uint8)) == []


def test_the_shared_film_without_faces(recognizer):
    import av

    with av.open(str(shared("media/no_face.mp4"))) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert frames
    assert [len(recognizer.recognize(frame)) for frame in frames[::4]] == [0] * len(frames[::4])


def test_five_people(recognizer):
    faces = recognizer.recognize(read_picture(shared("media/multi_face.jpg").read_bytes()))
    assert len(faces) == 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({"model": "resnet"}, "model must be one of scalable-env2b0", id="model"),
        pytest.param({"runtime": "onnx"}, "runtime must be one of keras-predict", id="runtime"),
        pytest.param({"resolution": "128"}, "whole number of pixels, but got '128'", id="text"),
        pytest.param({"resolution": 0}, "at least 1 px, but got 0 px", id="zero"),
        pytest.param({"resolution": True}, "whole number of pixels, but got True", id="bool"),
        pytest.param({"precision": "int4"}, "precision must be one of default, fp32", id="precision"),
        pytest.param({"model": "bdf-mobilenet"}, "bdf-mobilenet has no weights here", id="untrained"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        EmotionRecognizer.load(**arguments)


def test_wrong_pictures_are_named(recognizer):
    with pytest.raises(ValueError, match="must be an RGB uint8 array"):
        recognizer.recognize(np.zeros((4, 4), np.uint8))


def test_resolutions_share_one_model(recognizer, astronaut):
    other = recognizer.at(64)
    assert other.runtime is recognizer.runtime
    assert other.detector is recognizer.detector
    assert other.recognize(astronaut)[0].emotion == "happiness"
    assert recognizer.resolution == 128


def test_serving_imports_neither_tensorflow_nor_pytorch_and_importing_nothing_heavy():
    program = (
        "import sys, fer_core;"
        "assert not {'torch', 'tensorflow', 'keras', 'openvino', 'gradio'} & set(sys.modules), 'import is heavy';"
        "fer_core.EmotionRecognizer.load();"
        "assert not {'torch', 'tensorflow', 'keras', 'gradio'} & set(sys.modules), 'serving imports too much'"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("runtime", ["tensorflow-graph", "keras-predict"])
def test_tensorflow_and_mtcnn_live_in_one_process(runtime):
    program = (
        "from skimage.data import astronaut; from fer_core import EmotionRecognizer;"
        f"print(EmotionRecognizer.load(runtime={runtime!r}).recognize(astronaut())[0].emotion)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip().endswith("happiness"), done.stderr
