"""Pictures from untrusted bytes: what is accepted comes out right, what is refused says why."""

import io

import numpy as np
import pytest
from PIL import Image

from fer_core.pictures import LARGEST_MEGAPIXELS, PictureError, check_rgb, encode_jpeg, read_picture


def encoded(image: Image.Image, file_format: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


GRADIENT = np.linspace(0, 255, 64 * 48, dtype=np.uint8).reshape(48, 64)
COLOR = np.dstack([GRADIENT, GRADIENT[::-1], GRADIENT[:, ::-1]])
WIDE = GRADIENT.astype(np.uint16) * 257


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(encoded(Image.fromarray(COLOR), "PNG"), COLOR, id="rgb-png"),
        pytest.param(encoded(Image.fromarray(GRADIENT), "PNG"), np.dstack([GRADIENT] * 3), id="gray"),
        pytest.param(encoded(Image.fromarray(WIDE), "PNG"), np.dstack([GRADIENT] * 3), id="16-bit-is-scaled"),
        pytest.param(encoded(Image.fromarray(WIDE), "TIFF"), np.dstack([GRADIENT] * 3), id="16-bit-tiff"),
        pytest.param(
            encoded(Image.fromarray(np.dstack([COLOR, np.full_like(GRADIENT, 255)])), "PNG"), COLOR, id="rgba-opaque"
        ),
        pytest.param(
            encoded(Image.fromarray(np.dstack([COLOR, np.zeros_like(GRADIENT)])), "PNG"),
            np.full_like(COLOR, 255),
            id="rgba-transparent-is-white",
        ),
        pytest.param(encoded(Image.fromarray(COLOR[:1, :1]), "PNG"), COLOR[:1, :1], id="one-pixel"),
        pytest.param(encoded(Image.fromarray(COLOR), "BMP"), COLOR, id="bmp"),
        pytest.param(encoded(Image.fromarray(COLOR), "WEBP", lossless=True), COLOR, id="webp"),
        pytest.param(encoded(Image.fromarray(GRADIENT).convert("P"), "GIF"), np.dstack([GRADIENT] * 3), id="gif"),
    ],
)
def test_formats_are_read_exactly(data, expected):
    np.testing.assert_array_equal(read_picture(data), expected)


def test_cmyk_becomes_rgb():
    assert read_picture(encoded(Image.fromarray(COLOR).convert("CMYK"), "JPEG")).shape == COLOR.shape


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    exif = Image.Exif()
    exif[274] = orientation
    # Which way each stored picture has to be turned, after the EXIF standard.
    upright = {
        1: COLOR,
        2: COLOR[:, ::-1],
        3: COLOR[::-1, ::-1],
        4: COLOR[::-1],
        5: COLOR.transpose(1, 0, 2),
        6: np.rot90(COLOR, -1),
        7: COLOR[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(COLOR),
    }
    data = encoded(Image.fromarray(COLOR), "PNG", exif=exif)
    np.testing.assert_array_equal(read_picture(data), upright[orientation])


def test_48_megapixels_are_read():
    data = encoded(Image.new("L", (8000, 6000)), "PNG")
    assert read_picture(data).shape == (6000, 8000, 3)


JPEG = encoded(Image.fromarray(COLOR), "JPEG")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "0 bytes are none of these", id="empty"),
        pytest.param(b"%PDF-1.7 hello", "none of these", id="no-picture"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "none of these", id="svg"),
        pytest.param(JPEG[: len(JPEG) // 2], "damaged", id="truncated-jpeg"),
        pytest.param(encoded(Image.fromarray(COLOR), "PNG")[:200], "damaged", id="truncated-png"),
        pytest.param(
            encoded(Image.new("L", (10_000, 5_100)), "PNG"), r"at most 50 megapixels, but has 51\.0", id="51-mp"
        ),
        pytest.param(encoded(Image.new("1", (20_000, 20_000)), "PNG"), "at most 50 megapixels, but has", id="bomb"),
        pytest.param(bytes(26_000_000), r"at most 25 MB, but has 26\.0 MB", id="26-megabytes"),
        pytest.param(encoded(Image.fromarray(GRADIENT.astype(np.float32)), "TIFF"), "8 or 16 bits", id="float"),
    ],
)
def test_unusable_files_are_refused_with_a_reason(data, message):
    with pytest.raises(PictureError, match=message) as caught:
        read_picture(data)
    assert "/" not in str(caught.value), "no path of the server"


def test_limit_is_checked_before_decoding(monkeypatch):
    data = encoded(Image.new("L", (10_000, 5_100)), "PNG")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(PictureError, match=f"at most {LARGEST_MEGAPIXELS} megapixels"):
        read_picture(data)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.zeros((4, 4), np.uint8), id="gray"),
        pytest.param(np.zeros((4, 4, 4), np.uint8), id="rgba"),
        pytest.param(np.zeros((4, 4, 3), np.float32), id="float"),
        pytest.param(np.zeros((0, 4, 3), np.uint8), id="no-pixels"),
        pytest.param([[0, 0, 0]], id="list"),
        pytest.param(None, id="none"),
    ],
)
def test_wrong_arrays_are_named(image):
    with pytest.raises(ValueError, match=r"must be an RGB uint8 array with shape \(H, W, 3\), but got"):
        check_rgb(image)


def test_jpeg_keeps_the_channel_order():
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    answer = read_picture(encode_jpeg(red))
    assert answer[..., 0].min() > 240
    assert answer[..., 1:].max() < 16
