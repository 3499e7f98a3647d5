"""What tests of the core share: a recognizer, and a film of a face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_core import EmotionRecognizer
from tests.films import swaying, write_film


@pytest.fixture(scope="session")
def recognizer() -> EmotionRecognizer:
    """The default recognizer."""
    return EmotionRecognizer.load()


@pytest.fixture(scope="session")
def face_film(tmp_path_factory, astronaut: np.ndarray) -> Path:
    """Half a second of the astronaut, 320 x 240."""
    path = tmp_path_factory.mktemp("films") / "face.mp4"
    return write_film(path, swaying(astronaut, 15), range(0, 495, 33))
