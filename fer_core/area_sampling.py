"""Shrinks a picture, or parts of it, by area average, all from one table of sums."""

from __future__ import annotations

import cv2
import numpy as np


class AreaSampler:
    """A picture to be shrunk many times, at a cost that depends on the results' sizes only.

    The averages are those of PyTorch's ``interpolate(mode="area")``, which MTCNN's weights expect: every result pixel
    is the mean of all pixels that it touches, shared ones included. Sums come from an integral image (Viola and
    Jones, "Rapid Object Detection using a Boosted Cascade of Simple Features", 2001) and are exact.

    Args:
        image: RGB uint8, shape ``(H, W, 3)``, at most 8 megapixels, so that the sums fit into 32 bits.

    Attributes:
        height: H.
        width: W.
    """

    def __init__(self, image: np.ndarray) -> None:
        self.height, self.width = image.shape[:2]
        self._sums = cv2.integral(image, sdepth=cv2.CV_32S).reshape(-1, 3)

    def whole(self, size: tuple[int, int]) -> np.ndarray:
        """Returns the whole picture shrunk to a height and width in pixels: float32 0-255, ``(*size, 3)``."""
        rows = _parts(np.arange(size[0]), self.height, size[0])
        columns = _parts(np.arange(size[1]), self.width, size[1])
        return self._means(*rows, *columns)

    def windows(self, sizes: np.ndarray, starts: np.ndarray, side: int) -> np.ndarray:
        """Returns squares out of the shrunk picture without computing the rest of it.

        Args:
            sizes: Heights and widths in pixels to which the picture is shrunk, int64 ``(n, 2)``.
            starts: First rows and columns of the squares, int64 ``(n, 2)``. What lies outside repeats the edge.
            side: Of the squares in pixels.

        Returns:
            float32 0-255, shape ``(n, side, side, 3)``.
        """
        places = (starts[:, :, None] + np.arange(side)).clip(0, sizes[:, :, None] - 1)
        rows = _parts(places[:, 0], self.height, sizes[:, :1])
        columns = _parts(places[:, 1], self.width, sizes[:, 1:])
        return self._means(*rows, *columns)

    def crops(self, corners: np.ndarray, side: int) -> np.ndarray:
        """Cuts out rectangles and resizes each to a square.

        Args:
            corners: int64 ``(n, 4)``: first column and row, and those after the last; inside the picture, not empty.
            side: Side of the results in pixels.

        Returns:
            float32 0-255, shape ``(n, side, side, 3)``.
        """
        starts, lengths = corners[:, :2], corners[:, 2:] - corners[:, :2]
        columns, rows = (
            [edges + starts[:, [axis]] for edges in _parts(np.arange(side), lengths[:, [axis]], side)]
            for axis in (0, 1)
        )
        return self._means(*rows, *columns)

    def _means(self, tops: np.ndarray, bottoms: np.ndarray, lefts: np.ndarray, rights: np.ndarray) -> np.ndarray:
        row_length = self.width + 1
        above, below = (tops * row_length)[..., None], (bottoms * row_length)[..., None]
        before, after = lefts[..., None, :], rights[..., None, :]
        sums = self._sums.take(below + after, axis=0)
        sums -= self._sums.take(above + after, axis=0)
        sums -= self._sums.take(below + before, axis=0)
        sums += self._sums.take(above + before, axis=0)
        pixels = (bottoms - tops)[..., None] * (rights - lefts)[..., None, :]
        return sums.astype(np.float32) / pixels[..., None].astype(np.float32)


def _parts(indices: np.ndarray, length: int | np.ndarray, count: int | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divides ``length`` pixels into ``count`` parts; returns first pixels, rounded down, and ends, rounded up."""
    return indices * length // count, -(-(indices + 1) * length // count)
