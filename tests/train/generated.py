"""Generated pictures in place of the data sets: seven patterns that a network can tell apart."""

import dataclasses
import json
from pathlib import Path

import keras
import numpy as np

from fer_core.emotions import EMOTIONS, KDEF_EMOTIONS
from train.crops import Crops, _settings
from train.data import Picture, one_hot

# Ten people by KDEF's names: two for each fold.
PEOPLE = [f"{sex}{number:02}" for sex in "FM" for number in range(1, 6)]
KDEF_CODES = {emotion: code for code, emotion in KDEF_EMOTIONS.items()}


def make_images(labels: list[int], size: int) -> np.ndarray:
    """Makes pictures: class k is a stripe at height k on noise; uint8 ``(n, size, size, 3)``."""
    images = np.random.default_rng(0).integers(0, 60, (len(labels), size, size, 3)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        top = label * size // len(EMOTIONS)
        image[top : top + size // len(EMOTIONS)] = 255
    return images


def make_crops(name: str, count: int, size: int = 32) -> Crops:
    """Makes a prepared data set, uint8 ``(count, size, size, 3)``."""
    labels = [index % len(EMOTIONS) for index in range(count)]
    pictures = [
        Picture(f"{index}.png", EMOTIONS[label], one_hot(EMOTIONS[label]), "train")
        for index, label in enumerate(labels)
    ]
    return Crops(name, make_images(labels, size), pictures, np.ones(count, bool))


def small_model(name: str = "scalable-env2b0", weights: Path | None = None) -> keras.Model:
    """Builds a network of two convolutions that keeps the contract of ``builder.build_model``."""
    layers = keras.layers
    image = keras.Input((None, None, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(image)
    for filters in (8, 16):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name=f"convolution{filters}")(x)
        x = layers.BatchNormalization(momentum=0.8, name=f"normalization{filters}")(x)
        x = layers.Activation("relu", name=f"activation{filters}")(x)
    features = layers.Activation("linear", name="features")(x)
    pooled = layers.GlobalAveragePooling2D(name="pool")(features)
    logits = layers.Dense(len(EMOTIONS), name="logits")(layers.Dropout(0.2, name="dropout")(pooled))
    model = keras.Model(image, {"logits": logits, "features": features}, name=name)
    if weights:
        model.load_weights(weights)
    return model


def kdef_pictures(people: list[str] = PEOPLE, angles: str = "S") -> list[Picture]:
    """Lists a KDEF of some people: every emotion once at each angle."""
    return [
        Picture(f"A{person}{code}{angle}.JPG", emotion, one_hot(emotion), "all", person, angle)
        for person in people
        for emotion, code in KDEF_CODES.items()
        for angle in angles.split()
    ]


def web_pictures(count: int) -> list[Picture]:
    """Lists a data set of the web: every emotion ``count`` times in each of its own parts."""
    return [
        Picture(f"{part}/{emotion}{index}.jpg", emotion, one_hot(emotion), part)
        for part in ("train", "validation", "test")
        for emotion in EMOTIONS
        for index in range(count)
    ]


def write_cache(cache: Path, size: int = 32) -> Path:
    """Writes a cache as ``python -m train prepare`` would, small; returns its folder."""
    data_sets = {"kdef": kdef_pictures(), "raf-db": web_pictures(20), "ferplus": web_pictures(4)}
    (cache / "crops").mkdir(parents=True)
    for name, pictures in data_sets.items():
        if name == "raf-db":  # has no validation part of its own
            pictures = [picture for picture in pictures if picture.part != "validation"]
        images = make_images([EMOTIONS.index(picture.emotion) for picture in pictures], size)
        np.save(cache / "crops" / f"{name}.npy", images)
        record = _settings(name) | {
            "found": [True] * len(pictures),
            "pictures": [dataclasses.asdict(picture) for picture in pictures],
        }
        (cache / "crops" / f"{name}.json").write_text(json.dumps(record))
    return cache
