"""Writes ``metrics.json`` files for tests."""

from __future__ import annotations

import json
from pathlib import Path

SIZES = ("48", "64", "100", "128", "224", "302")


def protocol(accuracy: float, /, **changes: object) -> dict:
    """Returns a whole protocol entry; ``changes`` replace fields, and one that is None is left out."""
    entry = {
        "description": f"pictures answered with {accuracy}",
        "accuracy": accuracy,
        "loss": 1.1,
        "f1_macro": accuracy - 0.013,
        "f1_micro": accuracy + 0.002,
        "f1_weighted": accuracy - 0.005,
        "calibration_error": 0.031,
        "confusion": [[9 if true == answer else 1 for answer in range(7)] for true in range(7)],
        "images": 105,
        "faces_missed": 2,
        "people": 12,
        "resolution": 128,
        "accuracy_by_resolution": {size: accuracy - (0 if size == "128" else 0.1) for size in SIZES},
        "by_angle": {
            "S": accuracy + 0.02,
            "FL": accuracy - 0.1,
            "HL": accuracy,
            "HR": accuracy,
            "FR": accuracy - 0.2,
        },
        "weights": "shipped",
        "date": "2026-11-20",
        "machine": "a CPU, 2 threads",
        "runtime": "openvino (fp32)",
    }
    return {name: value for name, value in (entry | changes).items() if value is not None}


def write_metrics(models: Path, model: str, protocols: dict, /, **fields: object) -> None:
    """Writes a model's ``metrics.json`` below ``models``; ``fields`` are added at its top."""
    folder = models / model
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps({"schema_version": 1, "protocols": protocols} | fields))
