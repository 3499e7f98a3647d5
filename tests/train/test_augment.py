"""One affine warp against scikit-image, an independent reference."""

import numpy as np
import pytest
from skimage.transform import AffineTransform, warp

from train.augment import TABLE_1, Augmentation, affine_matrix, augment


def smooth(size: int = 64) -> np.ndarray:
    """A picture without hard edges, on which two interpolations agree."""
    y, x = np.mgrid[:size, :size] / size
    waves = [np.sin(3 * x + 1), np.cos(4 * y), np.sin(3 * x * y + 2)]
    return np.round(127.5 + 120 * np.dstack(waves)).astype(np.uint8)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({}, id="identity"),
        pytest.param({"degrees": 33}, id="rotation"),
        pytest.param({"shift": (9.5, -4.25)}, id="shift"),
        pytest.param({"shear": 0.25}, id="shear"),
        pytest.param({"zoom": (1.25, 0.75)}, id="zoom"),
        pytest.param({"mirrored": True}, id="flip"),
        pytest.param(
            {"degrees": -20, "shift": (3, 5), "shear": -0.2, "zoom": (0.8, 1.1), "mirrored": True}, id="all-together"
        ),
    ],
)
def test_matrix_agrees_with_scikit_image(arguments):
    import cv2

    size = 64
    chosen = {"degrees": 0, "shift": (0, 0), "shear": 0, "zoom": (1, 1), "mirrored": False} | arguments
    center = (size - 1) / 2
    steps = [
        AffineTransform(translation=(-center, -center)),
        AffineTransform(matrix=np.diag([-1.0 if chosen["mirrored"] else 1.0, 1, 1])),
        AffineTransform(matrix=np.array([[1, chosen["shear"], 0], [0, 1, 0], [0, 0, 1.0]])),
        AffineTransform(scale=chosen["zoom"]),
        AffineTransform(rotation=-np.radians(chosen["degrees"])),  # scikit-image turns the other way, y down
        AffineTransform(translation=(center + chosen["shift"][0], center + chosen["shift"][1])),
    ]
    forward = steps[0]
    for step in steps[1:]:
        forward = forward + step
    picture = smooth(size)
    expected = warp(picture, forward.inverse, order=1, mode="edge", preserve_range=True)
    matrix = affine_matrix(size, **chosen)
    got = cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    # OpenCV interpolates on a grid of 1/32 pixel and rounds.
    assert np.abs(expected - got).max() <= 4
    np.testing.assert_allclose(matrix, forward.params[:2], atol=1e-9)


def test_no_augmentation_changes_nothing():
    picture = smooth()
    np.testing.assert_array_equal(augment(picture, 64, Augmentation(), np.random.default_rng(0)), picture)


def test_same_state_same_picture():
    settings = Augmentation(rotation=20, shift=0.1, zoom=0.1, flip=True, light=0.3, grayscale=0.5, erasing=0.5)
    first, again, other = (augment(smooth(), 48, settings, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.shape == (48, 48, 3)
    assert first.dtype == np.uint8


def test_table_1():
    assert (TABLE_1.rotation, TABLE_1.shift, TABLE_1.shear, TABLE_1.zoom, TABLE_1.flip) == (40, 0.25, 0.25, 0.25, True)


def test_grayscale_and_erasing_do_what_they_say():
    picture = smooth()
    gray = augment(picture, 64, Augmentation(grayscale=1), np.random.default_rng(0))
    assert (gray[..., 0] == gray[..., 1]).all()
    erased = augment(picture, 64, Augmentation(erasing=1), np.random.default_rng(0))
    share = (erased != picture).any(axis=2).mean()
    assert 0.015 < share < 0.22


def test_outside_repeats_the_edge():
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:, 0] = 200
    settings = Augmentation(shift=0.25)
    for seed in range(5):
        moved = augment(picture, 32, settings, np.random.default_rng(seed))
        assert set(np.unique(moved[:, 0])) <= {0, 200} or moved[:, 0].max() <= 200
