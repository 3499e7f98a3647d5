"""Scores a model after the protocols, end to end, from the original pictures, through the app's own code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fer_core.emotions import EMOTIONS
from fer_core.faces import resize_square, square_crop
from fer_core.recognizer import DEFAULT_RESOLUTION, EmotionRecognizer

from .crops import decode
from .data import READERS, Picture, Source, kdef_folds, split
from .metrics import score

# The paper's ten sizes without 12 px, where a face is eleven pixels wide; its answer of 302 px; and round ones. In px.
RESOLUTIONS = (48, 64, 66, 84, 96, 100, 128, 143, 160, 162, 224, 299, 302)
_BATCH = 32

# Runtimes and CPUs round differently: bf16 moves a probability by up to 0.02, and an answer near a tie with it.
TOLERANCE = 0.005


@dataclass(frozen=True)
class Protocol:
    """What is scored.

    Attributes:
        data_set: A key of ``READERS``.
        description: One sentence for cards and pages.
    """

    data_set: str
    description: str


PROTOCOLS: dict[str, Protocol] = {
    "kdef-unseen-people-fold0": Protocol(
        "kdef", "KDEF, 12 people whom training never saw, five angles, from the photograph to the emotion"
    ),
    "raf-db-test": Protocol("raf-db", "RAF-DB, official test split, aligned faces as distributed"),
    "ferplus-test": Protocol("ferplus", "FER+, test part, pictures on whose emotion more than half of the votes agree"),
}


def check_protocol(name: str) -> Protocol:
    """Looks a protocol up by name.

    Raises:
        ValueError: If there is no such protocol; names those there are.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, but got {name!r}")
    return PROTOCOLS[name]


def compare(figures: dict, shipped: dict) -> Iterator[tuple[str, bool]]:
    """Compares fresh figures with shipped ones, number by number.

    Args:
        figures: Result of ``evaluate``.
        shipped: The same of an earlier run; a figure that is missing there differs.

    Yields:
        A line of text, and whether the two differ by more than ``TOLERANCE`` (counts: at all).
    """
    for key, value in figures.items():
        if key in ("confusion", "split", "people"):
            continue
        before = shipped.get(key)
        if isinstance(value, dict):
            before = before or {}
            rows = [(f"{key} {part}", number, before.get(part)) for part, number in value.items()]
        else:
            rows = [(key, value, before)]
        for label, number, other in rows:
            allowed = TOLERANCE if isinstance(number, float) else 0
            differs = other is None or abs(number - other) > allowed
            said = f"{number:.4f}" if isinstance(number, float) else str(number)
            yield f"{label}: {said}" + (f", shipped {other}" if differs else ""), differs


def scored_pictures(name: str, pictures: list[Picture]) -> list[Picture]:
    """Returns the pictures that a protocol scores: the test part, where the picture has an emotion."""
    indices = split(PROTOCOLS[name].data_set, pictures)["test"]
    return [pictures[index] for index in indices if pictures[index].emotion is not None]


def _cut(
    recognizer: EmotionRecognizer, source: Source, pictures: list[Picture], sizes: tuple[int, ...], whole: bool
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


def evaluate(
    recognizer: EmotionRecognizer,
    protocol: str,
    data: Path,
    resolution: int = DEFAULT_RESOLUTION,
    resolutions: tuple[int, ...] = RESOLUTIONS,
) -> dict:
    """Scores a recognizer after one protocol.

    Args:
        recognizer: The model, in the runtime that serves it.
        protocol: A key of ``PROTOCOLS``.
        data: Folder or .zip file of the protocol's data set.
        resolution: Side of the input in pixels for the main figures.
        resolutions: Sides for ``accuracy_by_resolution``.

    Returns:
        The figures of ``metrics.score``, and ``accuracy_by_resolution``, ``resolution``, ``people`` and, for
        KDEF, ``by_angle`` and ``split``.

    Raises:
        ValueError: If there is no such protocol; names those there are.
    """
    data_set = check_protocol(protocol).data_set
    source = Source(data)
    every = READERS[data_set](source)
    pictures = scored_pictures(protocol, every)
    labels = np.array([EMOTIONS.index(picture.emotion) for picture in pictures])
    sizes = tuple(sorted({*resolutions, resolution}))
    crops, found = _cut(recognizer, source, pictures, sizes, whole=data_set != "kdef")
    probabilities = {}
    for size in tqdm(sizes, desc=protocol, unit="size"):
        rows = [
            recognizer.classify(crops[size][start : start + _BATCH].astype(np.float32))
            for start in range(0, len(pictures), _BATCH)
        ]
        probabilities[size] = np.concatenate(rows)
    correct = {size: found & (rows.argmax(axis=1) == labels) for size, rows in probabilities.items()}
    people = sorted({picture.person for picture in pictures if picture.person})
    result = score(labels, probabilities[resolution], found) | {
        "resolution": resolution,
        "accuracy_by_resolution": {str(size): float(correct[size].mean()) for size in sizes},
        "people": len(people) or None,
    }
    if data_set == "kdef":
        angles = np.array([picture.angle for picture in pictures])
        result["by_angle"] = {
            str(angle): float(correct[resolution][angles == angle].mean()) for angle in np.unique(angles)
        }
        result["split"] = {"folds": kdef_folds([picture.person for picture in every]), "test_fold": 0}
    return result
