"""Class activation maps: which parts of a face spoke for an emotion.

Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016: where a network ends in global
average pooling and a linear layer, weighting its last feature map with a class's weights shows where the class's
score comes from. No gradient is needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .emotions import EMOTIONS
from .face import Face
from .head import Head


def activation_map(features: np.ndarray, head: Head, emotion: str) -> np.ndarray:
    """Returns how much each place of a face adds to an emotion's score.

    Args:
        features: The model's last feature map of one face, float32 ``(h, w, C)``.
        head: The model's linear layer after the pooling.
        emotion: One of ``EMOTIONS``.

    Returns:
        float32 ``(h, w)``; its mean plus the emotion's bias is the emotion's logit.

    Raises:
        ValueError: If the emotion is unknown, or the features do not belong to the head.
    """
    if emotion not in EMOTIONS:
        raise ValueError(f"emotion must be one of {', '.join(EMOTIONS)}, but got {emotion!r}")
    channels = head.kernel.shape[0]
    if features.ndim != 3 or features.shape[-1] != channels:
        raise ValueError(f"features must have shape (h, w, {channels}), but got {features.shape}")
    return features @ head.kernel[:, EMOTIONS.index(emotion)]


def activation_maps(
    faces: Sequence[Face], features: Sequence[np.ndarray] | np.ndarray | None, head: Head
) -> list[np.ndarray]:
    """Returns the map of each face for the emotion read in it, see ``activation_map``; None goes with no faces."""
    if not faces:
        return []
    of_each = [] if features is None else features
    return [activation_map(of, head, face.emotion) for face, of in zip(faces, of_each, strict=True)]
