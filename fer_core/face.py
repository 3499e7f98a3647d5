"""What is known of one face."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Face:
    """A face and what the model reads in it.

    Attributes:
        box: ``(x0, y0, x1, y1)`` in whole pixels of the picture, clipped to it.
        detection_score: MTCNN's certainty that this is a face, 0 to 1.
        probabilities: The seven probabilities by emotion; they sum to 1.
    """

    box: tuple[int, int, int, int]
    detection_score: float
    probabilities: dict[str, float]

    @property
    def emotion(self) -> str:
        """The most probable emotion."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def confidence(self) -> float:
        """The probability of ``emotion``."""
        return self.probabilities[self.emotion]


@dataclass(frozen=True)
class TrackedFace(Face):
    """A face followed through a stream; its ``probabilities`` are smoothed, and so are emotion and confidence.

    Attributes:
        track_id: Stays with a face as long as it is followed, counted from 1.
        raw_probabilities: The seven probabilities of this frame alone.
        unsure: Whether the smoothed confidence is under the session's threshold.
    """

    track_id: int
    raw_probabilities: dict[str, float]
    unsure: bool
