"""Any bytes into ``read_picture``: a picture, or a PictureError that names no path."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fer_core.pictures import FORMATS, PictureError, read_picture
from tests.fuzz.cases import cases, cut_and_changed, names_no_path


def _files() -> list[bytes]:
    """One small file for each format and kind of pixel."""
    ramp = np.linspace(0, 255, 24 * 16 * 3, dtype=np.uint8).reshape(16, 24, 3)
    exif = Image.Exif()
    exif[274] = 6
    pictures = {"RGB": Image.fromarray(ramp), "L": Image.fromarray(ramp[..., 0])}
    pictures |= {mode: pictures["RGB"].convert(mode) for mode in ("RGBA", "P", "CMYK", "1")}
    files = []
    for file_format in FORMATS:
        for image in pictures.values():
            buffer = io.BytesIO()
            try:
                image.save(buffer, file_format, exif=exif.tobytes())
            except (OSError, ValueError):  # a format that has no such pixels
                continue
            files.append(buffer.getvalue())
    return files


FILES = _files()


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged metadata
@cases(400)
@given(data=st.binary(max_size=200) | cut_and_changed(FILES))
def test_every_file_is_a_picture_or_is_refused(data):
    try:
        image = read_picture(data)
    except PictureError as error:
        assert names_no_path(str(error))
    else:
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] == 3
        assert image.size > 0
    assert read_picture(FILES[0]).shape == (24, 16, 3), "the next ordinary one is read, and turned as its EXIF says"
