"""Measures a runtime in a process of its own, which can be canceled, dies alone and never hangs the caller."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from .builder import architecture
from .latency import Protocol, Visit
from .runtimes import PRECISIONS, RUNTIMES, check_installed
from .worker_process import MeasurementCanceled, MeasurementFailed, WorkerProcess

__all__ = [
    "Loaded",
    "MeasurementCanceled",
    "MeasurementFailed",
    "MeasuringProcess",
    "Ready",
    "Skipped",
    "check_names",
]

SILENCE_LIMIT_S = 120.0
"""Seconds without a word after which the process counts as hanging. Loading a model is the longest silence."""

TIME_LIMIT_S = 900.0
"""Seconds after which a process is ended in any case."""


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
    """Raises a ValueError that names the valid ones if a model, a runtime or a precision does not exist here."""
    architecture(model)
    if runtime not in RUNTIMES:
        raise ValueError(f"runtime must be one of {', '.join(RUNTIMES)}, but got {runtime!r}")
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, but got {precision!r}")
    check_installed(runtime)


class MeasuringProcess(WorkerProcess):
    """One model in one runtime in a process of its own. Use it as a context manager.

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
        super().__init__("fer_core.measuring_worker", runtime, cancel, silence_limit_s, time_limit_s)
        self._settings = {
            "runtime": runtime,
            "model": model,
            "models": None if models is None else str(Path(models).resolve()),
            "precision": precision,
        }

    def __enter__(self) -> Self:
        self._scratch = tempfile.TemporaryDirectory(prefix="fer-measuring-", ignore_cleanup_errors=True)
        return super().__enter__()

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        self._scratch.cleanup()

    def load(self) -> Loaded:
        """Loads the model; the first thing to ask for.

        Raises:
            ValueError: If the model's files are damaged.
            MeasurementFailed: If the process failed, died or hung.
            MeasurementCanceled: If it was canceled.
        """
        (answer,) = self.ask("load", "loading", **self._settings, scratch=self._scratch.name)
        return Loaded(answer["weights"], answer["precision"], answer["timed"])

    def reference(self) -> float:
        """Times the reference task; returns its median in ms. Raises as ``load``."""
        (answer,) = self.ask("reference", "timing the reference")
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
        for answer in self.ask("measure", "measuring", **request):
            kind = answer.pop("event")
            if kind == "visit":
                runs, preparing = tuple(answer["runs_ms"]), tuple(answer["preprocessing_ms"])
                yield Visit(answer["resolution"], answer["round"], runs, preparing)
            else:
                yield Ready(**answer) if kind == "ready" else Skipped(**answer)
