"""Batches of augmented crops: batch k of a stage depends on the seed and k alone, so a run resumes exactly."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from fer_core.emotions import EMOTIONS
from fer_core.faces import resize_square

from .augment import augment
from .crops import Crops
from .recipes import Stage

EMBEDDING = 128  # numbers in the teacher's description of a face
_AHEAD = 6  # batches prepared while the model trains
_FEWEST = 8  # pictures in a step at a large size: fewer would make poor statistics for batch normalization


@dataclass(frozen=True)
class Part:
    """The pictures of one data set that a stage trains on.

    Attributes:
        crops: The prepared data set.
        indices: Which of its pictures, int64 ``(n,)``.
        targets: float32 ``(n, 7)``, rows sum to 1.
        embeddings: The teacher's embeddings, float16 ``(n, 128)``, or None.
    """

    crops: Crops
    indices: np.ndarray
    targets: np.ndarray
    embeddings: np.ndarray | None = None


@dataclass(frozen=True)
class Batch:
    """Input of one step.

    Attributes:
        images: float32 RGB 0-255 ``(N, H, W, 3)``.
        targets: float32 ``(N, 7)``, rows sum to 1.
        weights: float32 ``(N,)`` with a mean near 1.
        embeddings: float32 ``(N, 128)``; zeros where the teacher said nothing.
        taught: float32 ``(N,)``: 1 where it said something, else 0.
    """

    images: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    embeddings: np.ndarray
    taught: np.ndarray


def part_of(
    crops: Crops,
    indices: np.ndarray,
    soft_labels: np.ndarray | None = None,
    share: float = 0.0,
    embeddings: np.ndarray | None = None,
) -> Part:
    """Selects the pictures in which a face was found and sets their targets.

    Args:
        crops: A prepared data set.
        indices: Pictures to choose from.
        soft_labels: The teacher's probabilities for all pictures, ``(len(crops.pictures), 7)``, or None.
        share: Share of the target taken from ``soft_labels``.
        embeddings: The teacher's embeddings for all pictures, ``(len(crops.pictures), 128)``, or None.
    """
    indices = np.asarray([index for index in indices if crops.found[index]], np.int64)
    targets = np.array([crops.pictures[index].target for index in indices], np.float32).reshape(-1, len(EMOTIONS))
    if soft_labels is not None and share:
        targets = (1 - share) * targets + share * soft_labels[indices]
    return Part(crops, indices, targets.astype(np.float32), None if embeddings is None else embeddings[indices])


def class_weights(targets: np.ndarray, power: float) -> np.ndarray:
    """Weighs classes by (mean count / count) to a power, float32 ``(7,)``; counts are sums of target shares.

    Power 1 is scikit-learn's ``balanced``. A class without pictures weighs 1.
    """
    counts = targets.sum(axis=0)
    weights = np.ones(len(counts))
    present = counts > 0
    weights[present] = (counts[present].mean() / counts[present]) ** power
    return weights.astype(np.float32)


class Batches:
    """All batches of one stage.

    Args:
        stage: Sizes, augmentation, batch size and copies of each data set.
        parts: Data sets by name; every name in ``stage.data`` must be there.
        seed: Seed of order, sizes and augmentation.

    Raises:
        ValueError: If a data set is missing, or there are fewer pictures than a batch.
    """

    def __init__(self, stage: Stage, parts: dict[str, Part], seed: int) -> None:
        missing = set(stage.data) - set(parts)
        if missing:
            raise ValueError(f"the stage needs the data sets {sorted(stage.data)}, but {sorted(missing)} are missing")
        self.stage = stage
        self.seed = seed
        self._parts = [parts[name] for name in stage.data]
        # One row per picture: which part, which row of it.
        self._rows = [
            np.column_stack([np.full(len(part.indices), number), np.arange(len(part.indices))])
            for number, part in enumerate(self._parts)
        ]
        per_epoch = sum(round(len(rows) * copies) for rows, copies in zip(self._rows, stage.data.values(), strict=True))
        self.steps_per_epoch = per_epoch // stage.batch
        if self.steps_per_epoch == 0:
            raise ValueError(f"an epoch needs at least one batch of {stage.batch} pictures, but got {per_epoch}")
        self.steps = self.steps_per_epoch * stage.epochs
        copies = np.repeat(list(stage.data.values()), [len(part.indices) for part in self._parts])
        weighted = np.concatenate([part.targets for part in self._parts]) * copies[:, None]
        self._class_weights = class_weights(weighted, stage.class_weight_power)
        # Mean 1 over an epoch, so that the learning rate means the same with any weights.
        self._class_weights /= (weighted @ self._class_weights).sum() / weighted.sum()
        self._sizes = np.asarray(stage.size_weights, float) / sum(stage.size_weights)
        self._epoch, self._order = -1, np.empty((0, 2), int)

    def _epoch_order(self, epoch: int) -> np.ndarray:
        if epoch != self._epoch:
            rng = np.random.default_rng([self.seed, 1, epoch])
            chosen = []
            for rows, copies in zip(self._rows, self.stage.data.values(), strict=True):
                whole, rest = int(copies), round(len(rows) * copies) - int(copies) * len(rows)
                chosen += [rows] * whole + [rng.permutation(rows)[:rest]]
            self._epoch, self._order = epoch, rng.permutation(np.concatenate(chosen))
        return self._order

    def _make(self, step: int, rows: np.ndarray) -> Batch:
        rng = np.random.default_rng([self.seed, 2, step])
        size = int(rng.choice(self.stage.sizes, p=self._sizes))
        full = self.stage.full_batch_up_to
        if full and size > full:
            # The rows are in random order, so that those left out differ from epoch to epoch.
            rows = rows[: max(_FEWEST, round(len(rows) * (full / size) ** 2))]
        images = np.empty((len(rows), size, size, 3), np.float32)
        targets = np.empty((len(rows), len(EMOTIONS)), np.float32)
        embeddings, taught = np.zeros((len(rows), EMBEDDING), np.float32), np.zeros(len(rows), np.float32)
        for position, (number, row) in enumerate(rows):
            part = self._parts[number]
            crop = np.asarray(part.crops.images[part.indices[row]])
            images[position] = augment(crop, size, self.stage.augmentation, rng)
            targets[position] = part.targets[row]
            if part.embeddings is not None:
                embeddings[position], taught[position] = part.embeddings[row], 1.0
        weights = targets @ self._class_weights
        targets = targets * (1 - self.stage.label_smoothing) + self.stage.label_smoothing / len(EMOTIONS)
        return Batch(images, targets, weights, embeddings, taught)

    def iterate(self, first_step: int = 0, workers: int = 2) -> Iterator[Batch]:
        """Yields batches ``first_step`` to ``steps``, prepared ahead by a few threads, always in the same order."""
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque = deque()
            try:
                for step in range(first_step, self.steps):
                    epoch, place = divmod(step, self.steps_per_epoch)
                    start = place * self.stage.batch
                    rows = self._epoch_order(epoch)[start : start + self.stage.batch]
                    waiting.append(pool.submit(self._make, step, rows))
                    if len(waiting) > _AHEAD:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()


def plain_batches(part: Part, size: int, batch: int = 128) -> Iterator[np.ndarray]:
    """Yields all crops of a part in order, without augmentation: float32 RGB 0-255 ``(n, size, size, 3)``."""
    for start in range(0, len(part.indices), batch):
        crops = [
            resize_square(np.asarray(part.crops.images[index]), size) for index in part.indices[start : start + batch]
        ]
        yield np.stack(crops).astype(np.float32)
