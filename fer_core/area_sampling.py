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

    def window(self, size: tuple[int, int], start: tuple[int, int], count: tuple[int, int]) -> np.ndarray:
        """Shrinks the whole picture and returns a part of the result; only that part is computed.

        Args:
            size: Height and width of the shrunk picture in pixels.
            start: First row and column of the part.
            count: Its rows and columns.

        Returns:
            float32 0-255, shape ``(*count, 3)``.
        """
        rows = [edge[start[0] : start[0] + count[0]] for edge in _edges(0, self.height, size[0])]
        columns = [edge[start[1] : start[1] + count[1]] for edge in _edges(0, self.width, size[1])]
        return self._means(*rows, *columns)

    def crops(self, corners: np.ndarray, side: int) -> np.ndarray:
        """Cuts out rectangles and resizes each to a square.

        Args:
            corners: int64 ``(n, 4)``: first column and row, and those after the last; inside the picture, not empty.
            side: Side of the results in pixels.

        Returns:
            float32 0-255, shape ``(n, side, side, 3)``.
        """
        rows = _edges(corners[:, 1:2], corners[:, 3:4], side)
        columns = _edges(corners[:, 0:1], corners[:, 2:3], side)
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


def _edges(start: np.ndarray | int, end: np.ndarray | int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Divides ``start`` to ``end`` into parts: their first pixels, rounded down, and ends, rounded up."""
    steps = np.arange(count + 1)
    length = end - start
    return start + steps[:-1] * length // count, start - (-steps[1:] * length // count)
