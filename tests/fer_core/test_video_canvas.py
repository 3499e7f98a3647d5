"""The canvas: turned, reduced, odd and changing sizes."""

from fractions import Fraction

import numpy as np
import pytest

from fer_core.video_canvas import LARGEST_SIDE
from tests.films import Coding, annotate, patches, pictures_of, swaying, times_of, write_film

RED = 60  # how far a channel may be off after two lossy codings


def is_red(picture, x, y):
    """Whether a picture is red at a place given in shares of its size."""
    red, green, blue = picture[int(y * picture.shape[0]), int(x * picture.shape[1])].astype(int)
    return red > 255 - RED and green < RED and blue < RED


@pytest.mark.parametrize(
    ("coding", "red_at", "size"),
    [
        pytest.param(Coding(), (0.25, 0.25), (64, 48), id="upright"),
        pytest.param(Coding(degrees=90), (0.25, 0.75), (48, 64), id="90"),
        pytest.param(Coding(degrees=180), (0.75, 0.75), (64, 48), id="180"),
        pytest.param(Coding(degrees=270), (0.75, 0.25), (48, 64), id="270"),
        pytest.param(Coding(mirrored=True), (0.75, 0.25), (64, 48), id="mirrored"),
        pytest.param(Coding(degrees=90, mirrored=True), (0.75, 0.75), (48, 64), id="90-mirrored"),
    ],
)
def test_frames_are_turned_as_the_file_says(recognizer, tmp_path, coding, red_at, size):
    # Where the red quarter comes to lie is what Chromium shows of these files.
    source = write_film(tmp_path / "a.mp4", patches(3), (0, 33, 66), coding)
    output, record, _ = annotate(recognizer, source, tmp_path)
    picture = pictures_of(output)[1]
    assert (picture.shape[1], picture.shape[0]) == (record["width"], record["height"]) == size
    corners = [(x, y) for x in (0.25, 0.75) for y in (0.25, 0.75)]
    assert [corner for corner in corners if is_red(picture, *corner)] == [red_at]


@pytest.mark.parametrize(
    ("width", "height", "aspect", "expected"),
    [
        pytest.param(66, 50, None, (66, 50), id="even"),
        pytest.param(65, 49, None, (64, 48), id="odd"),
        pytest.param(72, 58, Fraction(16, 11), (104, 58), id="wide-pixels"),
        pytest.param(16, 16, None, (16, 16), id="tiny"),
        pytest.param(2560, 64, None, (1280, 32), id="long"),
    ],
)
def test_sizes(recognizer, tmp_path, width, height, aspect, expected):
    coding = Coding(pixels="yuv444p", pixel_aspect=aspect)
    source = write_film(tmp_path / "a.mp4", patches(3, width, height), (0, 33, 66), coding)
    output, record, _ = annotate(recognizer, source, tmp_path)
    picture = pictures_of(output)[0]
    assert (picture.shape[1], picture.shape[0]) == expected
    assert is_red(picture, 0.25, 0.25)
    assert not is_red(picture, 0.75, 0.25)
    assert not is_red(picture, 0.25, 0.75)
    assert record["height"] == height


def test_4k_is_reduced_and_says_so(recognizer, astronaut, tmp_path):
    pictures = swaying(astronaut, 3, 3840, 2160)
    source = write_film(tmp_path / "4k.mp4", pictures, (0, 33, 66))
    output, record, summary = annotate(recognizer, source, tmp_path)
    assert pictures_of(output)[0].shape == (LARGEST_SIDE * 9 // 16, LARGEST_SIDE, 3)
    assert (record["width"], record["height"]) == (3840, 2160)
    assert "1280 x 720 px, not at 3840 x 2160" in summary.warnings[0]
    still = recognizer.recognize(next(iter(swaying(astronaut, 1, 3840, 2160))))[0]
    np.testing.assert_allclose(record["rows"][0]["box"], still.box, atol=60)  # px of a face of 800 px


def test_a_size_that_changes_midway_is_fitted_in(recognizer, astronaut, tmp_path):
    parts = []
    for number, (width, height) in enumerate([(320, 240), (240, 320)]):
        times = range(330 * number, 330 * number + 330, 33)
        parts.append(write_film(tmp_path / f"{number}.ts", swaying(astronaut, 10, width, height), times))
    source = tmp_path / "joined.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    output, record, summary = annotate(recognizer, source, tmp_path)
    assert summary.frames == len(times_of(output)) == 20
    last = pictures_of(output)[-1]
    assert last.shape == (240, 320, 3)
    assert last[160:, :60].max() < 40, "black beside the upright part"
    rows = {row["frame"]: row["box"] for row in record["rows"]}
    still = recognizer.recognize(list(swaying(astronaut, 10, 240, 320))[-1])[0]
    np.testing.assert_allclose(rows[19], still.box, atol=15)  # px, of the picture as it came
