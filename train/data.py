"""Readers for KDEF, RAF-DB and FER+ as their owners distribute them, from a folder or a .zip file.

A reader lists ``Picture`` records without decoding anything; ``Source.read`` returns the bytes of one.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from sklearn.model_selection import StratifiedKFold, train_test_split

from fer_core.emotions import (
    EMOTIONS,
    FER_PLUS_COLUMNS,
    KDEF_ANGLES,
    KDEF_EMOTIONS,
    RAF_DB_EMOTIONS,
)

KDEF_NAME = re.compile(
    rf"(?P<session>[AB])(?P<person>[FM]\d\d)(?P<emotion>{'|'.join(KDEF_EMOTIONS)})(?P<angle>{'|'.join(KDEF_ANGLES)})"
    r"\.(jpe?g|png)",
    re.IGNORECASE,
)
PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png"}
FOLDS = 5
_FER_PLUS_PARTS = {"FER2013Train": "train", "FER2013Valid": "validation", "FER2013Test": "test"}


@dataclass(frozen=True)
class Picture:
    """One labeled picture of a data set.

    Attributes:
        path: Path inside its source.
        emotion: Name of the class, or None where the votes of FER+ name no winner.
        target: Seven probabilities in the order of ``EMOTIONS``: one-hot, or FER+'s share of votes.
        part: The data set's own split: ``"train"``, ``"validation"`` or ``"test"``; KDEF has none: ``"all"``.
        person: Person, where known (KDEF: ``"F01"`` for AF01 and BF01). Splits keep people apart by it.
        angle: Camera angle of KDEF: FL, HL, S, HR or FR.
    """

    path: str
    emotion: str | None
    target: tuple[float, ...]
    part: str
    person: str | None = None
    angle: str | None = None


class Source:
    """Files of a data set, in a folder or a .zip file, under one interface.

    Raises:
        FileNotFoundError: If there is neither a folder nor a file at ``path``.
        ValueError: If the file is not a .zip file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            self._zip = None
            self.names = sorted(str(p.relative_to(self.path).as_posix()) for p in self.path.rglob("*") if p.is_file())
        elif self.path.is_file():
            try:
                self._zip = zipfile.ZipFile(self.path)
            except zipfile.BadZipFile as error:
                raise ValueError(f"{self.path.name} must be a folder or a .zip file, but it is not: {error}") from error
            self.names = sorted(n for n in self._zip.namelist() if not n.endswith("/"))
        else:
            raise FileNotFoundError(f"expected the data set as a folder or a .zip file at {self.path}, found nothing")

    def read(self, name: str) -> bytes:
        """Returns the bytes of one file."""
        if self._zip is None:
            return (self.path / name).read_bytes()
        return self._zip.read(name)


def one_hot(emotion: str) -> tuple[float, ...]:
    """Returns a target with all its weight on one class."""
    return tuple(float(emotion == name) for name in EMOTIONS)


def read_kdef(source: Source) -> list[Picture]:
    """Lists KDEF, in its original folders (``KDEF/AF01/AF01ANS.JPG``) or flat: the file name says everything."""
    pictures = []
    for name in source.names:
        match = KDEF_NAME.fullmatch(PurePosixPath(name).name)
        if match:
            emotion = KDEF_EMOTIONS[match["emotion"].upper()]
            pictures.append(
                Picture(name, emotion, one_hot(emotion), "all", match["person"].upper(), match["angle"].upper())
            )
    return _found(pictures, source, "KDEF", "file names such as AF01ANS.JPG")


def read_raf_db(source: Source) -> list[Picture]:
    """Lists RAF-DB's basic set: aligned faces in ``{train,test}/{1..7}/``."""
    pictures = []
    for name in source.names:
        path = PurePosixPath(name)
        if path.suffix.lower() in PICTURE_SUFFIXES and len(path.parts) >= 3:
            part, code = path.parts[-3:-1]
            if part in ("train", "test") and code in RAF_DB_EMOTIONS:
                emotion = RAF_DB_EMOTIONS[code]
                pictures.append(Picture(name, emotion, one_hot(emotion), part))
    return _found(pictures, source, "RAF-DB", "pictures in train/1 to train/7 and test/1 to test/7")


def read_fer_plus(source: Source) -> list[Picture]:
    """Lists FER+: ``FER2013{Train,Valid,Test}/`` beside a ``label.csv`` of votes without a header.

    A picture is listed if at most 5 votes say unknown or not a face and at least 5 fall on the seven classes.
    Its target is the seven's share of votes; it has an emotion only if contempt does not lead and one class
    holds more than half of the seven's votes, so those with one are the protocol ``ferplus-test``.
    """
    pictures = []
    for name in source.names:
        path = PurePosixPath(name)
        if path.name != "label.csv" or path.parent.name not in _FER_PLUS_PARTS:
            continue
        for row in csv.reader(io.StringIO(source.read(name).decode())):
            if len(row) != 2 + len(FER_PLUS_COLUMNS):
                raise ValueError(f"{name}: expected {2 + len(FER_PLUS_COLUMNS)} columns, but got {len(row)}: {row}")
            votes = dict(zip(FER_PLUS_COLUMNS, map(int, row[2:]), strict=True))
            seven = np.array([votes[emotion] for emotion in EMOTIONS])
            if votes["unknown"] + votes["not-a-face"] > 5 or seven.sum() < 5:
                continue
            leads = votes["contempt"] <= seven.max() and seven.max() > seven.sum() / 2
            pictures.append(
                Picture(
                    path=str(path.parent / row[0]),
                    emotion=EMOTIONS[int(seven.argmax())] if leads else None,
                    target=tuple((seven / seven.sum()).tolist()),
                    part=_FER_PLUS_PARTS[path.parent.name],
                )
            )
    return _found(pictures, source, "FER+", "FER2013Train, FER2013Valid, FER2013Test with a label.csv each")


READERS = {"kdef": read_kdef, "raf-db": read_raf_db, "ferplus": read_fer_plus}


def _found(pictures: list[Picture], source: Source, data_set: str, expected: str) -> list[Picture]:
    if not pictures:
        raise ValueError(f"expected {data_set} ({expected}) in {source.path}, but found none of it")
    return pictures


def find_data(name: str, given: Path | None, folder: Path) -> Path:
    """Returns where a data set lies: the path given, or ``<folder>/<name>.zip`` or ``<folder>/<name>``.

    Raises:
        FileNotFoundError: If it is in none of these places.
    """
    candidates = [given] if given else [folder / f"{name}.zip", folder / name]
    for path in candidates:
        if path.exists():
            return path
    raise FileNotFoundError(
        f"{name} is needed, but was not found as {' or '.join(str(path) for path in candidates)}; "
        f"give --data FOLDER or --{name} PATH"
    )


def kdef_folds(people: Sequence[str]) -> list[list[str]]:
    """Divides people into five folds of about equal size with women and men in each, always the same way.

    Raises:
        ValueError: If there are fewer than five women or five men.
    """
    ordered = np.array(sorted(set(people)))
    sexes = [person[0] for person in ordered]
    if min(sexes.count("F"), sexes.count("M")) < FOLDS:
        raise ValueError(
            f"{FOLDS} folds of people need at least {FOLDS} women and {FOLDS} men, but got {sexes.count('F')} and "
            f"{sexes.count('M')}"
        )
    splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    return [ordered[test].tolist() for _, test in splitter.split(ordered, sexes)]


def _kdef_parts(pictures: Sequence[Picture], fold: int) -> np.ndarray:
    people = [picture.person for picture in pictures if picture.person is not None]  # KDEF names everybody
    test_people = kdef_folds(people)[fold]
    others = sorted(set(people) - set(test_people))
    # One fold of twelve among the 48 people left: 4 people, both sexes.
    sexes = [person[0] for person in others]
    splitter = StratifiedKFold(min(12, sexes.count("F"), sexes.count("M")), shuffle=True, random_state=0)
    _, validation = next(splitter.split(others, sexes))
    part_of = dict.fromkeys(others, "train")
    part_of |= dict.fromkeys(test_people, "test") | {others[index]: "validation" for index in validation}
    return np.array([part_of[person] for person in people])


def _mixed_parts(pictures: Sequence[Picture], seed: int) -> np.ndarray:
    """The paper's split: a fifth for validation, halved into validation and test; each has every emotion's share."""
    # By file name, so that the folders around the data set do not change the split.
    order = np.array(sorted(range(len(pictures)), key=lambda index: PurePosixPath(pictures[index].path).name.upper()))
    emotions = np.array([picture.emotion for picture in pictures])
    parts = np.full(len(pictures), "train", dtype=object)
    _, held_out = train_test_split(order, test_size=0.2, stratify=emotions[order], random_state=seed)
    validation, test = train_test_split(held_out, test_size=0.5, stratify=emotions[held_out], random_state=seed)
    parts[validation], parts[test] = "validation", "test"
    return parts


def split(
    data_set: str, pictures: Sequence[Picture], fold: int = 0, mixed_seed: int | None = None
) -> dict[str, np.ndarray]:
    """Divides a data set into training, validation and test; unless asked to, no person of KDEF is in two of them.

    * kdef: ``fold`` is the test, 4 people of the others the validation. Or, with ``mixed_seed``, 80, 10 and 10 % of
      the pictures of each emotion, whoever is on them: our reading of the paper's split.
    * raf-db: the official test; 5 % of the official training part, by class, are the validation.
    * ferplus: the official parts.

    Args:
        data_set: ``"kdef"``, ``"raf-db"`` or ``"ferplus"``.
        pictures: All records, as read.
        fold: Test fold of KDEF, 0-4.
        mixed_seed: Seed of a split of KDEF that mixes people, in place of ``fold``.

    Returns:
        Indices into ``pictures``, int64, by part: ``"train"``, ``"validation"``, ``"test"``.
    """
    if data_set == "kdef":
        parts = _kdef_parts(pictures, fold) if mixed_seed is None else _mixed_parts(pictures, mixed_seed)
    elif data_set == "raf-db":
        parts = np.array([picture.part for picture in pictures], dtype=object)
        train = np.flatnonzero(parts == "train")
        labels = [pictures[int(index)].emotion for index in train]
        _, validation = train_test_split(train, test_size=0.05, stratify=labels, random_state=0)
        parts[validation] = "validation"
    elif data_set == "ferplus":
        parts = np.array([picture.part for picture in pictures])
    else:
        raise ValueError(f"data set must be one of {', '.join(READERS)}, but got {data_set!r}")
    return {part: np.flatnonzero(parts == part) for part in ("train", "validation", "test")}
