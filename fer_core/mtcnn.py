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
from .mtcnn_networks import load_networks

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
# Side of the window in which P-Net looks around a known face, in pixels of the scale: one size for all, because
# OpenVINO prepares itself for every new one. It leaves a face of 12 px a way of its own size to every side.
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
        self._pnet, self._rnet, self._onet = load_networks()
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
        return self.complete(sampler, self.propose(sampler, pyramid(*image.shape[:2], smallest_face)))

    def propose(self, sampler: AreaSampler, scales: Sequence[float], faces: np.ndarray | None = None) -> np.ndarray:
        """First stage: P-Net slides over the picture.

        Args:
            sampler: The picture.
            scales: Of ``pyramid``.
            faces: Boxes of faces; then it looks only around them, and only at scales that may show them.

        Returns:
            Squares that may hold a face.
        """
        found = [self._propose_at(sampler, scale, faces) for scale in scales]
        found = np.concatenate(found) if found else np.empty((0, 9), np.float32)
        found = found[suppress_overlapping(found[:, :4], found[:, 4], 0.7)]
        sides = found[:, 2:4] - found[:, :2]
        return squares_around(found[:, :4] + found[:, 5:] * np.hstack([sides, sides]))

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

    def _propose_at(self, sampler: AreaSampler, scale: float, faces: np.ndarray | None) -> np.ndarray:
        """Returns boxes, score and box offsets of one scale, float32 ``(n, 9)``."""
        whole = size = int(sampler.height * scale + 1), int(sampler.width * scale + 1)
        starts = np.zeros((1, 2), int)
        if faces is not None:
            shares = PNET_CELL / scale / (faces[:, 2:] - faces[:, :2]).max(axis=1)
            faces = faces[(shares > _NEAR_SHARES[0]) & (shares < _NEAR_SHARES[1])]
            if len(faces) == 0:
                return np.empty((0, 9), np.float32)
            window = min(whole[0], _WINDOW), min(whole[1], _WINDOW)
            if len(faces) * window[0] * window[1] < whole[0] * whole[1]:
                # In steps of P-Net's stride, so that it sees what it would see in the whole.
                middles = (faces[:, 1::-1] + faces[:, :1:-1]) / 2 * scale
                starts = (middles - np.array(window) / 2).clip(0, np.subtract(whole, window)).astype(int)
                starts = np.unique(starts // _STRIDE * _STRIDE, axis=0)
                size = window
        images = np.stack([sampler.window(whole, start, size) for start in starts.tolist()])
        scores, offsets = self._infer(self._pnet, images)
        places = np.nonzero(scores >= PROPOSAL_THRESHOLD)
        scores, offsets = scores[places], offsets[places]
        image, rows, columns = places
        corners = (np.stack([columns, rows], axis=1) * _STRIDE + starts[image, ::-1] + 1).astype(np.float32)
        boxes = np.hstack([corners, corners + (PNET_CELL - 1)]) / np.float32(scale)
        found = np.hstack([np.floor(boxes), scores[:, None], offsets])
        return found[suppress_overlapping(found[:, :4], scores, 0.5)]

    def _run(self, network, side: int, sampler: AreaSampler, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns scores, 0 for squares outside the picture, and box offsets."""
        corners = pixel_corners(squares, sampler)
        inside = (corners[:, 2:] > corners[:, :2]).all(axis=1)
        scores = np.zeros(len(squares), np.float32)
        offsets = np.zeros((len(squares), 4), np.float32)
        if inside.any():
            scores[inside], offsets[inside] = self._infer(network, sampler.crops(corners[inside], side))
        return scores, offsets

    def _infer(self, network, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with self._lock:
            results = network.infer([images], share_inputs=True)
            return results[0][..., 1].copy(), results[1].copy()


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


def suppress_overlapping(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Returns the indices of the boxes to keep, best first: non-maximum suppression by intersection over union."""
    places = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).astype(np.float64)
    return np.array(cv2.dnn.NMSBoxes(places, scores, 0.0, threshold), np.int64)


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
