"""Each transform against another library: scikit-image, Pillow, torchvision."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.exposure import rescale_intensity
from skimage.transform import AffineTransform, warp
from torchvision.transforms import RandomErasing

from train import augment as augmentation
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


@pytest.mark.parametrize("seed", range(3))
def test_grayscale_is_pillows(seed):
    picture = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
    gray = augment(picture, 64, Augmentation(grayscale=1), np.random.default_rng(seed))
    expected = np.asarray(Image.fromarray(picture).convert("L").convert("RGB"))
    assert np.abs(gray.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("seed", range(5))
def test_light_is_scikit_images_linear_stretch(seed):
    """The factors are read off the result, lie in their ranges, and explain every pixel by another library's code."""
    picture = np.random.default_rng(seed).integers(96, 160, (32, 32, 3), np.uint8)  # nothing is clipped
    got = augment(picture, 32, Augmentation(light=0.3), np.random.default_rng(seed))
    contrast, shift = np.polyfit(picture.ravel().astype(float), got.ravel(), 1)
    brightness = shift - 128 * (1 - contrast)
    assert 0.7 <= contrast <= 1.3
    assert abs(brightness) <= 0.3 * 128 + 1
    black, white = ((end - 128) * contrast + 128 + brightness for end in (0, 255))
    expected = rescale_intensity(picture.astype(float), in_range=(0, 255), out_range=(black, white))
    assert np.abs(got - expected).max() <= 2


def test_flip_is_numpys():
    picture = smooth()
    results = [augment(picture, 64, Augmentation(flip=True), np.random.default_rng(seed)) for seed in range(40)]
    mirrored = [(result == picture[:, ::-1]).all() for result in results]
    assert all(each or (result == picture).all() for each, result in zip(mirrored, results, strict=True))
    assert 10 < sum(mirrored) < 30, "about a half"


@pytest.mark.parametrize("seed", range(10))
def test_erasing_is_one_rectangle_as_torchvision_chooses_it(seed):
    picture = smooth()
    erased = augment(picture, 64, Augmentation(erasing=1), np.random.default_rng(seed))
    changed = (erased != picture).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert changed[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean() > 0.95, "noise may equal a pixel"
    # The ranges that torchvision takes, checked by what it draws itself.
    scale, ratio = (0.02, 0.2), (0.3, 1 / 0.3)
    torch.manual_seed(seed)
    _, _, h, w, _ = RandomErasing.get_params(torch.zeros(3, 64, 64), scale, ratio, [0.0])
    for side, other in ((height, width), (h, w)):
        assert 0.6 * scale[0] <= side * other / 64**2 <= 1.2 * scale[1]
        assert 0.25 <= side / other <= 4


def test_transforms_stay_in_their_ranges():
    """Every parameter is drawn through one function, which sees Table 1's ranges used and never left."""
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        real = augmentation.affine_matrix
        patch.setattr(augmentation, "affine_matrix", lambda size, **chosen: seen.append(chosen) or real(size, **chosen))
        for seed in range(300):
            augment(smooth(32), 32, TABLE_1, np.random.default_rng(seed))
    for values, limit in [
        ([each["degrees"] for each in seen], 40),
        ([shift for each in seen for shift in each["shift"]], 0.25 * 32),
        ([each["shear"] for each in seen], 0.25),
        ([zoom - 1 for each in seen for zoom in each["zoom"]], 0.25),
    ]:
        assert -limit <= min(values) < -0.9 * limit
        assert 0.9 * limit < max(values) <= limit


def test_outside_repeats_the_edge():
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:, 0] = 200
    settings = Augmentation(shift=0.25)
    for seed in range(5):
        moved = augment(picture, 32, settings, np.random.default_rng(seed))
        assert set(np.unique(moved[:, 0])) <= {0, 200} or moved[:, 0].max() <= 200
