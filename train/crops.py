"""The cache of face crops: every picture decoded, its face found and cut out once.

A data set becomes two files in ``<cache>/crops``: ``<name>.npy``, uint8 RGB ``(n, size, size, 3)``, read
through a memory map, and ``<name>.json``, the records and settings behind it. Nothing of it may be
redistributed: the cache lies in the user's cache folder, never in the project.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from fer_core.faces import CROP_MARGIN, LOWEST_SCORE, SMALLEST_FACE, FaceDetector, resize_square, square_crop

from .data import READERS, Picture, Source

# Sides of the cached crops in pixels: what the pictures hold (KDEF's faces are 180 to 330 px in the
# photographs of 562 x 762 px, and 60 % of that in smaller copies).
SIZES = {"kdef": 256, "raf-db": 100, "ferplus": 48}
SCHEMA_VERSION = 1


def default_cache() -> Path:
    """Returns the folder for crops and checkpoints: ``$FER_CACHE``, or ``fer-demo`` in the user's cache."""
    configured = os.environ.get("FER_CACHE")
    if configured:
        return Path(configured)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "fer-demo"


@dataclass(frozen=True)
class Crops:
    """A prepared data set.

    Attributes:
        name: ``"kdef"``, ``"raf-db"`` or ``"ferplus"``.
        images: RGB uint8, shape ``(n, size, size, 3)``, memory-mapped; zeros where no face was found.
        pictures: The n records.
        found: bool, shape ``(n,)``: whether there is a crop.
    """

    name: str
    images: np.ndarray
    pictures: list[Picture]
    found: np.ndarray


def decode(data: bytes, name: str) -> np.ndarray:
    """Decodes a picture of a data set to RGB uint8 ``(H, W, 3)``.

    Raises:
        ValueError: If the bytes are no picture; names the file.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data else None
    if image is None:
        raise ValueError(f"{name}: expected a picture, but the {len(data)} bytes could not be decoded")
    return image


def prepare(name: str, path: Path, cache: Path) -> Crops:
    """Fills the cache with one data set; KDEF's faces are found by MTCNN, the others are faces already.

    Broken pictures and pictures without a face are recorded as not found and reported, not fatal.

    Args:
        name: A key of ``READERS``.
        path: Folder or .zip file of the data set.
        cache: Cache folder.

    Raises:
        FileNotFoundError, ValueError: If the data set is not there or is something else.
    """
    source = Source(path)
    pictures = READERS[name](source)
    size = SIZES[name]
    folder = cache / "crops"
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{name}.partial.npy"
    images = np.lib.format.open_memmap(partial, "w+", np.uint8, (len(pictures), size, size, 3))
    found = np.zeros(len(pictures), bool)
    detector = FaceDetector() if name == "kdef" else None
    for index, picture in enumerate(tqdm(pictures, desc=f"prepare {name}", unit="picture")):
        try:
            image = decode(source.read(picture.path), picture.path)
        except ValueError as error:
            tqdm.write(str(error))
            continue
        if detector is None:
            images[index] = resize_square(image, size)
        else:
            faces = detector.detect(image)
            if len(faces) == 0:
                tqdm.write(f"{picture.path}: no face found")
                continue
            images[index] = square_crop(image, faces.xyxy[0], size)
        found[index] = True
    images.flush()
    record = _settings(name) | {
        "source": path.name,
        "found": found.tolist(),
        "pictures": [dataclasses.asdict(picture) for picture in pictures],
    }
    partial_record = folder / f"{name}.partial.json"
    partial_record.write_text(json.dumps(record))
    # What belonged to the old crops goes first: a kill in between leaves no mixture.
    for stale in [folder / f"{name}.json", *folder.glob(f"{name}.teacher-fold*.npy")]:
        stale.unlink(missing_ok=True)
    partial.rename(folder / f"{name}.npy")
    partial_record.rename(folder / f"{name}.json")
    return load(name, cache)


def _settings(name: str) -> dict:
    """Returns everything that decides what a crop looks like."""
    return {
        "schema_version": SCHEMA_VERSION,
        "size": SIZES[name],
        "margin": CROP_MARGIN,
        "smallest_face": SMALLEST_FACE,
        "lowest_score": LOWEST_SCORE,
    }


def load(name: str, cache: Path) -> Crops:
    """Opens a prepared data set.

    Raises:
        FileNotFoundError: If it was not prepared; names the command.
        ValueError: If it was prepared with other settings.
    """
    path = cache / "crops" / f"{name}.json"
    if not path.is_file():
        raise FileNotFoundError(f"{name} is not prepared: run 'python -m train prepare --{name} PATH' first")
    record = json.loads(path.read_text())
    settings = _settings(name)
    other = {key: record.get(key) for key in settings if record.get(key) != settings[key]}
    if other:
        raise ValueError(f"{name} was prepared with {other}, expected {settings}: run 'python -m train prepare' again")
    pictures = [Picture(**{**item, "target": tuple(item["target"])}) for item in record["pictures"]]
    images = np.load(path.with_suffix(".npy"), mmap_mode="r")
    return Crops(name, images, pictures, np.array(record["found"]))
