"""MTCNN's cascade on OpenVINO, open to be run in parts: by scale, around known faces, or its last stage alone.

Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", 2016. Thresholds,
rounding and order of the steps are those of facenet-pytorch's ``detect_face``, and so are the boxes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import cv2
import numpy as np

from .area_sampling import AreaSampler
from .mtcnn_networks import Network

DEFAULT_SMALLEST_FACE = 20
"""Side of the smallest face, in pixels, that MTCNN looks for if not told otherwise."""

PROPOSAL_THRESHOLD, REFINE_THRESHOLD, OUTPUT_THRESHOLD = 0.6, 0.7, 0.7
"""Scores, 0 to 1, that a face has to pass in P-Net, R-Net and O-Net."""

PYRAMID_FACTOR = 0.709
"""From one scale of the image pyramid to the next."""

PNET_CELL = 12
"""Side of what one output of P-Net sees, in pixels of its scale."""

_STRIDE = 2  # between its outputs
# A face is proposed where P-Net sees this share of its longer side. Measured: others never decide the final box.
_NEAR_SHARES = 0.45, 1.5
# Side of the window in which P-Net looks around a known face, in pixels of the scale. It leaves a face of 12 px a way
# of its own size to every side.
_WINDOW = 40


def pyramid(height: int, width: int, smallest_face: int) -> list[float]:
    """Returns the scales at which P-Net looks at a picture, largest first; none if the picture is too small.

    Args:
        height: Of the picture in pixels.
        width: Of the picture in pixels.
        smallest_face: Side of the smallest face to look for, in pixels.
    """
    scales = []
    scale = PNET_CELL / smallest_face
    side = min(height, width) * scale
    while side >= PNET_CELL:
        scales.append(scale)
        scale *= PYRAMID_FACTOR
        side *= PYRAMID_FACTOR
    return scales


class Mtcnn:
    """The three stages, each on its own. Safe to share between threads.

    Boxes are float32 ``(n, 4)``: x0, y0, x1, y1 in pixels of the sampled picture, not clipped to it.
    """

    def __init__(self) -> None:
        self._pnet = Network("pnet", None)
        self._pnet_windows = Network("pnet", _WINDOW)
        self._rnet = Network("rnet", 24)
        self._onet = Network("onet", 48)
        self._lock = threading.Lock()

    def detect(self, image: np.ndarray, smallest_face: int) -> tuple[np.ndarray, np.ndarray]:
        """Runs all stages at all scales.

        Args:
            image: RGB uint8, shape ``(H, W, 3)``.
            smallest_face: Side of the smallest face to look for, in pixels.

        Returns:
            Boxes, and their scores, float32 ``(n,)``; best first.
        """
        sampler = AreaSampler(image)
        return self.complete(sampler, self.propose(sampler, pyramid(image.shape[0], image.shape[1], smallest_face)))

    def propose(self, sampler: AreaSampler, scales: Sequence[float]) -> np.ndarray:
        """First stage: P-Net slides over the whole picture at the given scales of ``pyramid``.

        Returns:
            Squares that may hold a face.
        """
        found = []
        for scale in scales:
            with self._lock:
                scores, offsets = self._pnet(sampler.whole(_shrunk(sampler, scale))[None])
            found.append(_proposals(scores, offsets, np.zeros((1, 2), int), np.array([scale])))
        return _squares(np.concatenate(found) if found else np.empty((0, 9), np.float32))

    def propose_near(self, sampler: AreaSampler, scales: Sequence[float], faces: np.ndarray) -> np.ndarray:
        """First stage: P-Net looks around boxes of faces only, at those of the scales that may show them.

        Returns:
            Squares that may hold a face.
        """
        sides = (faces[:, 2:] - faces[:, :2]).max(axis=1)
        shares = PNET_CELL / np.array(scales)[:, None] / sides
        which, near = np.nonzero((shares > _NEAR_SHARES[0]) & (shares < _NEAR_SHARES[1]))
        if len(which) == 0:
            return np.empty((0, 4), np.float32)
        sizes = np.array([_shrunk(sampler, scale) for scale in scales])[which]
        scale = np.array(scales)[which]
        middles = (faces[near, 1::-1] + faces[near, :1:-1]) / 2 * scale[:, None]
        # In steps of P-Net's stride, so that it sees what it would see in the whole.
        starts = np.ceil((middles - _WINDOW / 2).clip(0, (sizes - _WINDOW).clip(0)) / _STRIDE).astype(int) * _STRIDE
        with self._lock:
            scores, offsets = self._pnet_windows(sampler.windows(sizes, starts, _WINDOW))
        # Past the edge of the picture there is nothing to be found.
        cells = (sizes - 1) // 2 - 4 - starts // _STRIDE
        index = np.arange(scores.shape[1])
        scores[(index >= cells[:, :1])[:, :, None] | (index >= cells[:, 1:])[:, None, :]] = 0
        return _squares(_proposals(scores, offsets, starts, scale, which))

    def complete(self, sampler: AreaSampler, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Second and third stage: R-Net rejects most squares and corrects the others, then O-Net does.

        Returns:
            Boxes, and their scores, float32 ``(n,)``; best first.
        """
        scores, offsets = self._run(self._rnet, 24, sampler, squares)
        passed = scores > REFINE_THRESHOLD
        squares, scores, offsets = squares[passed], scores[passed], offsets[passed]
        kept = suppress_overlapping(squares, scores, 0.7)
        boxes, scores = self.judge(sampler, squares_around(_correct(squares[kept], offsets[kept])))
        passed = scores > OUTPUT_THRESHOLD
        boxes, scores = boxes[passed], scores[passed]
        kept = _suppress_covered(boxes, scores, 0.7)
        return boxes[kept], scores[kept]

    def judge(self, sampler: AreaSampler, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Third stage alone: O-Net corrects every square to a box and scores it, float32 ``(n,)``."""
        scores, offsets = self._run(self._onet, 48, sampler, squares)
        return _correct(squares, offsets), scores

    def _run(
        self, network: Network, side: int, sampler: AreaSampler, squares: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns scores, 0 for squares outside the picture, and box offsets."""
        corners = pixel_corners(squares, sampler)
        inside = (corners[:, 2:] > corners[:, :2]).all(axis=1)
        scores = np.zeros(len(squares), np.float32)
        offsets = np.zeros((len(squares), 4), np.float32)
        if inside.any():
            crops = sampler.crops(corners[inside], side)
            with self._lock:
                scores[inside], offsets[inside] = network(crops)
        return scores, offsets


def _shrunk(sampler: AreaSampler, scale: float) -> tuple[int, int]:
    """Returns height and width of a picture at a scale, in pixels, rounded as MTCNN rounds them."""
    return int(sampler.height * scale + 1), int(sampler.width * scale + 1)


def _proposals(
    scores: np.ndarray, offsets: np.ndarray, starts: np.ndarray, scales: np.ndarray, groups: np.ndarray | None = None
) -> np.ndarray:
    """Returns boxes, scores and box offsets, float32 ``(n, 9)``, of what P-Net found in pictures.

    Args:
        scores: float32 ``(pictures, h, w)``.
        offsets: float32 ``(pictures, h, w, 4)``.
        starts: Where each picture begins in the whole of its scale, row and column, in pixels.
        scales: Of each picture.
        groups: Numbers that pictures of the same scale share.
    """
    places = np.nonzero(scores >= PROPOSAL_THRESHOLD)
    scores, offsets = scores[places], offsets[places]
    picture, rows, columns = places
    corners = (np.stack([columns, rows], axis=1) * _STRIDE + starts[picture, ::-1] + 1).astype(np.float32)
    boxes = np.hstack([corners, corners + (PNET_CELL - 1)]) / scales.astype(np.float32)[picture, None]
    found = np.hstack([np.floor(boxes), scores[:, None], offsets])
    return found[suppress_overlapping(found[:, :4], scores, 0.5, None if groups is None else groups[picture])]


def _squares(found: np.ndarray) -> np.ndarray:
    """Thins out the proposals of all scales, corrects them and makes them square."""
    found = found[suppress_overlapping(found[:, :4], found[:, 4], 0.7)]
    sides = found[:, 2:4] - found[:, :2]
    return squares_around(found[:, :4] + found[:, 5:] * np.hstack([sides, sides]))


def squares_around(boxes: np.ndarray) -> np.ndarray:
    """Returns the squares of the boxes' middles and longer sides, as MTCNN's stages want them."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longer = sides.max(axis=1, keepdims=True)
    start = boxes[:, :2] + sides * np.float32(0.5) - longer * np.float32(0.5)
    return np.hstack([start, start + longer])


def pixel_corners(boxes: np.ndarray, sampler: AreaSampler) -> np.ndarray:
    """Returns the boxes in whole pixels, clipped to the picture, for ``AreaSampler.crops``; may be empty."""
    corners = np.trunc(boxes).astype(np.int64)
    # MTCNN counts pixels from 1, the last included.
    corners[:, :2] = np.maximum(corners[:, :2], 1) - 1
    corners[:, 2:] = np.minimum(corners[:, 2:], [sampler.width, sampler.height])
    return corners


def suppress_overlapping(
    boxes: np.ndarray, scores: np.ndarray, threshold: float, groups: np.ndarray | None = None
) -> np.ndarray:
    """Returns the indices of the boxes to keep, best first: non-maximum suppression by intersection over union.

    Boxes of different groups, int64 ``(n,)``, do not suppress each other.
    """
    places = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).astype(np.float64)
    if groups is None:
        return np.array(cv2.dnn.NMSBoxes(places, scores, 0.0, threshold), np.int64)  # type: ignore[arg-type]
    return np.array(cv2.dnn.NMSBoxesBatched(places, scores, groups, 0.0, threshold), np.int64)  # type: ignore[arg-type]


def _suppress_covered(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """As ``suppress_overlapping``, by intersection over the smaller box, pixels counted with both ends as in MTCNN."""
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    areas = sides.prod(axis=1)
    # Several squares on one face often get the very same score: of equals the last goes first, as in MTCNN.
    left, kept = np.argsort(scores)[::-1], []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        overlap = np.minimum(boxes[best, 2:], boxes[left, 2:]) - np.maximum(boxes[best, :2], boxes[left, :2]) + 1
        shared = overlap.clip(0).prod(axis=1)
        left = left[shared / np.minimum(areas[best], areas[left]) <= threshold]
    return np.array(kept, np.int64)


def _correct(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    sides = boxes[:, 2:] - boxes[:, :2] + 1
    return boxes + offsets * np.hstack([sides, sides])
