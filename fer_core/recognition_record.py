"""What ``recognize --json`` says of one picture."""

from __future__ import annotations

from .measurements import SCHEMA_VERSION
from .pictures import PictureError, read_picture
from .recognizer import EmotionRecognizer, Face


def failed_record(image: str, error: str) -> dict:
    """Returns the record of a picture that cannot be used; JSON-ready.

    Args:
        image: Name of the picture, as its reader knows it.
        error: What was expected and what came.
    """
    return _record(image, None, None, [], {}, error)


def recognition_record(image: str, data: bytes, recognizer: EmotionRecognizer) -> dict:
    """Reads a picture, finds its faces and puts them into the schema of ``recognize --json``.

    Args:
        image: Name of the picture, as its reader knows it.
        data: Contents of the picture file.
        recognizer: The recognizer.

    Returns:
        JSON-ready: ``schema_version``, ``image``, ``width`` and ``height`` in pixels, ``faces`` by area, largest
        first, each with ``box`` (x0, y0, x1, y1 in pixels), ``emotion``, ``confidence``, ``probabilities`` and
        ``detection_score``; ``timings_ms`` by stage; ``error``, None or why the picture cannot be used.
    """
    try:
        pixels = read_picture(data)
    except PictureError as error:
        return failed_record(image, str(error))
    analysis = recognizer.analyze(pixels)
    height, width = pixels.shape[:2]
    return _record(image, width, height, [_face(face) for face in analysis.faces], analysis.timings_ms, None)


def _record(
    image: str, width: int | None, height: int | None, faces: list[dict], timings_ms: dict, error: str | None
) -> dict:
    return {
        "schema_version": SCHEMA_VERSION,
        "image": image,
        "width": width,
        "height": height,
        "faces": faces,
        "timings_ms": timings_ms,
        "error": error,
    }


def _face(face: Face) -> dict:
    return {
        "box": list(face.box),
        "emotion": face.emotion,
        "confidence": face.confidence,
        "probabilities": face.probabilities,
        "detection_score": face.detection_score,
    }
