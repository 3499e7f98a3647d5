"""Reads a video file frame by frame: limits before decoding, media time, and what is damaged or cut off."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Self

import av

from .compute import available_threads
from .video_canvas import displayed_size

FINEST_TIME_BASE = Fraction(1, 90_000)
"""Seconds; finer clocks are rounded to it, because MP4 counts the ticks of a frame in 32 bits."""

_EXPECTED = "expected a video file such as MP4, WebM, MKV, MOV or AVI"
# Text, text art, and pictures, which FFmpeg shows as videos of one or a few frames.
_NOT_VIDEOS = {"tty", "bin", "xbin", "adf", "idf", "image2", "ico", "webp", "avif"}
_PICTURE_BRANDS = {"avif", "heic", "heix", "mif1"}
_DISORDER_SECONDS = 1.0  # a clock that falls back further was set anew
_MISSING_SECONDS = 0.5  # an end that comes this much too early is told


class VideoError(ValueError):
    """A video that cannot be used; the message says what was expected and what came."""


@dataclass(frozen=True)
class VideoLimits:
    """The largest video that is accepted.

    Attributes:
        megabytes: Size of the file.
        seconds: Length.
        frames: Number of frames.
        side: Longer side of the pictures in the file, in pixels.
    """

    megabytes: float
    seconds: float
    frames: int
    side: int


@dataclass(frozen=True)
class SourceFrame:
    """A decoded frame.

    Attributes:
        number: Counted from 0.
        ticks: Media time since the first frame in units of the reader's ``time_base``, always growing.
        duration_ticks: How long it is to be shown, at least 1.
        time_s: Media time since the first frame in seconds.
        picture: As decoded, not yet upright.
    """

    number: int
    ticks: int
    duration_ticks: int
    time_s: float
    picture: av.VideoFrame


class VideoReader:
    """Opens a video and decodes its first frame, so that what cannot be read fails here.

    Nothing but the file itself is opened: playlists and other containers that name further files are refused.

    Args:
        source: A path, or a binary file open for reading that can seek.
        limits: The largest video to accept; None for no limits.

    Attributes:
        width, height: Pixels of the first frame as displayed: upright, with square pixels.
        seconds: Length as the file announces it, or None if it does not.
        frames: Number of frames to expect, or None if unknown; an estimate.
        time_base: Unit of the frames' ticks in seconds.
        pixel_aspect: Width of a pixel divided by its height.
        damaged: Packets so far that could not be decoded.

    Raises:
        VideoError: If it is no video, is too large, or not one frame of it can be decoded.
    """

    def __init__(self, source: Path | BinaryIO, limits: VideoLimits | None = None) -> None:
        self._limits = limits
        self._owned: BinaryIO | None = None
        self._opened: av.container.InputContainer | None = None
        self.damaged = 0
        self._end_ticks = 0
        try:
            self._open(source)
            self._frames = self._decoded()
            try:
                self._first = next(self._frames)
            except StopIteration:
                raise VideoError(f"{_EXPECTED}, but not one frame of this one can be decoded") from None
        except BaseException:
            self.close()
            raise
        self.width, self.height = displayed_size(self._first.picture, self.pixel_aspect)

    def _open(self, source: Path | BinaryIO) -> None:
        file: BinaryIO
        if isinstance(source, Path):
            try:
                file = self._owned = source.open("rb")
            except OSError as error:
                raise VideoError(f"{_EXPECTED}, but {source}: {error.strerror}") from error
        else:
            file = source
        size = file.seek(0, io.SEEK_END)
        if size == 0:
            raise VideoError(f"{_EXPECTED}, but the file is empty")
        limits = self._limits
        if limits is not None and size > limits.megabytes * 1e6:
            raise VideoError(f"the file must have at most {limits.megabytes:g} MB, but has {size / 1e6:.1f} MB")
        container, stream = self._stream(file)
        if limits is not None and max(stream.width, stream.height) > limits.side:
            raise VideoError(
                f"the pictures must be at most {limits.side} px wide and high, but are {stream.width} x {stream.height}"
            )
        self.seconds, self.frames = _announced(container, stream)
        if self.seconds is None:
            # Recordings of a browser, for one, do not say it; to read the file through is quick beside decoding it.
            self.seconds, self.frames = _counted(container, stream)
            container.close()
            container, stream = self._stream(file)
        if limits is not None:
            if self.seconds > limits.seconds:
                raise VideoError(f"the video must last at most {limits.seconds:g} s, but lasts {self.seconds:.1f} s")
            if self.frames is not None and self.frames > limits.frames:
                raise VideoError(f"the video must have at most {limits.frames} frames, but has {self.frames}")
            # Decoders refuse what the file did not announce.
            stream.codec_context.options = {"max_pixels": str(limits.side**2)}
        stream.codec_context.thread_type = "AUTO"
        stream.codec_context.thread_count = available_threads()
        self.pixel_aspect = float(stream.sample_aspect_ratio or 1)
        self._clock = _Clock(stream)
        self.time_base = self._clock.time_base
        self._container, self._video = container, stream

    def _stream(self, file: BinaryIO) -> tuple[av.container.InputContainer, av.VideoStream]:
        """Opens the container; returns it and its main video stream."""
        file.seek(0)
        try:
            # No protocol is allowed, or a file that names other files could have the server open them.
            container = av.open(file, "r", container_options={"protocol_whitelist": "none"}, metadata_errors="replace")
        except (av.error.FFmpegError, OSError, UnicodeDecodeError) as error:
            raise VideoError(f"{_EXPECTED}, but this is none, or its beginning is damaged ({_said(error)})") from error
        self._opened = container
        name = container.format.name
        brand = container.metadata.get("major_brand", "").strip()
        if name in _NOT_VIDEOS or name.endswith("_pipe") or brand in _PICTURE_BRANDS:
            raise VideoError(f"{_EXPECTED}, but this is a picture or a text ({brand or name})")
        streams = list(container.streams.video)
        # The cover of a song is a video stream of one picture.
        streams = [one for one in streams if av.stream.Disposition.attached_pic not in one.disposition]
        if not streams:
            others = {str(stream.type) for stream in container.streams} - {"video"}
            kinds = sorted(others) or ["no stream"]
            raise VideoError(f"{_EXPECTED}, but this file has no pictures, only {' and '.join(kinds)}")
        stream = streams[0]
        if stream.codec_context is None:
            raise VideoError(f"{_EXPECTED}, but this one is coded in a way that cannot be read here")
        return container, stream

    def _decoded(self) -> Iterator[SourceFrame]:
        limits = self._limits
        for number, picture in enumerate(self._pictures()):
            ticks, duration = self._clock.place(picture)
            self._end_ticks = ticks + duration
            time_s = float(ticks * self.time_base)
            if limits is not None and (time_s > limits.seconds or number >= limits.frames):
                raise VideoError(
                    f"the video must have at most {limits.frames} frames in {limits.seconds:g} s, but has more"
                )
            yield SourceFrame(number, ticks, duration, time_s, picture)

    def _pictures(self) -> Iterator[av.VideoFrame]:
        packets = self._container.demux(self._video)
        while True:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError):  # the latter from the file itself
                self.damaged += 1
                return
            if packet is None:
                return
            try:
                pictures = packet.decode()
            except av.error.FFmpegError:
                self.damaged += 1
                continue
            yield from pictures

    def __iter__(self) -> Iterator[SourceFrame]:
        """Yields the frames, once.

        Raises:
            VideoError: If the video turns out to be larger than the limits.
        """
        yield self._first
        yield from self._frames

    def warnings(self) -> tuple[str, ...]:
        """Returns what was wrong with the file, once all frames were read."""
        texts = []
        end = float(self._end_ticks * self.time_base)
        if self.damaged:
            texts.append(f"the file is damaged or cut off: {self.damaged} packets could not be read")
        if self.seconds is not None and self.seconds - end > max(_MISSING_SECONDS, 0.02 * self.seconds):
            texts.append(f"the pictures end at {end:.1f} s of the {self.seconds:.1f} s that the file announces")
        return tuple(texts)

    def close(self) -> None:
        """Closes what was opened here."""
        if self._opened is not None:
            self._opened.close()
        if self._owned is not None:
            self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Clock:
    """Media time of frames, from 0 and always growing, whatever the file's own clock does."""

    def __init__(self, stream: av.VideoStream) -> None:
        self._source_base = stream.time_base or FINEST_TIME_BASE
        self.time_base = max(self._source_base, FINEST_TIME_BASE)
        rate = stream.guessed_rate or stream.average_rate or Fraction(25)
        self._step = max(1, round(1 / rate / self.time_base))
        self._offset: int | None = None
        self._last = -1

    def place(self, picture: av.VideoFrame) -> tuple[int, int]:
        """Returns when a frame is due and for how long, both in ticks."""
        came = picture.pts if picture.pts is not None else picture.dts
        if came is None:  # a bare stream of frames has no clock
            ticks = 0 if self._last < 0 else self._last + self._step
        else:
            came = round(came * self._source_base / self.time_base)
            if self._offset is None:
                self._offset = came
            ticks = came - self._offset
            if (self._last - ticks) * self.time_base > _DISORDER_SECONDS:
                self._offset = came - self._last - self._step
                ticks = self._last + self._step
        self._last = ticks = max(ticks, self._last + 1)
        duration = round((picture.duration or 0) * self._source_base / self.time_base)
        return ticks, duration if duration > 0 else self._step


def _announced(container: av.container.InputContainer, stream: av.VideoStream) -> tuple[float | None, int | None]:
    """Returns length in seconds and number of frames as the file's header has them."""
    seconds = None
    if stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        seconds = container.duration / av.time_base
    if seconds is None or seconds <= 0:
        return None, None
    frames = stream.frames or (round(seconds * stream.average_rate) if stream.average_rate else None)
    return seconds, frames


def _counted(container: av.container.InputContainer, stream: av.VideoStream) -> tuple[float, int]:
    """Returns length in seconds and number of frames by reading all packets."""
    frames, first, last = 0, None, None
    step = float(1 / (stream.guessed_rate or Fraction(25)))
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            frames += 1
            if packet.pts is not None:
                time = float(packet.pts * (packet.time_base or FINEST_TIME_BASE))
                first = time if first is None else min(first, time)
                last = time if last is None else max(last, time)
    except av.error.FFmpegError:
        pass  # decoding will meet it again, and count it
    if first is None or last is None:
        return frames * step, frames
    return last - first + step, frames


def _said(error: Exception) -> str:
    """Returns FFmpeg's own words, without paths and codes."""
    return getattr(error, "strerror", None) or type(error).__name__
