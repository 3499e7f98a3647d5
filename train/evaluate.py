"""Scores a model end to end, from the original pictures, through the app's own code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fer_core.builder import architecture
from fer_core.emotions import EMOTIONS
from fer_core.faces import resize_square, square_crop
from fer_core.recognizer import DEFAULT_RESOLUTION, EmotionRecognizer

from .crops import decode
from .data import READERS, Picture, Source
from .metrics import score
from .protocols import check_protocol, scored_pictures, shipped_split

# The paper's ten sizes, its answer of 302 px, and round ones. In px.
RESOLUTIONS = (12, 48, 64, 66, 84, 96, 100, 128, 143, 160, 162, 224, 299, 302)
_BATCH = 32


def _cut(
    recognizer: EmotionRecognizer, source: Source, pictures: Sequence[Picture], sizes: Sequence[int], whole: bool
) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Cuts every picture's largest face at every size; a data set of faces is taken whole."""
    crops = {size: np.zeros((len(pictures), size, size, 3), np.uint8) for size in sizes}
    found = np.ones(len(pictures), bool)
    for index, picture in enumerate(tqdm(pictures, desc="faces", unit="picture", mininterval=2)):
        image = decode(source.read(picture.path), picture.path)
        if whole:
            for size in sizes:
                crops[size][index] = resize_square(image, size)
            continue
        faces = recognizer.detector.detect(image)
        found[index] = len(faces) > 0
        if found[index]:
            for size in sizes:
                crops[size][index] = square_crop(image, faces.xyxy[0], size)
    return crops, found


def score_pictures(
    recognizer: EmotionRecognizer,
    source: Source,
    pictures: Sequence[Picture],
    resolution: int,
    resolutions: Sequence[int] = RESOLUTIONS,
    whole: bool = False,
) -> dict:
    """Scores a recognizer on pictures, a face that is not found counting as wrong.

    Args:
        recognizer: The model, in the runtime that serves it.
        source: Where the pictures are.
        pictures: What to score, each with an emotion.
        resolution: Side of the input in pixels for the main figures.
        resolutions: Sides for ``accuracy_by_resolution``; those that the model cannot run are left out.
        whole: Whether the pictures are faces already.

    Returns:
        The figures of ``metrics.score``, and ``resolution``, ``accuracy_by_resolution`` and, where the pictures have
        angles, ``by_angle``.

    Raises:
        ValueError: If a picture cannot be decoded; names it.
    """
    labels = np.array([EMOTIONS.index(picture.emotion) for picture in pictures])
    smallest = architecture(recognizer.runtime.model).smallest_resolution
    sizes = sorted({resolution, *(size for size in resolutions if size >= smallest)})
    crops, found = _cut(recognizer, source, pictures, sizes, whole)
    probabilities = {}
    for size in tqdm(sizes, desc="sizes", unit="size"):
        rows = [
            recognizer.classify(crops[size][start : start + _BATCH].astype(np.float32))
            for start in range(0, len(pictures), _BATCH)
        ]
        probabilities[size] = np.concatenate(rows)
    correct = {size: found & (rows.argmax(axis=1) == labels) for size, rows in probabilities.items()}
    result = score(labels, probabilities[resolution], found) | {
        "resolution": resolution,
        "accuracy_by_resolution": {str(size): float(correct[size].mean()) for size in sizes},
    }
    angles = np.array([picture.angle for picture in pictures])
    if all(angles):
        result["by_angle"] = {
            str(angle): float(correct[resolution][angles == angle].mean()) for angle in np.unique(angles)
        }
    return result


def evaluate(
    recognizer: EmotionRecognizer,
    protocol: str,
    data: Path,
    resolution: int = DEFAULT_RESOLUTION,
    resolutions: Sequence[int] = RESOLUTIONS,
) -> dict:
    """Scores a recognizer with shipped weights after one protocol.

    Args:
        recognizer: The model, in the runtime that serves it.
        protocol: A key of ``PROTOCOLS`` that is not over runs.
        data: Folder or .zip file of the protocol's data set.
        resolution: Side of the input in pixels for the main figures.
        resolutions: Sides for ``accuracy_by_resolution``.

    Returns:
        The figures of ``score_pictures``, ``people``, and, for KDEF, ``split``.

    Raises:
        ValueError: If there is no such protocol, or a picture is broken; says which.
    """
    chosen = check_protocol(protocol)
    if chosen.over:
        raise ValueError(f"protocol {protocol!r} is the mean of {chosen.over}: it scores recorded runs, not one model")
    source = Source(data)
    every = READERS[chosen.data_set](source)
    pictures = scored_pictures(protocol, every)
    figures = score_pictures(recognizer, source, pictures, resolution, resolutions, whole=chosen.data_set != "kdef")
    people = {picture.person for picture in pictures if picture.person}
    figures["people"] = len(people) or None
    if chosen.data_set == "kdef":
        figures["split"] = shipped_split(every)
    return figures
