"""Makes frames for tests: the astronaut's face on a plain background, where and as large as wanted."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from skimage.data import astronaut

WIDTH, HEIGHT = 640, 360

_HEAD = astronaut()[20:220, 110:310]

PEOPLE = {
    "collins": _HEAD,
    # Looks like somebody else to a tracker, and like a face to MTCNN.
    "green": np.ascontiguousarray(_HEAD[:, ::-1, [1, 2, 0]]),
}
"""Heads, RGB uint8 (200, 200, 3); the face is the middle half of the width."""


@dataclass(frozen=True)
class Head:
    """A head in a frame: its left and upper edge and its side in pixels, which may reach out of the frame."""

    left: float
    top: float
    side: int = 200
    person: str = "collins"

    @property
    def middle(self) -> tuple[float, float]:
        """The middle of the face, in pixels."""
        return self.left + 0.51 * self.side, self.top + 0.48 * self.side


def frame(*heads: Head, size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    """Returns RGB uint8 of a width and height in pixels; later heads hide earlier ones."""
    picture = np.full((size[1], size[0], 3), (92, 110, 128), np.uint8)
    for head in heads:
        shrinks = head.side < 200
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        pixels = cv2.resize(PEOPLE[head.person], (head.side, head.side), interpolation=interpolation)
        left, top = round(head.left), round(head.top)
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(size[0], left + head.side), min(size[1], top + head.side)
        if x0 < x1 and y0 < y1:
            # An oval, so that heads that pass each other do not cut each other's faces off in squares.
            oval = np.zeros((head.side, head.side), np.uint8)
            middle, radius = head.side // 2, (int(0.4 * head.side), head.side // 2 - 1)
            cv2.ellipse(oval, (middle, middle), radius, 0, 0, 360, 255, -1)
            inside = oval[y0 - top : y1 - top, x0 - left : x1 - left, None] > 0
            part = picture[y0:y1, x0:x1]
            part[...] = np.where(inside, pixels[y0 - top : y1 - top, x0 - left : x1 - left], part)
    return picture
