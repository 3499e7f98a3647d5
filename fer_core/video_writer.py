"""Writes H.264 video that plays in every browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Self

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from .compute import available_threads
from .video_reader import VideoError

MOST_BITS_PER_SECOND = 2_500_000
"""A minute of video has at most 19 MB."""

_BT709 = 1  # in FFmpeg's tables of primaries, transfer and matrix
_LIMITED_RANGE = 1


class VideoWriter:
    """An MP4 file: H.264, 4:2:0, BT.709, each frame at its own time, and the index in front (``faststart``).

    Args:
        output: A path, or a binary file open for writing that can seek; in such a file the index comes last, because
            moving it to the front needs a name to read the file back by.
        width: Pixels, even.
        height: Pixels, even.
        time_base: Unit of the frames' times in seconds.

    Raises:
        VideoError: If it cannot be written.
    """

    def __init__(self, output: Path | BinaryIO, width: int, height: int, time_base: Fraction) -> None:
        self._name = str(output) if isinstance(output, Path) else "the annotated video"
        options = {"movflags": "+faststart"} if isinstance(output, Path) else {}
        with self._writing():
            self._container = av.open(
                str(output) if isinstance(output, Path) else output, "w", format="mp4", options=options
            )
            self._stream = stream = self._container.add_stream("libx264")
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.time_base = time_base
            context = stream.codec_context
            context.time_base = time_base
            context.thread_count = available_threads()
            context.flags |= av.codec.context.Flags.frame_duration
            context.colorspace = context.color_primaries = context.color_trc = _BT709
            context.color_range = _LIMITED_RANGE
            context.options = {
                "preset": "veryfast",
                "crf": "23",
                "maxrate": str(MOST_BITS_PER_SECOND),
                "bufsize": str(2 * MOST_BITS_PER_SECOND),
            }
        self._time_base = time_base
        self._reformatter = VideoReformatter()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, av.error.FFmpegError) as error:
            raise VideoError(f"{self._name} could not be written: {error.strerror or error}") from error

    def write(self, image: np.ndarray, ticks: int, duration_ticks: int) -> None:
        """Appends a frame.

        Args:
            image: RGB uint8, shape ``(height, width, 3)``.
            ticks: When it is due, in units of ``time_base``; more than that of the frame before.
            duration_ticks: How long it is to be shown; the last frame's counts, others last until the next is due.

        Raises:
            VideoError: If it cannot be written.
        """
        rgb = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame = self._reformatter.reformat(
            rgb,
            format="yuv420p",
            dst_colorspace="ITU709",  # type: ignore[arg-type]
            dst_color_range="MPEG",
            threads=available_threads(),
        )
        frame.pts, frame.time_base, frame.duration = ticks, self._time_base, duration_ticks
        with self._writing():
            self._container.mux(self._stream.encode(frame))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is not None:  # whoever opened the file throws it away
            with suppress(OSError, av.error.FFmpegError):
                self._container.close()
            return
        with self._writing():
            self._container.mux(self._stream.encode())
            self._container.close()
