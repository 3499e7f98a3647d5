"""The table of a video, a row for each face in each frame, written while the video is read: CSV and JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, TextIO

from .emotions import EMOTIONS
from .face import TrackedFace

SCHEMA_VERSION = 1
COLUMNS = ("frame", "time_s", "track", "x0", "y0", "x1", "y1", *EMOTIONS, "emotion", "unsure")

_TIME_DIGITS = 6
_PROBABILITY_DIGITS = 4


class Table(Protocol):
    """Writes rows to an open text file; holds none of them."""

    def begin(self, header: Mapping[str, object]) -> None:
        """Takes what is known of the video before its first frame."""

    def add(self, frame: int, time_s: float, faces: Sequence[TrackedFace]) -> None:
        """Writes the faces of a frame, boxes in pixels of the video as displayed."""

    def end(self, footer: Mapping[str, object]) -> None:
        """Takes what is known of the video after its last frame."""


def _probabilities(face: TrackedFace) -> dict[str, float]:
    return {emotion: round(face.probabilities[emotion], _PROBABILITY_DIGITS) for emotion in EMOTIONS}


class CsvTable:
    """A header of ``COLUMNS``, then the rows."""

    def __init__(self, file: TextIO) -> None:
        self._writer = csv.writer(file, lineterminator="\n")

    def begin(self, header: Mapping[str, object]) -> None:
        self._writer.writerow(COLUMNS)

    def add(self, frame: int, time_s: float, faces: Sequence[TrackedFace]) -> None:
        for face in faces:
            probabilities = _probabilities(face).values()
            unsure = str(face.unsure).lower()
            row = (frame, round(time_s, _TIME_DIGITS), face.track_id, *face.box, *probabilities, face.emotion, unsure)
            self._writer.writerow(row)

    def end(self, footer: Mapping[str, object]) -> None:
        pass


class JsonTable:
    """One object: the header's keys, ``rows``, the footer's keys. supervision's JSONSink would hold all rows."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._rows = 0

    def begin(self, header: Mapping[str, object]) -> None:
        items = {"schema_version": SCHEMA_VERSION, **header}
        self._file.write("{\n" + "".join(f"{_pair(*item)},\n" for item in items.items()) + '"rows": [')

    def add(self, frame: int, time_s: float, faces: Sequence[TrackedFace]) -> None:
        for face in faces:
            row = {
                "frame": frame,
                "time_s": round(time_s, _TIME_DIGITS),
                "track": face.track_id,
                "box": list(face.box),
                "probabilities": _probabilities(face),
                "emotion": face.emotion,
                "unsure": face.unsure,
            }
            self._file.write((",\n" if self._rows else "\n") + json.dumps(row, allow_nan=False))
            self._rows += 1

    def end(self, footer: Mapping[str, object]) -> None:
        self._file.write("\n]" + "".join(f",\n{_pair(*item)}" for item in footer.items()) + "\n}\n")


def _pair(key: str, value: object) -> str:
    return f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}"


TABLES: dict[str, type[Table]] = {".csv": CsvTable, ".json": JsonTable}
"""Kinds of table by the ending of the file's name."""


def table_kind(path: Path) -> type[Table]:
    """Returns the kind of table that a file name asks for.

    Raises:
        ValueError: If its ending is none of ``TABLES``.
    """
    kind = TABLES.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"the table's name must end in {' or '.join(TABLES)}, but got {path.name}")
    return kind
