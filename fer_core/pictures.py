"""Reads a picture from untrusted bytes: limits before decoding, formats, orientation; and writes JPEG."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

LARGEST_FILE_MB = 25
LARGEST_MEGAPIXELS = 50
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")

_BACKGROUND = (255, 255, 255)  # behind transparent pixels


class PictureError(ValueError):
    """A picture that cannot be used; the message says what was expected and what came."""


def check_rgb(image: object) -> np.ndarray:
    """Returns the argument if it is an RGB picture.

    Raises:
        ValueError: Unless it is a uint8 array of shape ``(H, W, 3)`` with at least one pixel.
    """
    if not isinstance(image, np.ndarray):
        raise ValueError(f"image must be an RGB uint8 array with shape (H, W, 3), but got {type(image).__name__}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ValueError(
            f"image must be an RGB uint8 array with shape (H, W, 3), but got {image.dtype} with shape {image.shape}"
        )
    return image


def read_picture(data: bytes) -> np.ndarray:
    """Decodes a picture file.

    Size and format are read from the header and checked before anything is decoded. Transparent pixels
    become white, 16-bit channels are scaled to 8, EXIF orientation is applied, and of several frames the
    first is taken.

    Args:
        data: Contents of the file.

    Returns:
        RGB uint8, shape ``(H, W, 3)``.

    Raises:
        PictureError: If it is too large, of another format, or damaged.
    """
    if len(data) > LARGEST_FILE_MB * 1e6:
        raise PictureError(f"the file must have at most {LARGEST_FILE_MB} MB, but has {len(data) / 1e6:.1f} MB")
    expected = "expected a picture as " + ", ".join(FORMATS)
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            megapixels = image.width * image.height / 1e6
            if megapixels > LARGEST_MEGAPIXELS:
                raise PictureError(
                    f"the picture must have at most {LARGEST_MEGAPIXELS} megapixels, but has {megapixels:.1f} "
                    f"({image.width} x {image.height})"
                )
            image.load()
            return _to_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise PictureError(f"{expected}, but the {len(data)} bytes are none of these") from None
    except Image.DecompressionBombError:
        assert Image.MAX_IMAGE_PIXELS is not None
        refused = 2 * Image.MAX_IMAGE_PIXELS / 1e6  # Pillow's own limit, before the size can be asked for
        raise PictureError(
            f"the picture must have at most {LARGEST_MEGAPIXELS} megapixels, but has more than {refused:.0f}"
        ) from None
    except PictureError:
        raise
    # Pillow's decoders raise nearly anything for damaged files.
    except Exception as error:
        raise PictureError(f"{expected}, but the file is damaged: {error}") from error


def _to_rgb(image: Image.Image) -> np.ndarray:
    if image.mode.startswith("I;16"):
        wide = np.asarray(image).astype(np.uint16)
        narrow = np.round(wide / 257).astype(np.uint8)  # 65,535 / 257 = 255
        return np.ascontiguousarray(np.repeat(narrow[..., None], 3, axis=2))
    if image.mode in ("I", "F"):
        raise PictureError(f"expected 8 or 16 bits a channel, but got 32 (mode {image.mode})")
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        background = Image.new("RGB", image.size, _BACKGROUND)
        background.paste(image, mask=image.getchannel("A"))
        image = background
    return np.array(image.convert("RGB"))


def encode_jpeg(image: np.ndarray, quality: int = 85) -> bytes:
    """Encodes RGB uint8 ``(H, W, 3)`` as JPEG."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"a picture of shape {image.shape} could not be encoded as JPEG")
    return data.tobytes()
