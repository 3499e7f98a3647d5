"""Draws faces with their emotions on a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import supervision as sv

from .emotions import COLORS, EMOTIONS
from .recognizer import Face

_PALETTE = sv.ColorPalette.from_hex([COLORS[emotion] for emotion in EMOTIONS])


def draw_faces(image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
    """Returns a copy of a picture with a box and a label for every face.

    Args:
        image: RGB uint8, shape ``(H, W, 3)``.
        faces: Faces in pixels of this picture.
    """
    if not faces:
        return image.copy()
    detections = sv.Detections(
        xyxy=np.array([face.box for face in faces], np.float32),
        class_id=np.array([EMOTIONS.index(face.emotion) for face in faces]),
    )
    labels = [f"{face.emotion} {face.confidence:.0%}" for face in faces]
    size = image.shape[1], image.shape[0]
    thickness = sv.calculate_optimal_line_thickness(size)
    scale = sv.calculate_optimal_text_scale(size)
    # supervision draws on BGR pictures.
    canvas = np.ascontiguousarray(image[..., ::-1])
    canvas = sv.BoxAnnotator(_PALETTE, thickness).annotate(canvas, detections)
    labeler = sv.LabelAnnotator(_PALETTE, text_scale=scale, text_thickness=thickness, text_padding=4)
    return np.ascontiguousarray(labeler.annotate(canvas, detections, labels)[..., ::-1])
