"""The folder of a shipped model: which files it has, whether they are whole, what was measured of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from .builder import architecture

_PACKAGE = Path(__file__).resolve().parent
# Inside the package once that is installed, beside it in a checkout.
MODELS_FOLDER = _PACKAGE / "models" if (_PACKAGE / "models").is_dir() else _PACKAGE.parent / "models"
CHECKSUMS = "SHA256SUMS"
SCHEMA_VERSION = 1


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
    for line in (folder / CHECKSUMS).read_text().splitlines():
        digest, _, listed = line.partition("  ")
        expected[listed.strip()] = digest.strip()
    if file_name not in expected:
        raise ModelFileError(f"model {name}: expected a checksum of {file_name} in {CHECKSUMS}, found none")
    if not path.is_file():
        raise ModelFileError(f"model {name}: expected the file models/{name}/{file_name}, found nothing")
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


def read_metrics(name: str, models: Path | None = None) -> dict | None:
    """Reads what was measured of a model, or None if nothing was.

    Raises:
        ModelFileError: If the file is damaged or of another schema version.
    """
    path = model_folder(name, models) / "metrics.json"
    if not path.is_file():
        return None
    try:
        metrics = json.loads(path.read_text())
        version = metrics["schema_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"model {name}: metrics.json is damaged: {error}") from error
    if version != SCHEMA_VERSION:
        raise ModelFileError(f"model {name}: expected metrics.json of version {SCHEMA_VERSION}, but got {version}")
    return metrics
