"""StreamSession: the frames of one camera or film in, followed faces with smoothed emotions out."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .emotions import EMOTIONS
from .face import TrackedFace
from .faces import square_crop
from .pictures import check_rgb
from .tracking import FaceTracker, FollowedFace

if TYPE_CHECKING:
    from .recognizer import EmotionRecognizer

STAGES = ("decode", "detect", "track", "classify", "draw", "encode")
"""What a frame goes through, in order of time but for ``detect``, which comes after ``track``."""

DEFAULT_SMOOTHING_S = 0.3
DEFAULT_UNSURE_BELOW = 0.4

LONGEST_GAP_S = 2.0
"""After a longer pause, in seconds of the stream, nobody is taken for the person who was there before."""

_USUAL_INTERVAL_S = 1 / 25


@dataclass
class _Reading:
    """What was read in a face last: smoothed probabilities, float64 ``(7,)``, and ``features``, ``(h, w, C)``."""

    smoothed: np.ndarray
    features: np.ndarray
    time_s: float


class StreamSession:
    """Follows and reads the faces of one stream. Build one with ``EmotionRecognizer.stream``.

    Not to be shared between threads. ``recognizer``, ``smoothing_s`` and ``unsure_below`` may be set between frames;
    a recognizer of another resolution, ``session.recognizer.at(96)``, takes over the faces in view.

    **Smoothing** is an exponential average in the time of the stream, not in frames. It costs delay: after a face
    changes at once from one certain emotion to another, the average has gone 63 % of the way after ``smoothing_s``
    and 95 % after three times that, and the label changes after about 0.7 times ``smoothing_s``. A face's first
    reading is taken as it is.

    Args:
        recognizer: Classifies the faces; its detector's networks find them.
        smoothing_s: Time constant of the average in seconds; 0 for none.
        unsure_below: Smoothed confidence, 0 to 1, under which a face is marked as unsure.

    Raises:
        ValueError: If an argument is out of range; also when it is set later.
    """

    def __init__(
        self,
        recognizer: EmotionRecognizer,
        smoothing_s: float = DEFAULT_SMOOTHING_S,
        unsure_below: float = DEFAULT_UNSURE_BELOW,
    ) -> None:
        self.recognizer = recognizer
        self.smoothing_s = smoothing_s
        self.unsure_below = unsure_below
        self._tracker = FaceTracker(recognizer.detector)
        self._readings: dict[int, _Reading] = {}
        self._clock_s = 0.0
        self._timestamp_s: float | None = None
        self._interval_s = _USUAL_INTERVAL_S
        self._frame_ms = dict.fromkeys(STAGES, 0.0)
        self._decoding_ms = 0.0

    @property
    def smoothing_s(self) -> float:
        """Time constant of the average of probabilities in seconds of the stream; 0 for none."""
        return self._smoothing_s

    @smoothing_s.setter
    def smoothing_s(self, seconds: float) -> None:
        if not 0 <= seconds < math.inf:
            raise ValueError(f"smoothing_s must be 0 or more seconds, but got {seconds}")
        self._smoothing_s = seconds

    @property
    def unsure_below(self) -> float:
        """Smoothed confidence, 0 to 1, under which a face is marked as unsure."""
        return self._unsure_below

    @unsure_below.setter
    def unsure_below(self, confidence: float) -> None:
        if not 0 <= confidence <= 1:
            raise ValueError(f"unsure_below must lie in 0 to 1, but got {confidence}")
        self._unsure_below = confidence

    def reset(self) -> None:
        """Forgets all faces, as at the beginning of another film; their ids are not given again."""
        self._tracker.reset()
        self._readings.clear()

    @property
    def timings(self) -> dict[str, float]:
        """Milliseconds that the last frame spent in each of ``STAGES``, 0 where one did not run, and ``total``."""
        return {**self._frame_ms, "total": sum(self._frame_ms.values())}

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Times a stage of the caller: ``"decode"`` for the coming frame, ``"draw"`` or ``"encode"`` for the last.

        Raises:
            ValueError: If there is no such stage.
        """
        if stage not in STAGES:
            raise ValueError(f"stage must be one of {', '.join(STAGES)}, but got {stage!r}")
        started = time.perf_counter()
        try:
            yield
        finally:
            elapsed_ms = 1000 * (time.perf_counter() - started)
            if stage == "decode":
                self._decoding_ms += elapsed_ms
            else:
                self._frame_ms[stage] += elapsed_ms

    def features_of(self, track_id: int) -> np.ndarray | None:
        """Returns the model's last ``features`` of a face, float32 ``(h, w, C)``, or None once it is forgotten."""
        reading = self._readings.get(track_id)
        return None if reading is None else reading.features

    def update(self, frame: np.ndarray, timestamp_s: float | None = None) -> list[TrackedFace]:
        """Takes the next frame.

        Args:
            frame: RGB uint8, shape ``(H, W, 3)``; may differ in size from the last.
            timestamp_s: Its time in a film, in seconds; by default now, by the system's monotonic clock. Times that
                repeat or run backwards count as one usual interval.

        Returns:
            Faces by area, largest first; empty if there is none. Who is not found in this very frame is not in it.

        Raises:
            ValueError: If an argument is of another kind; the frame then counts as not seen.
        """
        check_rgb(frame)
        self._advance(time.monotonic() if timestamp_s is None else timestamp_s)
        self._frame_ms = dict.fromkeys(STAGES, 0.0) | {"decode": self._decoding_ms}
        self._decoding_ms = 0.0
        tracker = self._tracker
        tracker.open(frame, self._clock_s)
        try:
            if tracker.follow_due:
                with self.timed("track"):
                    tracker.follow()
            if tracker.search_due:
                with self.timed("detect"):
                    tracker.search()
            followed = tracker.faces()
        finally:
            tracker.close()
        for track_id in self._readings.keys() - tracker.remembered:
            del self._readings[track_id]
        if not followed:
            return []
        with self.timed("classify"):
            return self._read(frame, followed)

    def _advance(self, timestamp_s: float) -> None:
        if not math.isfinite(timestamp_s):
            raise ValueError(f"timestamp_s must be a finite number of seconds, but got {timestamp_s}")
        if self._timestamp_s is not None:
            elapsed = timestamp_s - self._timestamp_s
            if elapsed > LONGEST_GAP_S:
                self.reset()
            elif elapsed > 0:
                self._interval_s = elapsed
            self._clock_s += elapsed if elapsed > 0 else self._interval_s
        self._timestamp_s = timestamp_s

    def _read(self, frame: np.ndarray, followed: list[FollowedFace]) -> list[TrackedFace]:
        crops = np.stack([square_crop(frame, face.box, self.recognizer.resolution) for face in followed])
        probabilities, features = self.recognizer.classify_with_features(crops.astype(np.float32))
        faces = []
        for face, raw, maps in zip(followed, probabilities, features, strict=True):
            smoothed = self._smooth(raw, self._readings.get(face.track_id))
            self._readings[face.track_id] = _Reading(smoothed, maps, self._clock_s)
            faces.append(
                TrackedFace(
                    box=tuple(round(float(edge)) for edge in face.box),  # type: ignore[arg-type]
                    detection_score=face.score,
                    probabilities=dict(zip(EMOTIONS, smoothed.tolist(), strict=True)),
                    track_id=face.track_id,
                    raw_probabilities=dict(zip(EMOTIONS, raw.tolist(), strict=True)),
                    unsure=bool(smoothed.max() < self.unsure_below),
                )
            )
        return faces

    def _smooth(self, raw: np.ndarray, last: _Reading | None) -> np.ndarray:
        if last is None or self.smoothing_s == 0:
            return raw
        weight = math.exp((last.time_s - self._clock_s) / self.smoothing_s)
        return weight * last.smoothed + (1 - weight) * raw
