"""The folder of a shipped model: which files it has, whether they are whole, what was measured of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .builder import ARCHITECTURES, architecture

_PACKAGE = Path(__file__).resolve().parent
# Inside the package once that is installed, beside it in a checkout.
MODELS_FOLDER = _PACKAGE / "models" if (_PACKAGE / "models").is_dir() else _PACKAGE.parent / "models"
CHECKSUMS = "SHA256SUMS"
SCHEMA_VERSION = 1

_LARGEST = 1e6  # beyond any temperature and any size in pixels
_SHOWN = 50  # characters of what came instead


class ModelFileError(ValueError):
    """A file of a model is missing, damaged or of another version. The message names no path of the machine."""


def model_folder(name: str, models: Path | None = None) -> Path:
    """Returns the folder of a model.

    Args:
        name: A model of ``builder.ARCHITECTURES``.
        models: Folder of all models; by default this project's.

    Raises:
        ValueError: If there is no such model; names those there are.
    """
    return (models or MODELS_FOLDER) / architecture(name).name


def is_trained(name: str, models: Path | None = None) -> bool:
    """Whether weights of this model are shipped; others run with random weights, to measure latency."""
    return (model_folder(name, models) / CHECKSUMS).is_file()


def trained_models(models: Path | None = None) -> list[str]:
    """Returns the models whose weights are shipped, in the order of ``builder.ARCHITECTURES``.

    Args:
        models: Folder of all models; by default this project's.
    """
    return [name for name in ARCHITECTURES if is_trained(name, models)]


@contextmanager
def _reading(name: str, file_name: str) -> Iterator[None]:
    """Says which file the system did not give, instead of its path."""
    try:
        yield
    except OSError as error:
        raise ModelFileError(f"model {name}: models/{name}/{file_name} cannot be read: {error.strerror}") from error


def sha256(path: Path) -> str:
    """Returns the SHA-256 checksum of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked_file(name: str, file_name: str, models: Path | None = None) -> Path:
    """Returns the path of a model's file after comparing its checksum.

    Raises:
        ModelFileError: If the file or its checksum is missing, or they differ.
    """
    folder = model_folder(name, models)
    path = folder / file_name
    if not (folder / CHECKSUMS).is_file():
        raise ModelFileError(f"model {name} has no weights here: expected models/{name}/{CHECKSUMS}, found nothing")
    expected = {}
    with _reading(name, CHECKSUMS):
        lines = (folder / CHECKSUMS).read_text(errors="replace").splitlines()
    for line in lines:
        digest, _, listed = line.partition("  ")
        expected[listed.strip()] = digest.strip()
    if file_name not in expected:
        raise ModelFileError(f"model {name}: expected a checksum of {file_name} in {CHECKSUMS}, found none")
    if not path.is_file():
        raise ModelFileError(f"model {name}: expected the file models/{name}/{file_name}, found nothing")
    with _reading(name, file_name):
        actual = sha256(path)
    if actual != expected[file_name]:
        raise ModelFileError(
            f"model {name}: models/{name}/{file_name} is damaged: expected SHA-256 {expected[file_name][:12]}..., "
            f"but got {actual[:12]}...; fetch the file again"
        )
    return path


def write_checksums(folder: Path, file_names: list[str]) -> None:
    """Writes the checksums of a model's files in the format of ``sha256sum``."""
    lines = [f"{sha256(folder / name)}  {name}\n" for name in sorted(file_names)]
    temporary = folder / f"{CHECKSUMS}.partial"
    temporary.write_text("".join(lines))
    temporary.rename(folder / CHECKSUMS)


def read_metrics(name: str, models: Path | None = None) -> dict[str, Any] | None:
    """Reads what was measured of a model, or None if nothing was.

    What serving needs of it is checked, ``temperature`` and ``trained_sizes``; the rest is ``results``' to check.

    Raises:
        ModelFileError: If the file is damaged or of another schema version.
    """
    path = model_folder(name, models) / "metrics.json"
    if not path.is_file():
        return None
    with _reading(name, path.name):
        data = path.read_bytes()
    try:
        metrics = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"model {name}: metrics.json is damaged: {error}") from error
    if not isinstance(metrics, dict):
        raise ModelFileError(
            f"model {name}: metrics.json is damaged: expected an object, but got {type(metrics).__name__}"
        )
    version = metrics.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ModelFileError(
            f"model {name}: expected metrics.json of version {SCHEMA_VERSION}, but got {str(version)[:_SHOWN]}"
        )
    if not _is_number(metrics.get("temperature", 1.0)):
        raise ModelFileError(f"model {name}: metrics.json is damaged: temperature must be a number greater than zero")
    sizes = metrics.get("trained_sizes") or []
    if not isinstance(sizes, list) or not all(isinstance(size, int) and _is_number(size) for size in sizes):
        raise ModelFileError(f"model {name}: metrics.json is damaged: trained_sizes must be a list of sizes in pixels")
    return metrics


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= _LARGEST
