"""Generated pictures in place of the data sets: seven patterns that a network can tell apart."""

import numpy as np

from fer_core.emotions import EMOTIONS
from train.crops import Crops
from train.data import Picture, one_hot


def make_crops(name: str, count: int, size: int = 32) -> Crops:
    """Makes a prepared data set: class k is a stripe at height k on noise; uint8 ``(count, size, size, 3)``."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (count, size, size, 3)).astype(np.uint8)
    pictures = []
    for index in range(count):
        label = index % len(EMOTIONS)
        top = label * size // len(EMOTIONS)
        images[index, top : top + size // len(EMOTIONS)] = 255
        pictures.append(Picture(f"{index}.png", EMOTIONS[label], one_hot(EMOTIONS[label]), "train"))
    return Crops(name, images, pictures, np.ones(count, bool))
