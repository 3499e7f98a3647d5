"""FaceTracker: searches for faces now and then, and follows the found ones in between.

Following is MTCNN around the known faces only: P-Net in a small window at the few scales that fit the face, then
R-Net and O-Net. It finds the box that MTCNN finds in the whole frame, at a fraction of the price. A face that is
missed this way gets a second look by O-Net alone, on its last box. The search for new faces looks at the whole frame,
a part of the image pyramid at a time, so that no frame pays for everything; all of it at once only in the first
frame and after a loss, which may be a scene cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import supervision as sv

from .area_sampling import AreaSampler
from .faces import FaceDetector
from .mtcnn import DEFAULT_SMALLEST_FACE, OUTPUT_THRESHOLD, PNET_CELL, Mtcnn, pyramid, squares_around
from .track import SAME_LOOK, Track, assign, looks_of

LONGEST_SEARCHED_SIDE = 960
"""Longer frames are reduced to it, in pixels."""

SEARCH_INTERVAL_S = 0.25
"""Every part of the search returns after this, in seconds of the stream: a new face has two chances in 0.5 s."""

REMEMBERED_S = 1.0
"""A lost face that comes back within this time, in seconds of the stream, keeps its id."""

UNCONFIRMED_S = 0.3
"""How long O-Net alone may hold a face that the whole cascade misses, in seconds of the stream."""

SAME_FACE_IOU = 0.5
"""Boxes with a larger intersection over union show the same face."""

_NO_FRAME = np.zeros((0, 0, 3), np.uint8)

# The search leaves out squares with a larger intersection over union with that of a face in view.
_KNOWN_SQUARE_IOU = 0.3


@dataclass(frozen=True)
class FollowedFace:
    """A face in the last frame.

    Attributes:
        track_id: Stays with a face as long as it is followed, counted from 1.
        box: float32 ``(x0, y0, x1, y1)`` in pixels of the frame, clipped to it.
        score: MTCNN's certainty that this is a face, 0 to 1.
    """

    track_id: int
    box: np.ndarray
    score: float


class FaceTracker:
    """Follows the faces of one stream. Not to be shared between threads.

    For each frame call ``open``, then ``follow`` if ``follow_due`` and ``search`` if ``search_due``, then ``faces``,
    then ``close``.

    Args:
        detector: Whose networks and limits are used.
    """

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self._last_id = 0
        self._frame: np.ndarray = _NO_FRAME
        self._sampled: AreaSampler | None = None
        self.reset()

    def reset(self) -> None:
        """Forgets all faces; their ids are not given again."""
        self._shown: list[Track] = []
        self._lost: list[Track] = []
        self._size: tuple[int, int] | None = None

    @property
    def remembered(self) -> set[int]:
        """Ids of the faces in view and of those lost a moment ago."""
        return {track.id for track in self._shown + self._lost}

    def open(self, frame: np.ndarray, now_s: float) -> None:
        """Takes the next frame.

        Args:
            frame: RGB uint8, shape ``(H, W, 3)``; may differ in size from the last.
            now_s: Time of the stream in seconds, later than that of the last frame.
        """
        self._frame, self._now_s = frame, now_s
        self._sampled = None
        self._search_everything = False
        if frame.shape[:2] != self._size:
            self._fit(frame.shape[:2])
        self._lost = [track for track in self._lost if now_s - track.seen_s <= REMEMBERED_S]

    @property
    def follow_due(self) -> bool:
        """Whether there are faces to follow."""
        return bool(self._shown or self._lost)

    def follow(self) -> None:
        """Looks for the known faces where they should be by now."""
        before = self._shown
        expected = np.stack([track.box_at(self._now_s) for track in self._shown + self._lost])
        squares = self._mtcnn.propose_near(self._sampler, self._scales, expected)
        self._see(*self._mtcnn.complete(self._sampler, squares))
        missed = [track for track in before if track not in self._shown]
        if missed:
            self._look_again(missed)
            self._search_everything = any(track in self._lost for track in missed)

    @property
    def search_due(self) -> bool:
        """Whether a part of the frame is to be searched for new faces."""
        return bool(self._due().any())

    def search(self) -> None:
        """Looks for new and lost faces in the parts that are due."""
        due = self._due()
        if due.all():
            # From here on the parts take turns.
            self._searched_s = self._now_s - SEARCH_INTERVAL_S * np.arange(len(due)) / len(due)
        else:
            self._searched_s[due] = self._now_s
        scales = [scale for index in np.flatnonzero(due) for scale in self._parts[index]]  # type: ignore[has-type]
        squares = self._mtcnn.propose(self._sampler, scales)
        if self._shown:
            known = squares_around(np.stack([track.box for track in self._shown]))
            squares = squares[sv.box_iou_batch(squares, known).max(axis=1) <= _KNOWN_SQUARE_IOU]
        self._see(*self._mtcnn.complete(self._sampler, squares))

    def faces(self) -> list[FollowedFace]:
        """Returns the faces in view by area, largest first."""
        height, width = self._frame.shape[:2]
        boxes = [
            (track.box / np.float32(self._scale)).clip(0, [width, height, width, height]).astype(np.float32)
            for track in self._shown
        ]
        faces = [
            FollowedFace(track.id, box, track.score)
            for track, box in zip(self._shown, boxes, strict=True)
            if (box[2:] - box[:2]).min() >= 1
        ]
        return sorted(faces, key=lambda face: -(face.box[2:] - face.box[:2]).prod())

    def close(self) -> None:
        """Lets go of the frame: in between, of a picture only boxes and the looks of faces are kept."""
        self._frame, self._sampled = _NO_FRAME, None

    @property
    def _mtcnn(self) -> Mtcnn:
        return self._detector.mtcnn

    @property
    def _sampler(self) -> AreaSampler:
        if self._sampled is None:
            frame = self._frame
            if self._scale < 1:
                frame = cv2.resize(frame, self._reduced, interpolation=cv2.INTER_AREA)
            self._sampled = AreaSampler(frame)
        return self._sampled

    def _fit(self, size: tuple[int, int]) -> None:
        """Prepares for frames of another size; the known faces are taken to be at the same place in them."""
        height, width = size
        self._scale = min(1.0, LONGEST_SEARCHED_SIDE / max(size))
        reduced = max(1, round(width * self._scale)), max(1, round(height * self._scale))
        if self._size is not None:
            ratio = np.divide(reduced, self._reduced, dtype=np.float32)  # type: ignore[has-type]
            for track in self._shown + self._lost:
                track.stretch(ratio)
        self._size, self._reduced = size, reduced
        # The scales of MTCNN's default, so that boxes are the same; the finest serve faces that have become smaller.
        self._scales = pyramid(reduced[1], reduced[0], DEFAULT_SMALLEST_FACE)
        # (39.8 px passes for 40 px.)
        coarse = [scale for scale in self._scales if PNET_CELL / scale > 0.98 * self._detector.smallest_face]
        # Parts that take about as long as one another.
        self._parts = [part for part in (coarse[:1], coarse[1:3], coarse[3:]) if part]
        self._searched_s = np.full(len(self._parts), -np.inf)

    def _due(self) -> np.ndarray:
        return (self._now_s - self._searched_s >= SEARCH_INTERVAL_S) | self._search_everything

    def _see(self, boxes: np.ndarray, scores: np.ndarray) -> None:
        """Gives detections to the known faces not yet seen in this frame, and new ids to what is left of them."""
        now = self._now_s
        waiting = [track for track in self._shown + self._lost if track.seen_s < now]
        seen = [track for track in self._shown if track.seen_s == now]
        looks = looks_of(self._sampler, boxes)
        new = scores >= self._detector.lowest_score
        new &= (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0) >= self._detector.smallest_face
        for track, index in assign(waiting, boxes, looks, now):
            track.see(boxes[index], float(scores[index]), looks[index], now)
            track.confirmed_s = now
            seen.append(track)
            new[index] = False
        for index in np.flatnonzero(new).tolist():
            if not _is_among(boxes[index], seen):
                self._last_id += 1
                seen.append(Track(self._last_id, boxes[index], float(scores[index]), looks[index], now))
        self._shown, self._lost = seen, [track for track in waiting if track not in seen]

    def _look_again(self, missed: list[Track]) -> None:
        """Runs O-Net on the last boxes of lost faces, and brings back those that it still sees."""
        boxes, scores = self._mtcnn.judge(self._sampler, squares_around(np.stack([track.box for track in missed])))
        looks = looks_of(self._sampler, boxes)
        for track, box, score, look in zip(missed, boxes, scores, looks, strict=True):
            if (
                score > OUTPUT_THRESHOLD
                and self._now_s - track.confirmed_s <= UNCONFIRMED_S
                and track.likeness(look) > SAME_LOOK
                and not _is_among(box, self._shown)
            ):
                track.see(box, float(score), look, self._now_s)
                self._lost.remove(track)
                self._shown.append(track)


def _is_among(box: np.ndarray, tracks: list[Track]) -> bool:
    if not tracks:
        return False
    return bool((sv.box_iou_batch(box[None], np.stack([track.box for track in tracks])) > SAME_FACE_IOU).any())
