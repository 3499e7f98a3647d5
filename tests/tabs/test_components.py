"""Bytes in and out of the image component, without Gradio's decoding and without a file."""

import base64

import pytest
from gradio.data_classes import ImageData

from tabs.components import JpegOutput, PictureInput


@pytest.fixture
def picture():
    return PictureInput(render=False)


def test_an_upload_comes_as_its_raw_bytes(picture, tmp_path):
    path = tmp_path / "upload.png"
    path.write_bytes(b"anything")
    assert picture.preprocess(ImageData(path=str(path), orig_name="upload.png")) == b"anything"


def test_a_camera_frame_comes_as_its_raw_bytes(picture):
    url = "data:image/jpeg;base64," + base64.b64encode(b"\xff\xd8frame").decode()
    assert picture.preprocess(ImageData(url=url)) == b"\xff\xd8frame"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        pytest.param(None, None, id="nothing"),
        pytest.param(ImageData(url="data:image/jpeg;base64,@@@"), b"", id="broken-base64"),
        pytest.param(ImageData(url="data:"), b"", id="empty-url"),
        pytest.param(ImageData(), b"", id="neither-path-nor-url"),
    ],
)
def test_what_is_no_picture_reaches_our_own_reader(picture, payload, expected):
    assert picture.preprocess(payload) == expected


def test_an_answer_carries_its_picture(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    output = JpegOutput(render=False)
    answer = output.postprocess(b"\xff\xd8jpeg")
    assert answer.path is None
    assert base64.b64decode(answer.url.removeprefix("data:image/jpeg;base64,")) == b"\xff\xd8jpeg"
    assert output.postprocess(None) is None
    assert list(tmp_path.iterdir()) == []
