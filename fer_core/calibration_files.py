"""Calibrations as JSON files: written whole or not at all, and read back with distrust."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Collection
from pathlib import Path

from .builder import ARCHITECTURES
from .latency import PROTOCOLS, ROLES, Point, Reference, point_of
from .measurements import SCHEMA_VERSION, Floor, Measurements
from .measuring import Skipped
from .points import check_points
from .runtimes import RUNTIMES

LARGEST_FILE = 5_000_000
"""Largest file that is read, in bytes; a calibration has some tens of thousands."""

_MOST_POINTS = 200
_MOST_RUNS = 20_000
_LONGEST_TEXT = 200
_LONGEST_TIME_MS = 1e7
_LARGEST_COUNT = 1_000_000
# Runs are written with a nanosecond of resolution; a summary of them may differ by rounding alone.
_SUMMARY_TOLERANCE = 1e-3


def save_calibration(record: dict, path: Path) -> None:
    """Writes a calibration so that the file is either the old one or the new one, never a part.

    Args:
        record: A calibration of ``answers.solve_calibration``.
        path: File to write.

    Raises:
        ValueError: If the folder does not exist or cannot be written to.
    """
    text = json.dumps(record, indent=2, allow_nan=False) + "\n"
    try:
        handle, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise ValueError(f"expected a folder to write {path.name} into, but {error.strerror}") from error
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def load_calibration(path: Path) -> Measurements:
    """Reads a calibration.

    Args:
        path: A file that ``save_calibration`` wrote, here or on another machine.

    Raises:
        ValueError: If the file is missing, too large, damaged, of another version, or no calibration.
    """
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"a calibration has at most {LARGEST_FILE:,} bytes, but {path.name} has more")
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"expected a calibration file, but {path.name}: {error.strerror}") from error
    return parse_calibration(data)


def parse_calibration(data: bytes) -> Measurements:
    """Reads a calibration from bytes, which may come from anybody.

    Args:
        data: JSON text.

    Raises:
        ValueError: If it is empty, damaged, of another version, or no calibration; says what is wrong.
    """
    if not data.strip():
        raise ValueError("expected a calibration in JSON, but the file is empty")
    try:
        record = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError("expected a calibration in JSON, but the file is damaged or of another kind") from error
    if not isinstance(record, dict) or not {"model", "runtime", "points"} <= record.keys():
        raise ValueError("expected a calibration with model, runtime and points, but this JSON is something else")
    version = record.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(f"expected a calibration of schema_version {SCHEMA_VERSION}, but got {version!r}")
    return _measurements(record)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _measurements(record: dict) -> Measurements:
    protocol = _one_of(record.get("protocol", PROTOCOLS[0]), "protocol", PROTOCOLS)
    rows = _rows(record, "points", _MOST_POINTS)
    points = sorted((_point(row, protocol) for row in rows), key=lambda point: point.resolution)
    check_points([point.resolution for point in points], [point.latency_ms for point in points])
    reference = record.get("reference")
    if reference is not None:
        reference = _fields(reference, "reference")
        reference = Reference(_time(reference, "before_ms"), _time(reference, "after_ms"))
    return Measurements(
        model=_one_of(record["model"], "model", ARCHITECTURES),
        weights=_one_of(record.get("weights", "random"), "weights", ("trained", "random")),
        runtime=_one_of(record["runtime"], "runtime", RUNTIMES),
        ladder=_text(record.get("ladder", "unknown"), "ladder"),
        protocol=protocol,
        points=tuple(points),
        skipped=tuple(
            Skipped(_whole(row, "resolution"), _text(row.get("reason", ""), "reason"))
            for row in _rows(record, "skipped", _MOST_POINTS)
        ),
        timed={_text(name, "timed"): _text(text, "timed") for name, text in _fields(record.get("timed", {})).items()},
        environment=_plain(_fields(record.get("environment", {}), "environment")),
        reference=reference,
        other_floors=tuple(
            Floor(_one_of(row.get("runtime"), "runtime", RUNTIMES), _whole(row, "resolution"), _time(row, "floor_ms"))
            for row in _rows(record, "other_floors", len(RUNTIMES))
        ),
    )


def _point(row: dict, protocol: str) -> Point:
    resolution = _whole(row, "resolution")
    preprocessing = None if row.get("preprocessing_ms") is None else _time(row, "preprocessing_ms")
    visits = row.get("visits_ms") or []
    if not isinstance(visits, list) or not all(isinstance(visit, list) and visit for visit in visits):
        raise ValueError(f"visits_ms of {resolution} px must be lists of runs, but got something else")
    if sum(map(len, visits)) > _MOST_RUNS:
        raise ValueError(f"expected at most {_MOST_RUNS} runs of {resolution} px, but got more")
    median = _time(row, "median_ms")
    role = _one_of(row.get("role", ROLES[0]), "role", ROLES)
    if visits:
        runs = [[_time({"visits_ms": run}, "visits_ms") for run in visit] for visit in visits]
        point = point_of(resolution, runs, preprocessing, protocol, role)
        if not math.isclose(point.median_ms, median, rel_tol=_SUMMARY_TOLERANCE):
            raise ValueError(
                f"median_ms of {resolution} px must be that of its runs, {point.median_ms:.3f}, but got {median:.3f}"
            )
        return point
    mean = None if row.get("mean_ms") is None else _time(row, "mean_ms")
    p10, p90 = _time(row, "p10_ms"), _time(row, "p90_ms")
    if not p10 <= median <= p90:
        raise ValueError(f"expected p10_ms <= median_ms <= p90_ms at {resolution} px, but got {p10}, {median}, {p90}")
    return Point(resolution, median, p10, p90, _whole(row, "runs"), mean, preprocessing, protocol, role=role)


def _fields(value: object, name: str = "timed") -> dict:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object, but got {type(value).__name__}")
    return value


def _rows(record: dict, name: str, most: int) -> list[dict]:
    rows = record.get(name, [])
    if not isinstance(rows, list) or len(rows) > most or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{name} must be a list of at most {most} objects, but got something else")
    return rows


def _one_of(value: object, name: str, valid: Collection[str]) -> str:
    if not isinstance(value, str) or value not in valid:
        raise ValueError(f"{name} must be one of {', '.join(valid)}, but got {_shown(value)}")
    return value


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise ValueError(f"{name} must be text of at most {_LONGEST_TEXT} characters, but got something else")
    return value


def _shown(value: object) -> str:
    if isinstance(value, (list, dict)):
        return type(value).__name__
    # A stranger's text may be long, and repr of a huge integer raises.
    return "a huge number" if isinstance(value, int) and abs(value) > _LONGEST_TIME_MS else repr(value)[:_LONGEST_TEXT]


def _time(row: dict, name: str) -> float:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= _LONGEST_TIME_MS:
        raise ValueError(
            f"{name} must be a number greater than zero and at most {_LONGEST_TIME_MS:.0e}, but got {_shown(value)}"
        )
    return float(value)


def _whole(row: dict, name: str) -> int:
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LARGEST_COUNT:
        raise ValueError(f"{name} must be a whole number of 1 to {_LARGEST_COUNT}, but got {_shown(value)}")
    return value


def _plain(fields: dict) -> dict:
    """Keeps numbers and short text, one level deep: an environment from a stranger is shown, not trusted."""
    kept = {}
    for name, value in list(fields.items())[:50]:
        if isinstance(value, dict):
            value = {k[:50]: v[:50] for k, v in list(value.items())[:50] if isinstance(v, str)}
        elif isinstance(value, str):
            value = value[:_LONGEST_TEXT]
        elif value is not None and not isinstance(value, (int, float)):
            continue
        kept[name[:50]] = value
    return kept
