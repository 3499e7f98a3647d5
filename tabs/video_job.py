"""One visitor's video while it is analyzed: in a thread of its own, in memory alone, in turn with everybody else."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from fer_core.compute import MeasurementRunning, gate
from fer_core.video import VideoCanceled, VideoLimits, VideoProgress, VideoSummary, annotate_video
from fer_core.video_table import CsvTable, JsonTable, Table

from . import engine

LIMITS = VideoLimits(megabytes=50, seconds=60, frames=3600, side=4096)
MOST_AT_ONCE = 4
"""Videos that are analyzed at the same time; the others wait."""

_POLL_SECONDS = 0.25
_places = threading.BoundedSemaphore(MOST_AT_ONCE)

logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """How a video is analyzed: side of the model's input in pixels, smoothing in s, threshold from 0 to 1, model."""

    resolution: int
    smoothing_s: float
    unsure_below: float
    model: str


@dataclass
class Track:
    """The frames in which one face was followed: their media times in seconds, and its probabilities."""

    times_s: list[float] = field(default_factory=list)
    probabilities: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """What a video came to: an MP4 file, the table as CSV and as JSON, and in numbers."""

    mp4: bytes
    csv: str
    json: str
    summary: VideoSummary


class VideoJob:
    """Analyzes a video. It reads from memory and writes to memory, so that ending it leaves no file.

    Args:
        source: Contents of the video file.
        settings: How it is analyzed.
        owner: Under which name it waits for its turns.

    Attributes:
        cancel: Set it to end the work.
        progress: How far it is; None before the first frame.
        waiting: Why nothing happens right now, or None.
        frame_ms: What the frames so far took, on average, in ms.
        tracks: By number: what was seen so far. They stay when the video itself is gone.
        ended: Set once the thread has nothing more to do.
    """

    def __init__(self, source: bytes, settings: Settings, owner: str) -> None:
        self.settings, self._owner = settings, owner
        self._source: bytes | None = source
        self.cancel, self.ended = threading.Event(), threading.Event()
        self.progress: VideoProgress | None = None
        self.waiting: str | None = None
        self.frame_ms = 0.0
        self.tracks: dict[int, Track] = {}
        self._result: Result | None = None
        self._error: Exception | None = None

    def start(self) -> None:
        """Begins the work in the background."""
        threading.Thread(target=self._run, name="video", daemon=True).start()

    def follow(self) -> Iterator[None]:
        """Yields now and then until the work has ended."""
        while not self.ended.wait(_POLL_SECONDS):
            yield

    def take_result(self) -> Result | None:
        """Returns the result and forgets it, all but the tracks; None if it was taken before.

        Raises:
            ValueError, ModelFileError: If the video or the model cannot be used.
            VideoCanceled: If it was canceled.
        """
        if self._error is not None:
            raise self._error
        result, self._result = self._result, None
        return result

    def _run(self) -> None:
        try:
            while not _places.acquire(timeout=_POLL_SECONDS):
                self.waiting = f"waiting: {MOST_AT_ONCE} other videos are being analyzed"
                self._check_canceled()
            try:
                self.waiting = None
                self._result = self._annotated()
            finally:
                _places.release()
        # Raised again in front of whoever follows.
        except Exception as error:
            self._error = error
        finally:
            self._source = None
            self.ended.set()
            frames = 0 if self.progress is None else self.progress.frames
            how = "finished" if self._error is None else type(self._error).__name__
            logger.info("video: %s after %d frames", how, frames)

    def _annotated(self) -> Result:
        settings = self.settings
        recognizer = self._in_turn(lambda: engine.recognizer(settings.model).at(settings.resolution))
        session = recognizer.stream(settings.smoothing_s, settings.unsure_below)
        video, rows, record = io.BytesIO(), io.StringIO(), io.StringIO()
        tables: list[Table] = [CsvTable(rows), JsonTable(record)]
        source = io.BytesIO(self._source or b"")
        steps = annotate_video(source, session, video, tables, limits=LIMITS, cancel=self.cancel)
        try:
            while True:
                # One frame a turn: others' frames come in between.
                progress = self._in_turn(lambda: next(steps))
                for face in progress.faces:
                    track = self.tracks.setdefault(face.track_id, Track())
                    track.times_s.append(progress.time_s)
                    track.probabilities.append(face.probabilities)
                self.progress = progress
                if progress.summary is None:
                    self.frame_ms += (progress.timings_ms["total"] - self.frame_ms) / progress.frames
                else:
                    return Result(video.getvalue(), rows.getvalue(), record.getvalue(), progress.summary)
        finally:
            steps.close()  # type: ignore[attr-defined]

    def _in_turn(self, work: Callable[[], T]) -> T:
        while True:
            try:
                with gate.turn(self._owner):
                    self.waiting = None
                    return work()
            except MeasurementRunning as error:
                self.waiting = f"{error}; the video goes on after it"
                self.cancel.wait(_POLL_SECONDS)
                self._check_canceled()

    def _check_canceled(self) -> None:
        if self.cancel.is_set():
            raise VideoCanceled
