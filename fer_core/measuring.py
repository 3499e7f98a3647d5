"""Measures a runtime in a process of its own, which can be canceled, dies alone and never hangs the caller."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .builder import architecture
from .latency import Protocol, Visit
from .runtimes import PRECISIONS, RUNTIMES

SILENCE_LIMIT_S = 120.0
"""Seconds without a word after which the process counts as hanging. Loading a model is the longest silence."""

TIME_LIMIT_S = 900.0
"""Seconds after which a process is ended in any case."""

_POLL_S = 0.1


class MeasurementFailed(RuntimeError):
    """The measuring process failed, died or hung. The message says what came; it names no path of the machine."""


class MeasurementCanceled(RuntimeError):
    """Somebody canceled the measurement."""

    def __init__(self) -> None:
        super().__init__("the measurement was canceled")


@dataclass(frozen=True)
class Loaded:
    """A model in its runtime.

    Attributes:
        weights: ``"trained"`` or ``"random"``.
        precision: What it computes in, ``"fp32"`` or ``"bf16"``.
        timed: What is timed, in words, by name.
    """

    weights: str
    precision: str
    timed: dict[str, str]


@dataclass(frozen=True)
class Ready:
    """A size that is compiled and warm: side in pixels."""

    resolution: int


@dataclass(frozen=True)
class Skipped:
    """A size that could not be measured: side in pixels, and why."""

    resolution: int
    reason: str


def check_names(model: str, runtime: str, precision: str) -> None:
    """Raises a ValueError that names the valid ones if a model, a runtime or a precision does not exist."""
    architecture(model)
    if runtime not in RUNTIMES:
        raise ValueError(f"runtime must be one of {', '.join(RUNTIMES)}, but got {runtime!r}")
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, but got {precision!r}")


class MeasuringProcess:
    """One model in one runtime in a process of its own. Use it as a context manager.

    A fresh interpreter is started instead of a fork or a ``multiprocessing`` spawn: the first would inherit thread
    pools, the second would import the caller's main module, for the app the whole user interface.

    Args:
        model: A model of ``builder.ARCHITECTURES``.
        runtime: A key of ``runtimes.RUNTIMES``.
        models: Folder of all models; by default this project's.
        precision: ``"default"`` or ``"fp32"``.
        cancel: Set by another thread to end the measurement.
        silence_limit_s: Seconds without a word after which the process is killed.
        time_limit_s: Seconds after which it is killed in any case.

    Raises:
        ValueError: If a name is unknown.
    """

    def __init__(
        self,
        model: str,
        runtime: str,
        models: Path | None = None,
        precision: str = "default",
        cancel: threading.Event | None = None,
        silence_limit_s: float = SILENCE_LIMIT_S,
        time_limit_s: float = TIME_LIMIT_S,
    ) -> None:
        check_names(model, runtime, precision)
        self._settings = {
            "runtime": runtime,
            "model": model,
            "models": None if models is None else str(Path(models).resolve()),
            "precision": precision,
        }
        self._cancel = cancel or threading.Event()
        self._silence_limit_s = silence_limit_s
        self._time_limit_s = time_limit_s
        self._answers: queue.Queue[str | None] = queue.Queue()

    def __enter__(self) -> MeasuringProcess:
        self._scratch = tempfile.TemporaryDirectory(prefix="fer-measuring-", ignore_cleanup_errors=True)
        project = str(Path(__file__).resolve().parents[1])
        paths = [project, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "fer_core.measuring_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,
        )
        self._deadline = time.monotonic() + self._time_limit_s
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *exception: object) -> None:
        # The whole group: a conversion under way is a process of its own.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._scratch.cleanup()

    def _read(self) -> None:
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(None)

    def load(self) -> Loaded:
        """Loads the model; the first thing to ask for.

        Raises:
            ValueError: If the model's files are damaged.
            MeasurementFailed: If the process failed, died or hung.
            MeasurementCanceled: If it was canceled.
        """
        (answer,) = self._ask("load", "loading", **self._settings, scratch=self._scratch.name)
        return Loaded(answer["weights"], answer["precision"], answer["timed"])

    def reference(self) -> float:
        """Times the reference task; returns its median in ms. Raises as ``load``."""
        (answer,) = self._ask("reference", "timing the reference")
        return float(answer["median_ms"])

    def measure(
        self, resolutions: Sequence[int], protocol: Protocol, seed: int = 0
    ) -> Iterator[Ready | Skipped | Visit]:
        """Measures sizes by a protocol.

        Args:
            resolutions: Sides in pixels.
            protocol: The protocol.
            seed: Seed of its shuffled orders.

        Yields:
            For every size that it is ready or skipped, then every visit as it ends.

        Raises:
            MeasurementFailed: If the process failed, died or hung.
            MeasurementCanceled: If it was canceled.
        """
        request = {"resolutions": list(resolutions), "protocol": asdict(protocol), "seed": seed}
        for answer in self._ask("measure", "measuring", **request):
            kind = answer.pop("event")
            if kind == "visit":
                runs, preparing = tuple(answer["runs_ms"]), tuple(answer["preprocessing_ms"])
                yield Visit(answer["resolution"], answer["round"], runs, preparing)
            else:
                yield Ready(**answer) if kind == "ready" else Skipped(**answer)

    def _ask(self, request: str, activity: str, **fields: object) -> Iterator[dict]:
        try:
            self._process.stdin.write(json.dumps({"request": request} | fields) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._died(activity) from None
        while True:
            answer = self._next_answer(activity)
            if answer["event"] == "done":
                return
            if answer["event"] == "error":
                if answer["expected"]:
                    raise ValueError(answer["message"])
                raise MeasurementFailed(f"{self._settings['runtime']} failed while {activity}: {answer['message']}")
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
                    name = self._settings["runtime"]
                    raise MeasurementFailed(
                        f"the measuring process of {name} took too long while {activity} and was ended"
                    ) from None
                continue
            if line is None:
                raise self._died(activity)
            return json.loads(line)

    def _died(self, activity: str) -> MeasurementFailed:
        status = self._process.wait()
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return MeasurementFailed(f"the measuring process of {self._settings['runtime']} died while {activity} ({how})")
