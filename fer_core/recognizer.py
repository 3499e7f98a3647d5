"""EmotionRecognizer: a picture in, faces with emotions out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.special import softmax

from . import model_files
from .builder import check_resolution
from .emotions import EMOTIONS
from .face import Face
from .faces import FaceDetector, square_crop
from .pictures import check_rgb
from .runtimes import Runtime, load_runtime
from .stream import DEFAULT_SMOOTHING_S, DEFAULT_UNSURE_BELOW, StreamSession

DEFAULT_MODEL = "scalable-env2b0"
DEFAULT_RUNTIME = "openvino"
DEFAULT_RESOLUTION = 128


@dataclass(frozen=True)
class Analysis:
    """Faces of one picture, largest first, and what finding them took.

    Attributes:
        faces: The faces by area.
        timings_ms: Milliseconds by stage: ``detect``, ``crop``, ``classify`` (all faces at once) and ``total``.
        features: The model's last feature map of every face, float32 ``(n, h, w, C)``, or None without faces.
    """

    faces: list[Face]
    timings_ms: dict[str, float]
    features: np.ndarray | None = field(default=None, repr=False, compare=False)


class EmotionRecognizer:
    """Finds faces and classifies them at one resolution. Safe to share between threads.

    Build one with ``EmotionRecognizer.load``.

    Args:
        runtime: A loaded model with trained weights.
        detector: The face detector.
        resolution: Side of the model's square input in pixels.
        temperature: The logits are divided by it before softmax (Guo et al., 2017).
    """

    def __init__(self, runtime: Runtime, detector: FaceDetector, resolution: int, temperature: float = 1.0) -> None:
        check_resolution(runtime.model, resolution)
        self.runtime = runtime
        self.detector = detector
        self.resolution = resolution
        self.temperature = temperature
        runtime.prepare(resolution)

    @classmethod
    def load(
        cls,
        model: str = DEFAULT_MODEL,
        runtime: str = DEFAULT_RUNTIME,
        resolution: int = DEFAULT_RESOLUTION,
        models: Path | None = None,
        precision: str = "default",
    ) -> EmotionRecognizer:
        """Loads a model with trained weights and the face detector.

        Args:
            model: A model that has weights in the folder of models.
            runtime: ``"openvino"``, ``"tensorflow-graph"`` or ``"keras-predict"``.
            resolution: Side of the model's square input in pixels.
            models: Folder of all models; by default this project's.
            precision: ``"default"`` or ``"fp32"``, see ``load_runtime``.

        Raises:
            ValueError: If a name or the resolution is wrong; says what was expected and what came.
            ModelFileError: If a file of the model is missing or damaged.
        """
        if not isinstance(resolution, int) or isinstance(resolution, bool):
            raise ValueError(f"resolution must be a whole number of pixels, but got {resolution!r}")
        check_resolution(model, resolution)
        model_files.checked_file(model, "model.keras", models)  # random weights recognize nothing
        metrics = model_files.read_metrics(model, models) or {}
        loaded = load_runtime(runtime, model, models, precision)
        return cls(loaded, FaceDetector(), resolution, float(metrics.get("temperature", 1.0)))

    def at(self, resolution: int) -> EmotionRecognizer:
        """Returns a recognizer at another resolution, in pixels, that shares this one's model and detector."""
        if resolution == self.resolution:
            return self
        return EmotionRecognizer(self.runtime, self.detector, resolution, self.temperature)

    def classify(self, crops: np.ndarray) -> np.ndarray:
        """Returns probabilities, float64 ``(N, 7)``, of float32 RGB 0-255 crops ``(N, r, r, 3)``."""
        return self.classify_with_features(crops)[0]

    def classify_with_features(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns probabilities as ``classify`` does, and the model's ``features``, float32 ``(N, h, w, C)``."""
        outputs = self.runtime.run(crops)
        return softmax(outputs.logits.astype(np.float64) / self.temperature, axis=-1), outputs.features

    def analyze(self, image: np.ndarray) -> Analysis:
        """Finds and classifies the faces of a picture, all in one batch, and times it.

        Args:
            image: RGB uint8, shape ``(H, W, 3)``.

        Raises:
            ValueError: If the argument is no such array.
        """
        check_rgb(image)
        started = time.perf_counter()
        found = self.detector.detect(image)
        detected = time.perf_counter()
        faces, features = [], None
        cropped = detected
        if len(found):
            crops = np.stack([square_crop(image, box, self.resolution) for box in found.xyxy]).astype(np.float32)
            cropped = time.perf_counter()
            probabilities_of, features = self.classify_with_features(crops)
            assert found.confidence is not None
            for box, score, row in zip(found.xyxy, found.confidence, probabilities_of, strict=True):
                probabilities = dict(zip(EMOTIONS, row.tolist(), strict=True))
                faces.append(Face(tuple(round(float(edge)) for edge in box), float(score), probabilities))  # type: ignore[arg-type]
        done = time.perf_counter()
        timings = {
            "detect": detected - started,
            "crop": cropped - detected,
            "classify": done - cropped,
            "total": done - started,
        }
        return Analysis(faces, {stage: 1000 * seconds for stage, seconds in timings.items()}, features)

    def recognize(self, image: np.ndarray) -> list[Face]:
        """Finds and classifies the faces of a picture; keeps nothing of it.

        Args:
            image: RGB uint8, shape ``(H, W, 3)``.

        Returns:
            Faces by area, largest first; empty if there is none.

        Raises:
            ValueError: If the argument is no such array.
        """
        return self.analyze(image).faces

    def stream(
        self, smoothing_s: float = DEFAULT_SMOOTHING_S, unsure_below: float = DEFAULT_UNSURE_BELOW
    ) -> StreamSession:
        """Begins a session that follows the faces of one camera or film; see ``StreamSession``.

        Args:
            smoothing_s: Time constant of the averaging of probabilities, in seconds of the stream; 0 for none.
            unsure_below: Smoothed confidence, 0 to 1, under which a face is marked as unsure.

        Raises:
            ValueError: If an argument is out of range.
        """
        return StreamSession(self, smoothing_s, unsure_below)
