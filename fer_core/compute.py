"""Who computes now, and with how many threads: the one gate of the process.

Frames and pictures compute one at a time, in turn per visitor, so that nobody with many requests starves the
others. A measurement takes the CPU for itself; whoever comes meanwhile is told so at once.
"""

from __future__ import annotations

import math
import os
import platform
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TELL_EVERY_S = 0.5
_NEWEST_SHARE = 0.2  # of the last turn in the average duration of a turn


class MeasurementRunning(RuntimeError):
    """Raised instead of waiting while a measurement has the CPU for itself."""

    def __init__(self) -> None:
        super().__init__("paused: this CPU is being measured")


@dataclass(frozen=True)
class Place:
    """Where somebody who waits for a turn stands.

    Attributes:
        ahead: Turns that come first, the one under way among them.
        seconds: About how long they take, judged by the last turns; None before the first has ended.
        waited_s: How long the waiting has lasted, in seconds.
    """

    ahead: int
    seconds: float | None
    waited_s: float = 0.0

    @property
    def fraction(self) -> float:
        """About how much of the waiting is over, 0 to 1."""
        return 0.0 if not self.seconds else self.waited_s / (self.waited_s + self.seconds)


class ComputeGate:
    """A fair lock: one turn at a time, visitors in rotation, measurements alone."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        # Visitors in the order of their next turn, each with tickets in the order of asking.
        self._waiting: OrderedDict[str, deque[object]] = OrderedDict()
        self._busy = False
        self._measuring = False
        self._measurements_waiting = 0
        self._turn_s: float | None = None

    @property
    def measuring(self) -> bool:
        """Whether a measurement has the CPU for itself, or waits for the last turn to end."""
        with self._condition:
            return self._measuring or self._measurements_waiting > 0

    def _next(self) -> object | None:
        for tickets in self._waiting.values():
            return tickets[0]
        return None

    def _leave_queue(self, visitor: str, ticket: object) -> None:
        tickets = self._waiting[visitor]
        tickets.remove(ticket)
        if tickets:
            self._waiting.move_to_end(visitor)
        else:
            del self._waiting[visitor]

    def _place(self, visitor: str, ticket: object, since: float) -> Place:
        mine = self._waiting[visitor].index(ticket)
        # In each round every visitor has one turn; those before this one in the rotation have one more.
        rounds = sum(min(len(tickets), mine) for name, tickets in self._waiting.items() if name != visitor)
        earlier = 0
        for name, tickets in self._waiting.items():
            if name == visitor:
                break
            earlier += len(tickets) > mine
        ahead = mine + rounds + earlier + self._busy
        return Place(ahead, None if self._turn_s is None else ahead * self._turn_s, time.monotonic() - since)

    def _wait(self, visitor: str, ticket: object, tell: Callable[[Place], None] | None) -> None:
        """Waits for a ticket's turn, with the condition held except while telling."""
        since = time.monotonic()
        tell_at = since + _TELL_EVERY_S
        while True:
            if self._measuring or self._measurements_waiting:
                raise MeasurementRunning
            if not self._busy and self._next() is ticket:
                return
            if tell is None or time.monotonic() < tell_at:
                self._condition.wait(None if tell is None else _TELL_EVERY_S)
                continue
            place = self._place(visitor, ticket, since)
            self._condition.release()
            try:
                tell(place)
            finally:
                self._condition.acquire()
            tell_at = time.monotonic() + _TELL_EVERY_S

    @contextmanager
    def turn(self, visitor: str, tell: Callable[[Place], None] | None = None) -> Iterator[None]:
        """Waits for this visitor's turn and holds the CPU while the block runs.

        Args:
            visitor: Any name that is the visitor's own, such as a session hash.
            tell: Called about twice a second while the turn has not come, from the thread that waits.

        Raises:
            MeasurementRunning: If a measurement runs or waits; at once, also for those already waiting.
        """
        ticket = object()
        with self._condition:
            if self._measuring or self._measurements_waiting:
                raise MeasurementRunning
            self._waiting.setdefault(visitor, deque()).append(ticket)
            try:
                self._wait(visitor, ticket, tell)
                self._busy = True
            finally:
                self._leave_queue(visitor, ticket)
                self._condition.notify_all()
        started = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - started
            with self._condition:
                before = took if self._turn_s is None else self._turn_s
                self._turn_s = before + _NEWEST_SHARE * (took - before)
                self._busy = False
                self._condition.notify_all()

    @contextmanager
    def measurement(self) -> Iterator[None]:
        """Waits for the turn under way to end, then holds the CPU exclusively while the block runs."""
        with self._condition:
            self._measurements_waiting += 1
            self._condition.notify_all()
            try:
                while self._busy or self._measuring:
                    self._condition.wait()
                self._measuring = True
            finally:
                self._measurements_waiting -= 1
                self._condition.notify_all()
        try:
            yield
        finally:
            with self._condition:
                self._measuring = False
                self._condition.notify_all()


gate = ComputeGate()
"""The gate of this process."""


def cpu_quota() -> float | None:
    """Returns the CPU quota of this process's control group in CPUs, or None if there is none."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            return int(quota) / int(period)
    except (OSError, ValueError):
        pass
    try:
        folder = Path("/sys/fs/cgroup/cpu")
        quota_us = int((folder / "cpu.cfs_quota_us").read_text())
        if quota_us > 0:
            return quota_us / int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        pass
    return None


def cpu_affinity() -> int:
    """Returns the number of CPUs that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def available_threads() -> int:
    """Returns the threads that every runtime uses: CPU affinity or the quota rounded up, whichever is less."""
    quota = cpu_quota()
    return max(1, min(cpu_affinity(), math.ceil(quota) if quota else cpu_affinity()))


def cpu_model() -> str:
    """Returns the CPU's own name for itself."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
