"""What is known of one followed face, and which detection belongs to whom: by place, motion and look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from .area_sampling import AreaSampler
from .mtcnn import pixel_corners

SAME_LOOK = 0.45
"""Correlation of what one face looks like now and before, at least.

Measured: one person's face with its own average 0.7 to 1, faces of two people mostly under 0.45.
"""

REAPPEARED_LOOK = 0.2
"""The same for a face that was out of sight for a moment: it reappears from behind something, half covered."""

HIDDEN_S = 0.1
"""How long a face must have been out of sight for that, in seconds: longer than a frame, so that a cut is none."""

_LOOK_SIDE = 16  # pixels
_LOOK_MARGIN = 1.4  # side of the compared square over the box's longer side: hair and neck tell people apart
# Time constants of the averages of motion and look, in seconds.
_VELOCITY_S, _LOOK_S = 0.2, 1.0
# A place one face away costs as much as a look that correlates with 0.5 instead of 1.
_WAY_WEIGHT = 0.5
_LARGEST_COST = 1.0


class Track:
    """One face from frame to frame.

    Args:
        track_id: Its number.
        box: float32 ``(x0, y0, x1, y1)`` in pixels.
        score: MTCNN's, 0 to 1.
        look: Of ``looks_of``.
        now_s: Time in seconds.

    Attributes:
        seen_s: When it was last seen, in seconds.
        confirmed_s: When MTCNN's whole cascade last found it, in seconds.
    """

    def __init__(self, track_id: int, box: np.ndarray, score: float, look: np.ndarray, now_s: float) -> None:
        self.id = track_id
        self.box = box
        self.score = score
        self.seen_s = self.confirmed_s = now_s
        self._look = look
        self._velocity = np.zeros(2, np.float32)  # pixels a second

    def see(self, box: np.ndarray, score: float, look: np.ndarray, now_s: float) -> None:
        """Takes what is seen of the face at a later time."""
        elapsed = now_s - self.seen_s
        velocity = (box[:2] + box[2:] - self.box[:2] - self.box[2:]) / 2 / elapsed
        self._velocity += np.float32(elapsed / (elapsed + _VELOCITY_S)) * (velocity - self._velocity)
        self._look = self._look + np.float32(elapsed / (elapsed + _LOOK_S)) * (look - self._look)
        self.box, self.score, self.seen_s = box, score, now_s

    def box_at(self, now_s: float) -> np.ndarray:
        """Returns where the box should be, float32 ``(4,)``, if the face moves on as it did."""
        return self.box + np.tile(self._velocity, 2) * np.float32(now_s - self.seen_s)

    def stretch(self, ratio: np.ndarray) -> None:
        """Follows a change of the frame's width and height by these ratios, float32 ``(2,)``."""
        self.box = self.box * np.tile(ratio, 2)
        self._velocity = self._velocity * ratio

    def likeness(self, looks: np.ndarray) -> np.ndarray:
        """Returns the correlations, -1 to 1, of looks, ``(..., 768)``, with the average look of this face."""
        return looks @ self._look / max(float(np.linalg.norm(self._look)), 1e-6)


def looks_of(sampler: AreaSampler, boxes: np.ndarray) -> np.ndarray:
    """Returns what is in and around boxes, in few pixels: float32 ``(n, 768)``, each of mean 0 and length 1."""
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = _LOOK_MARGIN / 2 * (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True)
    corners = pixel_corners(np.hstack([middles - half, middles + half]), sampler)
    # At least one pixel, even of a box that has left the picture.
    corners[:, :2] = corners[:, :2].clip(0, [sampler.width - 1, sampler.height - 1])
    corners[:, 2:] = np.maximum(corners[:, 2:], corners[:, :2] + 1)
    looks = sampler.crops(corners, _LOOK_SIDE).reshape(len(boxes), 3 * _LOOK_SIDE**2)
    looks -= looks.mean(axis=1, keepdims=True)
    return looks / np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-6)


def assign(tracks: Sequence[Track], boxes: np.ndarray, looks: np.ndarray, now_s: float) -> list[tuple[Track, int]]:
    """Decides which detections show which known faces, at the least total cost.

    Args:
        tracks: The known faces.
        boxes: Of the detections, float32 ``(n, 4)``.
        looks: Of the detections, as of ``looks_of``.
        now_s: Time in seconds.

    Returns:
        Pairs of a track and the index of its detection; who is too far or looks too different is in none.
    """
    if not tracks or len(boxes) == 0:
        return []
    expected = np.stack([track.box_at(now_s) for track in tracks])
    sides, expected_sides = ((some[:, 2:] - some[:, :2]).max(axis=1) for some in (boxes, expected))
    ways = (expected[:, None, :2] + expected[:, None, 2:] - boxes[:, :2] - boxes[:, 2:]) / 2
    faces_away = np.linalg.norm(ways, axis=2) / np.maximum(expected_sides[:, None], sides)
    likeness = np.stack([track.likeness(looks) for track in tracks])
    least = [[REAPPEARED_LOOK if now_s - track.seen_s > HIDDEN_S else SAME_LOOK] for track in tracks]
    costs = _WAY_WEIGHT * faces_away + 1 - likeness
    possible = (likeness > least) & (costs < _LARGEST_COST)
    # Dearer than everything possible together, so that nobody possible stands back for somebody who is not.
    rows, columns = linear_sum_assignment(np.where(possible, costs, len(tracks) + len(boxes)))
    return [(tracks[row], int(column)) for row, column in zip(rows, columns, strict=True) if possible[row, column]]
