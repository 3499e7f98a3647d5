"""Fixtures for all tests. The face of machines without the data sets is scikit-image's astronaut."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from .servers import ROOT, start_server

# Before anything imports OpenVINO: its usage reports stay off in tests as in the app.
sys.modules.setdefault("openvino_telemetry", None)

SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """Eileen Collins, NASA, public domain: RGB uint8 (512, 512, 3), one face."""
    from skimage.data import astronaut as read

    return read()


def shared(path: str) -> Path:
    """Returns a file of the data folder beside the project, or skips the test where there is none."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"needs {path} of the data folder beside the project")
    return found


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The app, shared by all tests that only look at it from outside."""
    process, running = start_server(tmp_path_factory.mktemp("server"))
    yield running
    process.terminate()
    process.wait(20)
