"""Makes video files for tests, good ones and bad ones; annotates and reads them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from fer_core import EmotionRecognizer
from fer_core.video import VideoSummary, annotate_video

MILLISECOND = Fraction(1, 1000)


@dataclass(frozen=True)
class Coding:
    """How a film is coded; the defaults are those of most phones.

    Attributes:
        codec: Name of FFmpeg's encoder.
        pixels: Name of FFmpeg's pixel format.
        time_base: Unit of the frames' times in seconds.
        degrees: Turn that the file asks for, against the clock.
        mirrored: Whether the file asks for a mirrored picture.
        pixel_aspect: Width of a pixel divided by its height.
        options: Of the container.
        codec_options: Of the encoder.
    """

    codec: str = "libx264"
    pixels: str = "yuv420p"
    time_base: Fraction = MILLISECOND
    degrees: int = 0
    mirrored: bool = False
    pixel_aspect: Fraction | None = None
    options: tuple[tuple[str, str], ...] = ()
    codec_options: tuple[tuple[str, str], ...] = (("preset", "ultrafast"),)


PHONE = Coding()


def write_film(
    path: Path | io.BytesIO,
    pictures: Iterable[np.ndarray],
    times: Sequence[int],
    coding: Coding = PHONE,
    container: str | None = None,
) -> Path | io.BytesIO:
    """Writes RGB pictures of one size, each at its time in units of the time base; returns where."""
    with av.open(path, "w", format=container, options=dict(coding.options)) as file:
        stream = file.add_stream(coding.codec, rate=30, options=dict(coding.codec_options))
        stream.pix_fmt = coding.pixels
        stream.time_base = stream.codec_context.time_base = coding.time_base
        if coding.degrees or coding.mirrored:
            stream.set_display_rotation(coding.degrees, hflip=coding.mirrored)
        if coding.pixel_aspect:
            stream.codec_context.sample_aspect_ratio = coding.pixel_aspect
        for picture, time in zip(pictures, times, strict=True):
            if not stream.codec_context.is_open:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, coding.time_base
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def patches(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Returns gray pictures, each of another shade, whose upper left quarter is red."""
    pictures = []
    for number in range(count):
        picture = np.full((height, width, 3), 40 + 10 * number % 160, np.uint8)
        picture[: height // 2, : width // 2] = (255, 0, 0)
        pictures.append(picture)
    return pictures


def swaying(face: np.ndarray, count: int, width: int = 320, height: int = 240) -> Iterable[np.ndarray]:
    """Yields pictures in which a square one sways from side to side, 60 frames a time."""
    side = min(width, height)
    square = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    room, top = width - side, (height - side) // 2
    for number in range(count):
        left = round(room / 2 * (1 + 0.5 * np.sin(2 * np.pi * number / 60)))
        yield cv2.copyMakeBorder(square, top, height - side - top, left, room - left, cv2.BORDER_REPLICATE)


def write_sound(path: Path, cover: bool = False) -> Path:
    """Writes a file without pictures but, if asked for, the cover that songs have."""
    with av.open(path, "w") as file:
        sound = file.add_stream("mp3" if cover else "aac", rate=16000)
        if cover:
            picture = file.add_stream("mjpeg")
            picture.width = picture.height = 64
            picture.pix_fmt = "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
            file.mux(picture.encode(av.VideoFrame(64, 64, "yuvj420p")))
            file.mux(picture.encode())
        for number in range(20):
            if cover:
                samples = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), "s16p", "mono")
            else:
                samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            samples.sample_rate, samples.pts = 16000, number * samples.samples
            file.mux(sound.encode(samples))
        file.mux(sound.encode())
    return path


def times_of(path: Path | io.BytesIO) -> list[float]:
    """Returns the media times of all frames in seconds, read by PyAV alone."""
    with av.open(path) as file:
        return [frame.time for frame in file.decode(video=0)]


def pictures_of(path: Path | io.BytesIO) -> list[np.ndarray]:
    """Returns all frames as RGB uint8 ``(H, W, 3)``, as they are stored."""
    with av.open(path) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def annotate(recognizer: EmotionRecognizer, source: Path, folder: Path) -> tuple[Path, dict, VideoSummary]:
    """Runs a video through; returns the annotated video, the table as JSON has it, and the summary."""
    output, table = folder / "annotated.mp4", folder / "table.json"
    *_, last = annotate_video(source, recognizer.stream(), output, [table])
    return output, json.loads(table.read_text()), last.summary
