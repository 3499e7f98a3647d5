"""Averages by area are PyTorch's, which MTCNN's weights expect."""

import numpy as np
import pytest

from fer_core.area_sampling import AreaSampler

PICTURE = np.random.default_rng(0).integers(0, 256, (97, 131, 3), np.uint8)


def pytorch(picture, height, width):
    import torch

    pixels = torch.tensor(picture, dtype=torch.float32).permute(2, 0, 1)[None]
    shrunk = torch.nn.functional.interpolate(pixels, size=(height, width), mode="area")
    return shrunk[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize(
    "size",
    [
        pytest.param((97, 131), id="same"),
        pytest.param((48, 65), id="half"),
        pytest.param((30, 17), id="uneven"),
        pytest.param((1, 1), id="one-pixel"),
        pytest.param((110, 150), id="larger"),
    ],
)
def test_the_whole_and_windows_of_it(size):
    expected = pytorch(PICTURE, *size)
    sampler = AreaSampler(PICTURE)
    np.testing.assert_allclose(sampler.whole(size), expected, rtol=1e-6)
    # Past the edge it is repeated.
    expected = np.pad(expected, [(0, 20), (0, 20), (0, 0)], mode="edge")
    starts = [(0, 0), (size[0] // 3, size[1] // 2), (size[0] - 1, 0)]
    windows = sampler.windows(np.array([size] * 3), np.array(starts), 20)
    for window, (row, column) in zip(windows, starts, strict=True):
        np.testing.assert_allclose(window, expected[row : row + 20, column : column + 20], rtol=1e-6)


@pytest.mark.parametrize("side", [24, 48])
def test_crops(side):
    corners = np.array([[0, 0, 131, 97], [10, 20, 90, 71], [60, 5, 61, 6], [100, 50, 131, 97]])
    crops = AreaSampler(PICTURE).crops(corners, side)
    for crop, (x0, y0, x1, y1) in zip(crops, corners, strict=True):
        np.testing.assert_allclose(crop, pytorch(PICTURE[y0:y1, x0:x1], side, side), rtol=1e-6)
