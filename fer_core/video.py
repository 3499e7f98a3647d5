"""A video file in; the video with boxes and labels, and a table of emotions out. Memory does not grow with length."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .drawing import draw_faces
from .face import TrackedFace
from .video_canvas import LARGEST_SIDE, Canvas
from .video_reader import SourceFrame, VideoError, VideoLimits, VideoReader
from .video_table import Table, table_kind
from .video_writer import VideoWriter

if TYPE_CHECKING:
    from .stream import StreamSession

__all__ = ["VideoCanceled", "VideoError", "VideoLimits", "VideoProgress", "VideoSummary", "annotate_video"]


class VideoCanceled(RuntimeError):
    """Somebody canceled the work on a video."""

    def __init__(self) -> None:
        super().__init__("the video was canceled: nothing of it is kept")


@dataclass(frozen=True)
class VideoSummary:
    """A video that was read to its end.

    Attributes:
        frames: Number of frames.
        seconds: Media time from the first frame to the end of the last.
        frames_with_face: Frames in which a face was followed.
        tracks: Number of tracks: a face that leaves and comes back counts again.
        warnings: What was wrong with the file or is different in the output, in plain words.
    """

    frames: int
    seconds: float
    frames_with_face: int
    tracks: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class VideoProgress:
    """How far a video is, after each frame.

    Attributes:
        frames: Frames done.
        expected_frames: How many there will be, an estimate; None if the file does not say.
        time_s: Media time of this frame in seconds.
        fraction: Share of the work that is done, 0 to 1, or None if the file does not say how long it is.
        seconds_left: Estimate from the pace so far, or None.
        faces: Faces of this frame, boxes in pixels of the video as displayed.
        timings_ms: Milliseconds of this frame by stage.
        summary: At the very end; None before.
    """

    frames: int
    expected_frames: int | None
    time_s: float
    fraction: float | None
    seconds_left: float | None
    faces: list[TrackedFace]
    timings_ms: dict[str, float]
    summary: VideoSummary | None = None


def annotate_video(
    source: Path | BinaryIO,
    session: StreamSession,
    output: Path | BinaryIO | None = None,
    tables: Sequence[Path | Table] = (),
    *,
    limits: VideoLimits | None = None,
    cancel: threading.Event | None = None,
) -> Iterator[VideoProgress]:
    """Recognizes emotions in every frame of a video.

    Frames keep their own times, also where the rate varies. They are turned upright as the file says and reduced to
    ``LARGEST_SIDE``; sound is left out. Files are written under another name and renamed at the end: after an error,
    a cancel or ``close`` of this generator there is none.

    Args:
        source: A path, or a binary file that can seek; any container that PyAV reads.
        session: A new session, ``recognizer.stream()``: it finds, follows and classifies the faces.
        output: Where the annotated video goes, an MP4 file; None for no video.
        tables: Where the rows go: files whose names end as ``video_table.TABLES``, or tables that are open.
        limits: The largest video to accept; None for no limits.
        cancel: Set it to end the work.

    Yields:
        Progress after every frame; once more at the end, with the summary, when all files are in place.

    Raises:
        VideoError: If the source cannot be used or a file cannot be written; says what was expected and what came.
        VideoCanceled: If ``cancel`` was set.
    """
    _check_places(source, output, [table for table in tables if isinstance(table, Path)])
    with ExitStack() as stack:
        # What is entered first is left last: the files are renamed once the reader and the writers are closed.
        replaced = {path: stack.enter_context(_replaced(path)) for path in (output, *tables) if isinstance(path, Path)}
        reader = stack.enter_context(VideoReader(source, limits))
        canvas = Canvas(reader.width, reader.height, reader.pixel_aspect)
        writer = None
        if output is not None:
            writer = VideoWriter(
                replaced[output] if isinstance(output, Path) else output, canvas.width, canvas.height, reader.time_base
            )
            stack.enter_context(writer)
        opened = [stack.enter_context(_opened(table, replaced)) for table in tables]
        work = _Work(reader, canvas, writer, opened, session)
        work.begin()
        frames = iter(reader)
        while True:
            if cancel is not None and cancel.is_set():
                raise VideoCanceled
            with work.session.timed("decode"):
                frame = next(frames, None)
            if frame is None:
                break
            yield (progress := work.frame(frame))
        summary = work.end()
    yield VideoProgress(
        summary.frames, summary.frames, progress.time_s, 1.0, 0.0, [], progress.timings_ms, summary=summary
    )


class _Work:
    """One video on its way through the recognizer."""

    def __init__(
        self,
        reader: VideoReader,
        canvas: Canvas,
        writer: VideoWriter | None,
        tables: list[Table],
        session: StreamSession,
    ) -> None:
        self.reader, self.canvas, self.writer, self.tables, self.session = reader, canvas, writer, tables, session
        self._started = time.monotonic()
        self._tracks: set[int] = set()
        self._with_face = 0
        self._frames = 0
        self._end_s = 0.0

    def begin(self) -> None:
        recognizer = self.session.recognizer
        header = {
            "width": self.reader.width,
            "height": self.reader.height,
            "annotated_width": self.canvas.width,
            "annotated_height": self.canvas.height,
            "box": "x0, y0, x1, y1 in pixels of width x height",
            "model": recognizer.runtime.model,
            "runtime": recognizer.runtime.name,
            "resolution": recognizer.resolution,
            "smoothing_s": self.session.smoothing_s,
            "unsure_below": self.session.unsure_below,
        }
        for table in self.tables:
            table.begin(header)

    def frame(self, frame: SourceFrame) -> VideoProgress:
        with self.session.timed("decode"):
            placed = self.canvas.place(frame.picture)
        faces = self.session.update(placed.image, frame.time_s)
        if self.writer is not None:
            with self.session.timed("draw"):
                drawn = draw_faces(placed.image, faces)
            with self.session.timed("encode"):
                self.writer.write(drawn, frame.ticks, frame.duration_ticks)
        faces = placed.in_source(faces)
        for table in self.tables:
            table.add(frame.number, frame.time_s, faces)
        self._frames = frame.number + 1
        self._with_face += bool(faces)
        self._tracks.update(face.track_id for face in faces)
        self._end_s = frame.time_s + float(frame.duration_ticks * self.reader.time_base)
        fraction = left = None
        if self.reader.seconds:
            fraction = min(1.0, self._end_s / self.reader.seconds)
            left = (time.monotonic() - self._started) * (1 / fraction - 1)
        expected, timings = self.reader.frames, self.session.timings
        return VideoProgress(self._frames, expected, frame.time_s, fraction, left, faces, timings)

    def end(self) -> VideoSummary:
        warnings = list(self.reader.warnings())
        if max(self.reader.width, self.reader.height) > LARGEST_SIDE:
            warnings.append(
                f"analyzed and annotated at {self.canvas.width} x {self.canvas.height} px, not at "
                f"{self.reader.width} x {self.reader.height}; boxes in the table are in pixels of the latter"
            )
        summary = VideoSummary(self._frames, self._end_s, self._with_face, len(self._tracks), tuple(warnings))
        footer = {
            "frames": summary.frames,
            "seconds": round(summary.seconds, 6),
            "frames_with_face": summary.frames_with_face,
            "tracks": summary.tracks,
            "warnings": warnings,
        }
        for table in self.tables:
            table.end(footer)
        return summary


def _check_places(source: Path | BinaryIO, output: Path | BinaryIO | None, tables: list[Path]) -> None:
    """Says before the work, not after it, that a file cannot be written."""
    if isinstance(output, Path) and output.suffix.lower() != ".mp4":
        raise VideoError(f"the annotated video's name must end in .mp4, but got {output.name}")
    for table in tables:
        table_kind(table)
    taken = [source.resolve()] if isinstance(source, Path) else []
    for path in (output, *tables):
        if not isinstance(path, Path):
            continue
        if path.resolve() in taken:
            raise VideoError(f"every file must have a name of its own, but {path} is named twice")
        taken.append(path.resolve())


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """Gives a name to write under, which becomes the file when the block ends well, and is removed when it does not."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.touch(exist_ok=False)
    except OSError as error:
        raise VideoError(f"expected a folder to write {path.name} into, but {path.parent}: {error.strerror}") from error
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:
        raise VideoError(f"{path} could not be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _opened(table: Path | Table, replaced: dict[Path, Path]) -> Iterator[Table]:
    if not isinstance(table, Path):
        yield table
        return
    with replaced[table].open("w", encoding="utf-8", newline="") as file:
        yield table_kind(table)(file)  # type: ignore[call-arg]
