"""Finds faces with MTCNN and cuts them out the one way that training and serving share.

MTCNN: Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks", 2016, with facenet-pytorch's weights and boxes; see ``mtcnn.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import supervision as sv

from .mtcnn import Mtcnn

CROP_MARGIN = 1.15
"""Side of the square crop over the longer side of MTCNN's box. Training crops are cut with it too."""

SMALLEST_FACE = 40
"""Shorter side of the smallest face looked for, in pixels of the picture that MTCNN sees."""

LARGEST_SEARCHED_SIDE = 1280
"""Pictures longer than this are reduced to it, in pixels, before MTCNN looks at them."""

LOWEST_SCORE = 0.9
"""Detections under this score, 0 to 1, are dropped; MTCNN's last stage itself stops at 0.7."""


class FaceDetector:
    """MTCNN on the CPU, loaded once and safe to share between threads.

    Args:
        smallest_face: Shorter side of the smallest face to look for, in pixels, at least 20.
        lowest_score: Detections under this score, 0 to 1, are dropped.

    Attributes:
        mtcnn: The networks, for those who run them in parts.

    Raises:
        ValueError: If an argument is out of range.
        ImportError: If facenet-pytorch, which carries the weights, is not installed.
    """

    def __init__(self, smallest_face: int = SMALLEST_FACE, lowest_score: float = LOWEST_SCORE) -> None:
        if smallest_face < 20:
            raise ValueError(f"smallest_face must be at least 20 px, MTCNN's own limit, but got {smallest_face}")
        if not 0 <= lowest_score <= 1:
            raise ValueError(f"lowest_score must lie in 0 to 1, but got {lowest_score}")
        self.smallest_face = smallest_face
        self.lowest_score = lowest_score
        self.mtcnn = Mtcnn()

    def detect(self, image: np.ndarray) -> sv.Detections:
        """Finds the faces of a picture.

        Args:
            image: RGB uint8, shape ``(H, W, 3)``.

        Returns:
            Faces by area, largest first: ``xyxy`` float32 ``(n, 4)`` in pixels of ``image``, clipped to it,
            and ``confidence`` float32 ``(n,)``. Empty if there is no face.
        """
        height, width = image.shape[:2]
        scale = min(1.0, LARGEST_SEARCHED_SIDE / max(height, width))
        if scale < 1.0:
            size = max(1, round(width * scale)), max(1, round(height * scale))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        boxes, scores = self.mtcnn.detect(np.ascontiguousarray(image), self.smallest_face)
        boxes = boxes / np.float32(scale)
        boxes = boxes.clip(0, [width, height, width, height]).astype(np.float32)
        sides = boxes[:, 2:] - boxes[:, :2]
        keep = (scores >= self.lowest_score) & (sides >= 1).all(axis=1)
        order = [index for index in np.argsort(-sides.prod(axis=1), kind="stable") if keep[index]]
        return sv.Detections(xyxy=boxes[order], confidence=scores[order])


def square_around(box: Sequence[float] | np.ndarray, margin: float = CROP_MARGIN) -> tuple[int, int, int]:
    """Returns left, top and side, in whole pixels, of the square that is cut out around a box ``(x0, y0, x1, y1)``."""
    x0, y0, x1, y1 = (float(value) for value in box)
    side = max(1, round(margin * max(x1 - x0, y1 - y0)))
    return round((x0 + x1 - side) / 2), round((y0 + y1 - side) / 2), side


def square_crop(image: np.ndarray, box: np.ndarray, size: int, margin: float = CROP_MARGIN) -> np.ndarray:
    """Cuts out the square around a box; what lies outside the picture repeats its edge.

    Args:
        image: RGB uint8, shape ``(H, W, 3)``.
        box: ``(x0, y0, x1, y1)`` in pixels.
        size: Side of the result in pixels.
        margin: Side of the square over the longer side of the box.

    Returns:
        RGB uint8, shape ``(size, size, 3)``. Shrunk by area average, so that small sizes do not alias.
    """
    left, top, side = square_around(box, margin)
    height, width = image.shape[:2]
    before = max(0, -left), max(0, -top)
    after = max(0, left + side - width), max(0, top + side - height)
    crop = image[max(0, top) : top + side, max(0, left) : left + side]
    if any(before) or any(after):
        crop = cv2.copyMakeBorder(crop, before[1], after[1], before[0], after[0], cv2.BORDER_REPLICATE)
    return resize_square(crop, size)


def resize_square(crop: np.ndarray, size: int) -> np.ndarray:
    """Resizes a square RGB uint8 crop to ``(size, size, 3)``: by area when shrinking, linearly when growing."""
    if crop.shape[0] == size:
        return crop
    shrinks = crop.shape[0] > size
    return cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
