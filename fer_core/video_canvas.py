"""Frames of a video as upright RGB pictures of one size, and boxes back in pixels of the video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.video.reformatter import VideoReformatter

from .compute import available_threads
from .face import TrackedFace

LARGEST_SIDE = 1280
"""Longer side in pixels to which larger videos are reduced, for the analysis and for the annotated video."""


@dataclass(frozen=True)
class _Orientation:
    """How a decoded picture is turned upright: first transposed, then mirrored."""

    transposed: bool = False
    mirrored_x: bool = False
    mirrored_y: bool = False


# By PyAV's rotation, in degrees against the clock.
_TURNS = {
    0: _Orientation(),
    90: _Orientation(transposed=True, mirrored_y=True),
    180: _Orientation(mirrored_x=True, mirrored_y=True),
    270: _Orientation(transposed=True, mirrored_x=True),
}


def _orientation(picture: av.VideoFrame) -> _Orientation:
    """Reads the display matrix, which cameras write for a turned sensor, to the nearest quarter turn."""
    try:
        data = SideDataContainer(picture).get("DISPLAYMATRIX")  # type: ignore[call-arg]
    except ValueError:  # beside it stands a kind of data that PyAV does not know
        return _TURNS[round(picture.rotation / 90) % 4 * 90]
    if data is None:
        return _TURNS[0]
    # Native integers a b u, c d v, x y w: x' = a x + c y, y' = b x + d y. A rotation alone would lose mirroring.
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return _Orientation(True, c < 0, b < 0)
    return _Orientation(False, a < 0, d < 0)


def displayed_size(picture: av.VideoFrame, pixel_aspect: float) -> tuple[int, int]:
    """Returns width and height of a decoded frame as displayed: upright, with square pixels."""
    width, height = max(1, round(picture.width * pixel_aspect)), picture.height
    return (height, width) if _orientation(picture).transposed else (width, height)


@dataclass(frozen=True)
class Placed:
    """A frame on the canvas.

    Attributes:
        image: RGB uint8, the canvas' ``(height, width, 3)``.
        displayed: Width and height of this frame as displayed, in pixels.
        corner: Left and upper edge of the frame on the canvas, in pixels.
        size: Width and height of the frame on the canvas, in pixels.
    """

    image: np.ndarray
    displayed: tuple[int, int]
    corner: tuple[int, int]
    size: tuple[int, int]

    def in_source(self, faces: Sequence[TrackedFace]) -> list[TrackedFace]:
        """Returns faces with their boxes in pixels of the frame as displayed, clipped to it."""
        return [replace(face, box=tuple(self._edge(face.box[i], i % 2) for i in range(4))) for face in faces]  # type: ignore[arg-type]

    def _edge(self, place: int, axis: int) -> int:
        scaled = (place - self.corner[axis]) * self.displayed[axis] / self.size[axis]
        return min(max(round(scaled), 0), self.displayed[axis])


class Canvas:
    """Brings frames to the size of the first: reduced if it is large, even because 4:2:0 asks for it.

    Args:
        width: Width of the first frame as displayed, in pixels.
        height: Its height.
        pixel_aspect: Width of a pixel divided by its height.
    """

    def __init__(self, width: int, height: int, pixel_aspect: float = 1.0) -> None:
        scale = min(1.0, LARGEST_SIDE / max(width, height))
        self.width, self.height = (max(2, round(side * scale) // 2 * 2) for side in (width, height))
        self._pixel_aspect = pixel_aspect
        self._reformatter = VideoReformatter()

    def place(self, picture: av.VideoFrame) -> Placed:
        """Returns a frame upright on the canvas; one of other proportions is centered on black."""
        displayed = displayed_size(picture, self._pixel_aspect)
        size, corner = (self.width, self.height), (0, 0)
        scale = min(self.width / displayed[0], self.height / displayed[1])
        fitted = max(1, round(displayed[0] * scale)), max(1, round(displayed[1] * scale))
        # Rounding to even sizes is no reason for black edges.
        if max(abs(fitted[0] - size[0]), abs(fitted[1] - size[1])) > 2:
            size, corner = fitted, ((self.width - fitted[0]) // 2, (self.height - fitted[1]) // 2)
        image = self._upright(picture, size, shrinking=scale < 1)
        if size != (self.width, self.height):
            canvas = np.zeros((self.height, self.width, 3), np.uint8)
            canvas[corner[1] : corner[1] + size[1], corner[0] : corner[0] + size[0]] = image
            image = canvas
        return Placed(image, displayed, corner, size)

    def _upright(self, picture: av.VideoFrame, size: tuple[int, int], shrinking: bool) -> np.ndarray:
        orientation = _orientation(picture)
        width, height = reversed(size) if orientation.transposed else size
        # Reduced before it is turned and converted: a 4K frame is never held as RGB.
        small = self._reformatter.reformat(
            picture,
            width,
            height,
            "rgb24",
            interpolation="AREA" if shrinking else "BILINEAR",
            threads=available_threads(),
        )
        image = small.to_ndarray()
        if orientation.transposed:
            image = image.transpose(1, 0, 2)
        if orientation.mirrored_x:
            image = image[:, ::-1]
        if orientation.mirrored_y:
            image = image[::-1]
        return np.ascontiguousarray(image)
