"""Builds the paper's four architectures by name, at any resolution that their backbones can run.

Models of Ghadami & Rezvanian (2024): two EfficientNetV2 trained throughout ("scalable") and two
frozen backbones under a new classifier ("BDF"). Every model obeys one contract:

* input ``image``: float32 RGB, 0-255, shape ``(N, H, W, 3)``, H and W dynamic;
* outputs by name: ``logits`` ``(N, 7)`` and ``features`` ``(N, h, w, C)``, the last feature map.

The scaling to [-1, +1] is the model's first layer and happens nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .emotions import EMOTIONS
from .import_order import before_tensorflow

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Architecture:
    """One architecture of the paper.

    Attributes:
        name: Name in this project.
        backbone: Class name in ``keras.applications``.
        backbone_arguments: Further arguments of that class.
        trainable_backbone: False for the frozen-backbone baselines (BDF).
        paper_resolution: Side of the square input in the paper's Table 2, in pixels.
        smallest_resolution: Smallest side at which the backbone runs, in pixels (measured).
    """

    name: str
    backbone: str
    backbone_arguments: tuple[tuple[str, object], ...]
    trainable_backbone: bool
    paper_resolution: int
    smallest_resolution: int


ARCHITECTURES: dict[str, Architecture] = {
    architecture.name: architecture
    for architecture in (
        Architecture("scalable-env2b0", "EfficientNetV2B0", (("include_preprocessing", False),), True, 302, 1),
        Architecture("scalable-env2s", "EfficientNetV2S", (("include_preprocessing", False),), True, 94, 1),
        Architecture("bdf-inceptionv3", "InceptionV3", (), False, 299, 75),
        Architecture("bdf-mobilenet", "MobileNet", (), False, 224, 32),
    )
}

_NO_IMAGENET = (
    "ImageNet weights for {backbone} could not be downloaded ({reason}). The options are: run where the "
    "download is possible, pass the path of a weights file that you have (weights='PATH.weights.h5' or "
    "'PATH.keras'), or train from random weights (weights=None)."
)


def architecture(name: str) -> Architecture:
    """Looks an architecture up by name.

    Raises:
        ValueError: If there is no such architecture; names those there are.
    """
    try:
        return ARCHITECTURES[name]
    except KeyError:
        raise ValueError(f"model must be one of {', '.join(ARCHITECTURES)}, but got {name!r}") from None


def check_resolution(name: str, resolution: int) -> None:
    """Raises a ValueError unless the model's backbone can run square inputs of this side, in pixels."""
    smallest = architecture(name).smallest_resolution
    if resolution < smallest:
        raise ValueError(f"{name} needs a resolution of at least {smallest} px, but got {resolution} px")


def build_model(name: str, weights: str | Path | None = None, dropout: float = 0.2) -> keras.Model:
    """Builds one of the four architectures.

    Args:
        name: A key of ``ARCHITECTURES``.
        weights: ``"imagenet"`` for Keras' own backbone weights (a download), the path of a
            ``.weights.h5`` or ``.keras`` file that holds this architecture, or None for random weights.
        dropout: Rate of the dropout layer before the classifier, 0 to 1.

    Returns:
        A model after this module's contract. Softmax is not part of it.

    Raises:
        ValueError: If the name is unknown, or the file holds another architecture.
        FileNotFoundError: If ``weights`` is a path and there is no such file.
        ConnectionError: If the ImageNet weights cannot be downloaded; the message names the options.
    """
    before_tensorflow()
    import keras

    chosen = architecture(name)
    layers = keras.layers
    image = keras.Input((None, None, 3), name="image", dtype="float32")
    scaled = layers.Rescaling(1 / 127.5, offset=-1, name="scale_to_plus_minus_one")(image)
    backbone_class = getattr(keras.applications, chosen.backbone)
    try:
        backbone = backbone_class(
            include_top=False,
            input_tensor=scaled,
            weights="imagenet" if weights == "imagenet" else None,
            **dict(chosen.backbone_arguments),
        )
    # get_file raises a bare Exception when a download fails.
    except Exception as error:
        if weights != "imagenet":
            raise
        raise ConnectionError(_NO_IMAGENET.format(backbone=chosen.backbone, reason=error)) from error
    features = layers.Activation("linear", dtype="float32", name="features")(backbone.output)
    head = layers.GlobalAveragePooling2D(name="pool")(features)
    if not chosen.trainable_backbone:
        for layer in backbone.layers:
            layer.trainable = False
        head = layers.BatchNormalization(name="head_normalization")(head)
    head = layers.Dropout(dropout, name="dropout")(head)
    logits = layers.Dense(len(EMOTIONS), name="logits", dtype="float32")(head)
    model = keras.Model(image, {"logits": logits, "features": features}, name=chosen.name)
    if weights is not None and weights != "imagenet":
        _load_weights(model, Path(weights))
    return model


def _load_weights(model: keras.Model, path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"weights must be 'imagenet', None or the path of a file, but there is no {path.name}")
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(f"{path.name} does not hold weights of {model.name}: {str(error).splitlines()[0]}") from error
