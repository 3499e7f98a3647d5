"""The film that the video tab offers as an example: Eileen Collins, NASA, public domain, swaying."""

from __future__ import annotations

import io
from fractions import Fraction
from functools import cache

import cv2
import numpy as np
from skimage.data import astronaut

from fer_core.video_writer import VideoWriter

SECONDS = 6
FRAMES_PER_SECOND = 25
WIDTH, HEIGHT = 640, 480


@cache
def example_film() -> bytes:
    """Returns an MP4 file."""
    square = cv2.resize(astronaut(), (HEIGHT, HEIGHT), interpolation=cv2.INTER_AREA)
    room = WIDTH - HEIGHT
    file = io.BytesIO()
    with VideoWriter(file, WIDTH, HEIGHT, Fraction(1, FRAMES_PER_SECOND)) as writer:
        for number in range(SECONDS * FRAMES_PER_SECOND):
            left = round(room / 2 * (1 + 0.5 * np.sin(np.pi * number / FRAMES_PER_SECOND)))
            writer.write(cv2.copyMakeBorder(square, 0, 0, left, room - left, cv2.BORDER_REPLICATE), number, 1)
    return file.getvalue()
