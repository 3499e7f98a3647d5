"""The calibrations of this machine: one is measured at a time, everybody sees its progress, the last ones stay."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from fer_core.calibration import Progress, calibrate
from fer_core.measurements import Measurements

FRESH_SECONDS = 300.0
"""A calibration younger than this is shown instead of measured again, unless its owner asks."""

MOST_KEPT = 32
"""Calibrations that are kept, the last ones: visitors type ladders of their own, which would fill the memory."""

_POLL_SECONDS = 0.25
_LEAST_FRACTION = 0.1  # of a calibration, before its pace says when it ends


@dataclass(frozen=True)
class Task:
    """What is calibrated: a model in a runtime, over a ladder, by a protocol, for a target in ms."""

    model: str
    runtime: str
    ladder: str
    protocol: str
    target_ms: float

    @property
    def kept_under(self) -> tuple[str, str, str, str]:
        """The target is a visitor's own; the measurement belongs to the machine."""
        return self.model, self.runtime, self.ladder, self.protocol


@dataclass(frozen=True)
class Kept:
    """A finished calibration.

    Attributes:
        measurements: What was measured.
        record: Its record as measured, verification included.
        ended: When it ended, ``time.monotonic``.
        owner: Who asked for it; None for one that a visitor uploaded, which was not measured here.
    """

    measurements: Measurements
    record: dict
    ended: float
    owner: str | None = None

    @property
    def age_seconds(self) -> float:
        """Seconds since it was measured."""
        return time.monotonic() - self.ended


@dataclass
class _Run:
    task: Task
    owner: str
    cancel: threading.Event = field(default_factory=threading.Event)
    progress: Progress | None = None
    kept: Kept | None = None
    error: Exception | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.monotonic)


class Board:
    """All calibrations of this process. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # In the order in which they ended.
        self._kept: dict[tuple[str, str, str, str], Kept] = {}
        self._run: _Run | None = None

    def last(self, task: Task) -> Kept | None:
        """Returns the last good calibration of what a task measures."""
        with self._lock:
            return self._kept.get(task.kept_under)

    def fresh(self, task: Task, owner: str) -> Kept | None:
        """Returns the last good calibration if it is recent and somebody else's: shown instead of measured again."""
        kept = self.last(task)
        if kept is None or kept.owner == owner or kept.age_seconds > FRESH_SECONDS:
            return None
        return kept

    def latest(self) -> Kept | None:
        """Returns the calibration that ended last, of whatever."""
        with self._lock:
            return next(reversed(self._kept.values()), None)

    def kept(self) -> tuple[Kept, ...]:
        """Returns every calibration that is kept, the newest first."""
        with self._lock:
            return tuple(reversed(self._kept.values()))

    def start_or_follow(self, task: Task, owner: str) -> Iterator[tuple[Task, Progress]]:
        """Starts a calibration, or follows the one under way, whatever it measures.

        Args:
            task: What to measure.
            owner: Who asks; only the owner may cancel.

        Yields:
            The task that is measured, and its progress whenever there is news.

        Raises:
            ValueError, MeasurementFailed, MeasurementCanceled: As ``calibrate``.
        """
        run = self._join(task, owner)
        shown = None
        while True:
            ended = run.ended.wait(_POLL_SECONDS)
            if run.progress is not None and run.progress is not shown:
                shown = run.progress
                yield run.task, shown
            if ended:
                break
        if run.error is not None:
            raise run.error

    def measure(self, task: Task, owner: str, tell: Callable[[Task, Progress], None] | None = None) -> Kept:
        """Measures a task to its end, after the calibration of somebody else that is under way.

        Args:
            task: What to measure.
            owner: Who asks; only the owner may cancel.
            tell: Called now and then with what is measured and how far that is, from the thread that waits.

        Returns:
            The calibration; somebody else's if it measured the very same task meanwhile.

        Raises:
            ValueError, MeasurementFailed, MeasurementCanceled: As ``calibrate``.
        """
        while True:
            run = self._join(task, owner)
            while not run.ended.wait(_POLL_SECONDS):
                if tell is not None and run.progress is not None:
                    tell(run.task, run.progress)
            if run.task == task and run.kept is not None:
                return run.kept
            if run.task == task and run.owner == owner:
                assert run.error is not None, "it has ended without a calibration"
                raise run.error

    def _join(self, task: Task, owner: str) -> _Run:
        """Returns the run under way, or a new one."""
        run = _Run(task, owner)
        # Unusable arguments raise here, before anything runs, also for those who would only follow.
        steps = calibrate(task.model, task.runtime, task.target_ms, task.ladder, task.protocol, cancel=run.cancel)
        with self._lock:
            if self._run is None or self._run.ended.is_set():
                self._run = run
                threading.Thread(target=self._measure, args=(run, steps), name="calibration", daemon=True).start()
            return self._run

    def _measure(self, run: _Run, steps: Iterator[Progress]) -> None:
        try:
            for progress in steps:
                if progress.record is not None and progress.measurements is not None:
                    run.kept = Kept(progress.measurements, progress.record, time.monotonic(), run.owner)
                    self._keep(run.task, run.kept)
                run.progress = progress
        # Raised again in front of everybody who follows.
        except Exception as error:
            run.error = error
        finally:
            run.ended.set()

    def _keep(self, task: Task, kept: Kept) -> None:
        with self._lock:
            self._kept.pop(task.kept_under, None)
            self._kept[task.kept_under] = kept
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]

    @property
    def fraction(self) -> float:
        """How far the calibration under way is, 0 to 1; 0 where there is none."""
        with self._lock:
            run = self._run
        return 0.0 if run is None or run.ended.is_set() or run.progress is None else run.progress.fraction

    def paused(self) -> str:
        """Says to those who would compute that this CPU is being measured, and for about how long, if that is known."""
        with self._lock:
            run = self._run
        message = "paused: this CPU is being measured"
        if run is None or run.ended.is_set() or run.progress is None or run.progress.fraction < _LEAST_FRACTION:
            return message
        fraction = run.progress.fraction
        seconds = (time.monotonic() - run.started) * (1 - fraction) / fraction
        return f"{message}, for about {max(1, round(seconds))} s more"

    def cancel(self, owner: str) -> bool:
        """Cancels the calibration under way if it is this owner's; returns whether it was."""
        with self._lock:
            run = self._run
            if run is None or run.ended.is_set() or run.owner != owner:
                return False
            run.cancel.set()
            return True


board = Board()
"""The board of this process."""
