"""The project as a package: what the wheel holds, and that it works from any folder without the checkout."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from fer_core.model_files import MODELS_FOLDER
from tests.conftest import ROOT

SOURCES = ("app.py", "fer_core", "tabs", "models", "pyproject.toml", "README.md", "LICENSE", "requirements.txt")
START_SECONDS = 60


def pip(*arguments: object) -> None:
    command = [sys.executable, "-m", "pip", *map(str, arguments), "--quiet", "--no-deps", "--no-index"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the installed package; built from a copy, because a build leaves files in its folder."""
    folder = tmp_path_factory.mktemp("package")
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, source)
    # Without isolation: the build tools of this environment, none from a registry.
    pip("wheel", source, "--no-build-isolation", "--wheel-dir", folder)
    (wheel,) = folder.glob("*.whl")
    pip("install", wheel, "--no-compile", "--target", folder / "site")
    return folder / "site"


@pytest.fixture
def environment(installed, tmp_path):
    """Variables under which the installed package is found, and its files are written, apart from the checkout."""
    return os.environ | {
        "PYTHONPATH": str(installed),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
    }


def files_under(folder: Path, pattern: str = "*") -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob(pattern)
        if path.is_file() and "__pycache__" not in path.parts
    }


def distribution(installed: Path) -> metadata.Distribution:
    (found,) = metadata.distributions(path=[str(installed)])
    return found


@pytest.mark.parametrize(
    ("inside", "checkout", "pattern"),
    [
        pytest.param("fer_core", "fer_core", "*.py", id="core"),
        pytest.param("tabs", "tabs", "*.py", id="tabs"),
        pytest.param("fer_core/models", "models", "*", id="models"),
    ],
)
def test_nothing_is_missing(installed, inside, checkout, pattern):
    assert files_under(installed / inside, pattern) == files_under(ROOT / checkout, pattern)


def test_nothing_else_is_installed(installed):
    names = {path.split("/")[0] for path in files_under(installed)} - {"bin"}
    assert {name for name in names if not name.endswith(".dist-info")} == {"app.py", "fer_core", "tabs"}


def test_it_names_its_terms_and_what_it_needs(installed):
    found = distribution(installed)
    assert found.metadata["License-Expression"].startswith("Apache-2.0 AND LicenseRef-")
    assert set(found.metadata.get_all("License-File")) == {"LICENSE", "models/README.md"}
    lines = [line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    assert set(map(Requirement, found.requires)) == {Requirement(line) for line in lines if line}


def test_it_recognizes_with_its_own_weights(installed, environment, tmp_path):
    program = (
        "import fer_core, skimage.data; from fer_core.model_files import MODELS_FOLDER;"
        "recognizer = fer_core.EmotionRecognizer.load();"
        "(face,) = recognizer.recognize(skimage.data.astronaut());"
        "print(MODELS_FOLDER, recognizer.runtime.weights, face.emotion)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(installed / "fer_core" / "models"), "trained", "happiness"]
    assert MODELS_FOLDER == ROOT / "models", "in a checkout they lie beside the package"


def test_the_command_serves_from_any_folder(installed, environment, tmp_path):
    (entry,) = distribution(installed).entry_points
    assert (entry.group, entry.name) == ("console_scripts", "fer-demo")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, installed / "bin" / "fer-demo"],
            env=environment | {"GRADIO_SERVER_PORT": str(port)},
            cwd=tmp_path,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                page = urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=5).read().decode()
                break
            except (urllib.error.URLError, OSError):
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
        assert "Facial emotions at a resolution your CPU can afford" in page
    finally:
        server.terminate()
        server.wait(20)
