"""A process of its own that answers requests, one JSON object a line: the side that asks and the side that serves.

A request has ``request`` and its fields; every answer has ``event``. Answers end with ``done``, or with ``error``,
after which the process ends.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

_POLL_S = 0.1


class MeasurementFailed(RuntimeError):
    """The measuring process failed, died or hung. The message says what came; it names no path of the machine."""


class MeasurementCanceled(RuntimeError):
    """Somebody canceled the measurement."""

    def __init__(self) -> None:
        super().__init__("the measurement was canceled")


class WorkerProcess:
    """A module of this package that serves in a fresh interpreter. Use it as a context manager.

    A fresh interpreter is started instead of a fork or a ``multiprocessing`` spawn: the first would inherit thread
    pools, the second would import the caller's main module, for the app the whole user interface.

    Args:
        module: The module to run; it calls ``serve``.
        name: What is measured there, for messages.
        cancel: Set by another thread to end the measurement.
        silence_limit_s: Seconds without a word after which the process is killed.
        time_limit_s: Seconds after which it is killed in any case.
    """

    def __init__(
        self,
        module: str,
        name: str,
        cancel: threading.Event | None = None,
        silence_limit_s: float = math.inf,
        time_limit_s: float = math.inf,
    ) -> None:
        self._module = module
        self._name = name
        self._cancel = cancel or threading.Event()
        self._silence_limit_s = silence_limit_s
        self._time_limit_s = time_limit_s
        self._answers: queue.Queue[str | None] = queue.Queue()

    def __enter__(self) -> Self:
        project = str(Path(__file__).resolve().parents[1])
        paths = [project, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._lines = self._process.stdin, self._process.stdout
        self._deadline = time.monotonic() + self._time_limit_s
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *exception: object) -> None:
        # The whole group: the process may have started others.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        with contextlib.suppress(BrokenPipeError):
            self._requests.close()
        self._lines.close()

    def _read(self) -> None:
        for line in self._lines:
            self._answers.put(line)
        self._answers.put(None)

    def ask(self, request: str, activity: str, **fields: object) -> Iterator[dict]:
        """Sends a request and yields its answers, without the last, ``done``.

        Args:
            request: Its name.
            activity: What the process does meanwhile, for messages, such as ``"loading"``.
            fields: What else it says, JSON-ready.

        Raises:
            ValueError: If the other side cannot use what it was given.
            MeasurementFailed: If the process failed, died or hung.
            MeasurementCanceled: If it was canceled.
        """
        try:
            self._requests.write(json.dumps({"request": request} | fields) + "\n")
            self._requests.flush()
        except BrokenPipeError:
            raise self._died(activity) from None
        while True:
            answer = self._next_answer(activity)
            if answer["event"] == "done":
                return
            if answer["event"] == "error":
                if answer["expected"]:
                    raise ValueError(answer["message"])
                raise MeasurementFailed(f"{self._name} failed while {activity}: {answer['message']}")
            yield answer

    def _next_answer(self, activity: str) -> dict:
        silent_until = time.monotonic() + self._silence_limit_s
        while True:
            if self._cancel.is_set():
                raise MeasurementCanceled
            try:
                line = self._answers.get(timeout=_POLL_S)
            except queue.Empty:
                if time.monotonic() > min(silent_until, self._deadline):
                    raise MeasurementFailed(
                        f"the measuring process of {self._name} took too long while {activity} and was ended"
                    ) from None
                continue
            if line is None:
                raise self._died(activity)
            return json.loads(line)

    def _died(self, activity: str) -> MeasurementFailed:
        status = self._process.wait()
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return MeasurementFailed(f"the measuring process of {self._name} died while {activity} ({how})")


def plain(error: BaseException) -> str:
    """Returns the first line of an error, 200 characters at most, without the machine's paths."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return re.sub(r"(?<![\w.-])(?:[A-Za-z]:)?(?:[\\/][\w.+-]+){2,}", "(a file)", line)[:200]


Send = Callable[..., None]
"""Sends an answer: its ``event``, and fields by keyword."""


def serve(actions: Callable[[Send], Mapping[str, Callable[..., None]]]) -> None:
    """Answers the requests on standard input until it ends.

    Args:
        actions: Takes the function that sends an answer; returns what to call, by request, with its fields.
    """
    # Libraries print. What they print goes to standard error, so that the answers stay clean.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def send(event: str, **fields: object) -> None:
        answers.write(json.dumps({"event": event} | fields) + "\n")
        answers.flush()

    known = actions(send)
    # Whoever asked may be gone; then nobody needs an answer.
    with contextlib.suppress(BrokenPipeError):
        for line in sys.stdin:
            request = json.loads(line)
            action = known[request.pop("request")]
            try:
                action(**request)
            except Exception as error:  # whatever it was, the other side has to hear of it
                send("error", message=plain(error), expected=isinstance(error, (ValueError, ImportError)))
                raise
            send("done")
