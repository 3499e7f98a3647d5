"""The protocols: what is scored, on which pictures, over which runs, and how several runs become one figure."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from . import runs
from .checkpoints import Progress
from .data import FOLDS, Picture, kdef_folds, split

SEEDS = 5

# Runtimes and CPUs round differently: bf16 moves a probability by up to 0.02, and an answer near a tie with it.
TOLERANCE = 0.005
# A fifth of KDEF's pictures shows one angle: one answer more or less is 0.006 of it.
TOLERANCE_BY_ANGLE = 0.015


@dataclass(frozen=True)
class Protocol:
    """What is scored.

    Attributes:
        data_set: A key of ``READERS``.
        description: One sentence for cards and pages.
        over: ``"folds"`` of people or ``"seeds"`` of a split that mixes people, each a recorded run; None scores the
            weights in ``models/``.
    """

    data_set: str
    description: str
    over: str | None = None


PROTOCOLS: dict[str, Protocol] = {
    "kdef-unseen-people-fold0": Protocol(
        "kdef", "KDEF, 12 people whom training never saw, five angles, from the photograph to the emotion"
    ),
    "raf-db-test": Protocol("raf-db", "RAF-DB, official test split, aligned faces as distributed"),
    "ferplus-test": Protocol("ferplus", "FER+, test part, pictures on whose emotion more than half of the votes agree"),
    "kdef-unseen-people": Protocol(
        "kdef", "KDEF, five trainings, each tested on a fifth of the people whom it never saw", "folds"
    ),
    "kdef-paper-split": Protocol(
        "kdef", "KDEF, five trainings on splits that mix people, as the paper's may do: 80 / 10 / 10 %", "seeds"
    ),
}


def check_protocol(name: str) -> Protocol:
    """Looks a protocol up by name.

    Raises:
        ValueError: If there is no such protocol; names those there are.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, but got {name!r}")
    return PROTOCOLS[name]


def in_order(figures: dict) -> dict:
    """Sorts figures, so that a record reads alike whichever were measured first.

    Args:
        figures: Figures by protocol, each a key of ``PROTOCOLS``.

    Returns:
        The same, in the order of ``PROTOCOLS``.
    """
    return {name: figures[name] for name in PROTOCOLS if name in figures}


def scored_pictures(name: str, pictures: Sequence[Picture]) -> list[Picture]:
    """Returns the pictures on which a protocol scores shipped weights: the test part, where there is an emotion."""
    indices = split(PROTOCOLS[name].data_set, pictures)["test"]
    return [pictures[index] for index in indices if pictures[index].emotion is not None]


def runs_of(protocol: Protocol, base: Progress) -> list[Progress]:
    """Returns the runs that a protocol averages: one for each fold, or for each seed.

    Args:
        protocol: One that is over folds or seeds.
        base: A run of the wanted model and recipe.
    """
    changes: list[dict[str, Any]]
    if protocol.over == "folds":
        changes = [{"split": "people", "fold": fold} for fold in range(FOLDS)]
    else:
        changes = [{"split": "mixed", "fold": None, "seed": seed} for seed in range(SEEDS)]
    # Deep, or the runs would share one history.
    return [dataclasses.replace(copy.deepcopy(base), **change) for change in changes]


def _file_name(picture: Picture) -> str:
    return PurePosixPath(picture.path).name


def pictures_of_test(run: Progress, pictures: Sequence[Picture]) -> list[Picture]:
    """Returns the pictures of KDEF that a run held out for its test, by its own record.

    Raises:
        ValueError: If they are not all there.
    """
    held = set(run.held_out["test"])
    key = _file_name if run.split == "mixed" else (lambda picture: picture.person)
    found = [picture for picture in pictures if key(picture) in held]
    missing = held - {key(picture) for picture in found}
    if missing:
        raise ValueError(
            f"the run was tested on {len(held)} people or pictures, but {len(missing)} are not in KDEF here"
        )
    return found


def people_on_both_sides(run: Progress, pictures: Sequence[Picture]) -> int:
    """Counts the people of whom a run has pictures in training and in its test."""
    key = _file_name if run.split == "mixed" else (lambda picture: picture.person)
    sides: dict[str, set] = {"test": set(), "train": set()}
    for picture in pictures:
        part = next((part for part, held in run.held_out.items() if key(picture) in held), "train")
        sides.setdefault(part, set()).add(picture.person)
    return len(sides["test"] & sides["train"])


def split_record(members: Sequence[Progress], pictures: Sequence[Picture]) -> dict:
    """Returns what the runs of a protocol were tested on.

    Args:
        members: Its finished runs.
        pictures: All of KDEF.

    Returns:
        ``people_on_both_sides`` of each run; where people are kept apart the ids of the people of each test and
        validation, else the seeds and a checksum of the names of each test's pictures, a line each.
    """
    record: dict = {"people_on_both_sides": [people_on_both_sides(run, pictures) for run in members]}
    if members[0].split == "people":
        return record | {
            "folds": [run.held_out["test"] for run in members],
            "validation": [run.held_out["validation"] for run in members],
        }
    names = ["\n".join(run.held_out["test"]) for run in members]
    return record | {
        "seeds": [run.seed for run in members],
        "people_in_test": [len({picture.person for picture in pictures_of_test(run, pictures)}) for run in members],
        "test_sha256": [hashlib.sha256(text.encode()).hexdigest() for text in names],
    }


def shipped_split(pictures: Sequence[Picture]) -> dict:
    """Returns which people of KDEF the shipped weights are tested on, and how the others are divided."""
    run = Progress("", "", 0, 0)
    runs.hold_out(run, list(pictures))
    return {
        "folds": kdef_folds([picture.person for picture in pictures if picture.person is not None]),
        "test_fold": 0,
        "validation": run.held_out["validation"],
        "people_on_both_sides": people_on_both_sides(run, pictures),
    }


def combine(figures: Sequence[dict]) -> dict:
    """Averages the figures of several runs.

    Args:
        figures: What ``evaluate.score_pictures`` returns, one of each run.

    Returns:
        The same keys: counts are sums, all else is the mean; and ``std``, the sample standard deviation of each
        figure that is a single number, and of ``accuracy_by_resolution``.
    """
    first, result, std = figures[0], {}, {}
    for key, value in first.items():
        values = [each[key] for each in figures]
        if key in ("images", "faces_missed"):
            result[key] = sum(values)
        elif key == "confusion":
            result[key] = np.sum(values, axis=0).tolist()
        elif key == "resolution":
            result[key] = value
        elif isinstance(value, dict):
            # A small test may lack an angle: the mean is then that of the others.
            parts = {part: [each[part] for each in values if part in each] for each in values for part in each}
            result[key] = {part: float(np.mean(shares)) for part, shares in parts.items()}
            if key == "accuracy_by_resolution":
                std[key] = {part: float(np.std(shares, ddof=1)) for part, shares in parts.items()}
        else:
            result[key], std[key] = float(np.mean(values)), float(np.std(values, ddof=1))  # type: ignore[assignment]
    return result | {"std": std}


def compare(figures: dict, stored: dict) -> Iterator[tuple[str, bool]]:
    """Compares fresh figures with stored ones, number by number.

    Args:
        figures: Figures of a protocol.
        stored: The same of an earlier time; a figure that is missing there differs.

    Yields:
        A line of text, and whether the two differ by more than ``TOLERANCE``, or ``TOLERANCE_BY_ANGLE`` (counts:
        at all).
    """
    for key, value in figures.items():
        if key in ("confusion", "split", "people", "runs", "command", "std"):
            continue
        before = stored.get(key)
        if isinstance(value, dict):
            before = before or {}
            rows = [(f"{key} {part}", number, before.get(part)) for part, number in value.items()]
        else:
            rows = [(key, value, before)]
        for label, number, other in rows:
            allowed = 0 if not isinstance(number, float) else TOLERANCE_BY_ANGLE if key == "by_angle" else TOLERANCE
            differs = other is None or abs(number - other) > allowed
            said = f"{number:.4f}" if isinstance(number, float) else str(number)
            yield f"{label}: {said}" + (f", stored {other}" if differs else ""), differs
