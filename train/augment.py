"""Augmentation: the paper's Table 1 as one affine warp per picture, and changes of light."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from fer_core.faces import resize_square


@dataclass(frozen=True)
class Augmentation:
    """Ranges that every picture's transform is drawn from, uniformly and independently.

    Attributes:
        rotation: Largest rotation either way, in degrees.
        shift: Largest shift either way along each axis, as a share of the side.
        shear: Largest shear either way: pixels of x per pixel of y.
        zoom: Each axis is scaled by 1 - zoom to 1 + zoom.
        flip: Whether half of the pictures are mirrored.
        light: Contrast is multiplied by 1 - light to 1 + light, and up to light * 128 added or subtracted.
        grayscale: Share of pictures that lose their color.
        erasing: Share of pictures in which one rectangle of 2 to 20 % of the area is filled with noise
            (random erasing: Zhong et al., 2020).
    """

    rotation: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    flip: bool = False
    light: float = 0.0
    grayscale: float = 0.0
    erasing: float = 0.0


# The paper's Table 1. Its shear of 0.25 has no unit there; our reading: pixels of x per pixel of y.
TABLE_1 = Augmentation(rotation=40, shift=0.25, shear=0.25, zoom=0.25, flip=True)


def affine_matrix(
    size: int, degrees: float, shift: tuple[float, float], shear: float, zoom: tuple[float, float], mirrored: bool
) -> np.ndarray:
    """Composes one transform about the center of a square picture.

    A point at offset v from the center moves to R Z H F v + s: mirrored, sheared, zoomed, turned, shifted.

    Args:
        size: Side of the picture in pixels.
        degrees: Rotation, counter-clockwise as seen (y points down).
        shift: x and y shift in pixels.
        shear: Pixels of x per pixel of y.
        zoom: Factors along x and y; over 1 enlarges.
        mirrored: Whether x is mirrored.

    Returns:
        float64 ``(2, 3)``: maps ``(x, y, 1)`` of the source to the result.
    """
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotate = np.array([[cosine, sine], [-sine, cosine]])
    linear = rotate @ np.diag(zoom) @ np.array([[1.0, shear], [0.0, 1.0]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    center = np.full(2, (size - 1) / 2)
    return np.column_stack([linear, center + np.asarray(shift) - linear @ center])


def augment(image: np.ndarray, size: int, settings: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Draws a transform and applies it.

    Args:
        image: Square crop, RGB uint8 ``(n, n, 3)``.
        size: Side of the result in pixels.
        settings: Ranges to draw from.
        rng: Source of randomness; the same state gives the same picture.

    Returns:
        RGB uint8, shape ``(size, size, 3)``. What comes from outside the picture repeats its edge
        (Table 1: fill mode nearest).
    """
    image = resize_square(image, size)
    matrix = affine_matrix(
        size,
        degrees=rng.uniform(-1, 1) * settings.rotation,
        shift=tuple(rng.uniform(-1, 1, 2) * settings.shift * size),
        shear=rng.uniform(-1, 1) * settings.shear,
        zoom=tuple(1 + rng.uniform(-1, 1, 2) * settings.zoom),
        mirrored=settings.flip and rng.random() < 0.5,
    )
    image = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < settings.grayscale:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if settings.light:
        contrast = 1 + rng.uniform(-1, 1) * settings.light
        brightness = rng.uniform(-1, 1) * settings.light * 128
        table = (np.arange(256) - 128.0) * contrast + 128 + brightness
        image = cv2.LUT(image, table.clip(0, 255).astype(np.uint8))
    if rng.random() < settings.erasing:
        _erase(image, rng)
    return image


def _erase(image: np.ndarray, rng: np.random.Generator) -> None:
    size = image.shape[0]
    area, ratio = rng.uniform(0.02, 0.2) * size * size, np.exp(rng.uniform(np.log(0.3), np.log(1 / 0.3)))
    height, width = (min(size, max(1, round(np.sqrt(area * factor)))) for factor in (ratio, 1 / ratio))
    top, left = rng.integers(0, size - height + 1), rng.integers(0, size - width + 1)
    image[top : top + height, left : left + width] = rng.integers(0, 256, (height, width, 3), np.uint8)
