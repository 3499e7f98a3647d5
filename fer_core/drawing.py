"""Draws faces with their emotions, and why they were read, on a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import supervision as sv

from .emotions import COLORS, EMOTIONS
from .face import Face, TrackedFace
from .faces import square_around

UNSURE = "unsure"
UNSURE_COLOR = "#444444"

_PALETTE = sv.ColorPalette.from_hex([*(COLORS[emotion] for emotion in EMOTIONS), UNSURE_COLOR])
_MAP_OPACITY = 0.5


def reduced(image: np.ndarray, faces: Sequence[Face], largest_side: int) -> tuple[np.ndarray, list[Face]]:
    """Shrinks a picture, and the boxes of its faces with it, to a longer side in pixels; smaller ones stay."""
    scale = min(1.0, largest_side / max(image.shape[:2]))
    if scale == 1.0:
        return image, list(faces)
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    smaller = [replace(face, box=tuple(round(edge * scale) for edge in face.box)) for face in faces]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), smaller


def overlay_activation_map(image: np.ndarray, face: Face, activation: np.ndarray) -> None:
    """Lays an activation map over what the model saw of a face, in place.

    Colors are relative to this face: from dark purple, its least, to yellow, its most (viridis, which is even to the
    eye and to the common forms of color blindness).

    Args:
        image: RGB uint8, shape ``(H, W, 3)``.
        face: In pixels of this picture.
        activation: See ``activation_maps.activation_map``.
    """
    left, top, side = square_around(face.box)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(image.shape[1], left + side), min(image.shape[0], top + side)
    if x0 >= x1 or y0 >= y1:
        return
    shares = (activation - activation.min()) / max(float(np.ptp(activation)), 1e-6)
    levels = cv2.resize((255 * shares).astype(np.uint8), (side, side), interpolation=cv2.INTER_LINEAR)
    colors = cv2.applyColorMap(levels[y0 - top : y1 - top, x0 - left : x1 - left], cv2.COLORMAP_VIRIDIS)
    region = image[y0:y1, x0:x1]
    colors = cv2.cvtColor(colors, cv2.COLOR_BGR2RGB)
    region[...] = cv2.addWeighted(region, 1 - _MAP_OPACITY, colors, _MAP_OPACITY, 0)


def _label(face: Face, unsure: bool) -> str:
    # The number is what tables and timelines call a followed face.
    number = f"{face.track_id}: " if isinstance(face, TrackedFace) else ""
    return number + (UNSURE if unsure else f"{face.emotion} {face.confidence:.0%}")


def draw_faces(
    image: np.ndarray,
    faces: Sequence[Face],
    unsure: Sequence[bool] | None = None,
    activations: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Returns a copy of a picture with a box and a label for every face.

    Args:
        image: RGB uint8, shape ``(H, W, 3)``.
        faces: Faces in pixels of this picture.
        unsure: Which of them are labeled so instead of with an emotion; by default what tracked faces say themselves.
        activations: The faces' activation maps to lay over them, or nothing.
    """
    if not faces:
        return image.copy()
    if unsure is None:
        unsure = [getattr(face, "unsure", False) for face in faces]
    if activations:
        image = image.copy()
        for face, activation in zip(faces, activations, strict=True):
            overlay_activation_map(image, face, activation)
    classes = [
        len(EMOTIONS) if doubt else EMOTIONS.index(face.emotion) for face, doubt in zip(faces, unsure, strict=True)
    ]
    detections = sv.Detections(
        xyxy=np.array([face.box for face in faces], np.float32),
        class_id=np.array(classes),
    )
    labels = [_label(face, doubt) for face, doubt in zip(faces, unsure, strict=True)]
    size = image.shape[1], image.shape[0]
    thickness = sv.calculate_optimal_line_thickness(size)
    scale = sv.calculate_optimal_text_scale(size)
    # supervision draws on BGR pictures.
    canvas = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    canvas = sv.BoxAnnotator(_PALETTE, thickness).annotate(canvas, detections)  # type: ignore[type-var]
    labeler = sv.LabelAnnotator(_PALETTE, text_scale=scale, text_thickness=thickness, text_padding=4)
    return cv2.cvtColor(labeler.annotate(canvas, detections, labels), cv2.COLOR_BGR2RGB)  # type: ignore[type-var]
