"""The process in which one runtime is measured, alone with its libraries and thread pools.

It reads requests from standard input and answers on standard output, one JSON object a line, and ends with its
input. ``measuring.MeasuringProcess`` is the other side. Requests by ``request``:

* ``load``: ``runtime``, ``model``, ``models`` (folder or null), ``precision``, ``scratch`` (folder) -> ``loaded``;
* ``reference``: -> ``reference``, the median of the reference task in ms;
* ``measure``: ``resolutions``, ``protocol``, ``seed`` -> ``ready`` or ``skipped`` by size, then ``visit`` by visit.

Each ends with ``done``, or with ``error``, after which the process ends.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from . import model_files
from .faces import resize_square
from .latency import REFERENCE_MODEL, REFERENCE_RESOLUTION, Protocol, visit_all, warm_up
from .runtimes import (
    OpenVino,
    Runtime,
    TensorFlowGraph,
    convert_to_openvino,
    import_openvino,
    load_keras,
    load_runtime,
    missing_packages,
)
from .worker_process import Send, plain, serve

CROP_SIDE = 256
"""Side in pixels of the square crop that the preparation starts from."""

TIMED = {
    "inference": "the forward pass of one image; this is the latency",
    "preprocessing": f"resizing a {CROP_SIDE} px RGB uint8 crop to the size and converting it to float32; apart",
}
"""What is timed, in words."""

_REFERENCE_RUNS = 15
# A whole ladder with its growth and verification stays compiled, or every round would compile it again.
_MOST_COMPILED = 64
_CONVERSION_LIMIT_S = 110


class _Bench:
    """One loaded runtime and a timer around it."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._crop = np.random.default_rng(0).integers(0, 256, (CROP_SIDE, CROP_SIDE, 3), np.uint8)

    def run(self, resolution: int) -> tuple[float, float]:
        """Runs one size once; returns the times of preparation and inference in ms."""
        started = time.perf_counter()
        image = resize_square(self._crop, resolution)[np.newaxis].astype(np.float32)
        prepared = time.perf_counter()
        self.runtime.run(image)
        return 1e3 * (prepared - started), 1e3 * (time.perf_counter() - prepared)


class _Worker:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._settings: dict = {}
        self._bench: _Bench  # since the first request, ``load``
        self._reference: _Bench | None = None
        self._ready: set[int] = set()

    def _load_model(self, model: str) -> tuple[_Bench, str]:
        settings = self._settings
        models = Path(settings["models"]) if settings["models"] else None
        weights = "trained" if model_files.is_trained(model, models) else "random"
        if weights == "random" and settings["runtime"] == OpenVino.name:
            if missing := missing_packages(TensorFlowGraph.name):
                raise ImportError(
                    f"{model} has no weights here: building it needs {' and '.join(missing)}, not installed"
                )
            # TensorFlow converts. Its thread pool would stay and slow OpenVINO down, so another process does it.
            models = Path(settings["scratch"])
            arguments = [sys.executable, "-m", "fer_core.measuring_worker", "convert", model, str(models)]
            subprocess.run(arguments, check=True, capture_output=True, timeout=_CONVERSION_LIMIT_S)
        runtime = load_runtime(settings["runtime"], model, models, settings["precision"])
        if isinstance(runtime, OpenVino):
            runtime.most_compiled = _MOST_COMPILED
        return _Bench(runtime), weights

    def load(self, **settings: str | None) -> None:
        self._settings = settings
        self._bench, weights = self._load_model(str(settings["model"]))
        self._send("loaded", weights=weights, precision=self._bench.runtime.precision, timed=TIMED)

    def reference(self) -> None:
        if self._reference is None:
            same = self._settings["model"] == REFERENCE_MODEL
            self._reference = self._bench if same else self._load_model(REFERENCE_MODEL)[0]
            self._reference.runtime.prepare(REFERENCE_RESOLUTION)
        warm_up(self._reference.run, REFERENCE_RESOLUTION)
        times = [self._reference.run(REFERENCE_RESOLUTION)[1] for _ in range(_REFERENCE_RUNS)]
        self._send("reference", median_ms=float(np.median(times)))

    def measure(self, resolutions: list[int], protocol: dict, seed: int) -> None:
        chosen = Protocol(**protocol)
        able = []
        for resolution in resolutions:
            try:
                if resolution not in self._ready:
                    self._bench.runtime.prepare(resolution)
                if chosen.warms_up:
                    warm_up(self._bench.run, resolution)
            except Exception as error:  # what a library raises for a size that it cannot run is its own affair
                self._send("skipped", resolution=resolution, reason=plain(error))
                continue
            self._ready.add(resolution)
            able.append(resolution)
            self._send("ready", resolution=resolution)
        if able:
            for visit in visit_all(self._bench.run, able, chosen, seed):
                self._send("visit", **asdict(visit))


def convert(model: str, folder: Path) -> None:
    """Writes a model with random weights as an OpenVINO model with checksums.

    Args:
        model: A model of ``builder.ARCHITECTURES``.
        folder: Folder of models to write into.
    """
    target = folder / model
    target.mkdir(parents=True, exist_ok=True)
    converted = convert_to_openvino(load_keras(model, folder)[0])
    import_openvino().save_model(converted, target / "model.xml", compress_to_fp16=True)
    model_files.write_checksums(target, ["model.xml", "model.bin"])


def actions(send: Send) -> dict[str, Callable[..., None]]:
    """Returns what answers each request; see the top of this file."""
    worker = _Worker(send)
    return {"load": worker.load, "reference": worker.reference, "measure": worker.measure}


if __name__ == "__main__":
    if sys.argv[1:2] == ["convert"]:
        convert(sys.argv[2], Path(sys.argv[3]))
    else:
        serve(actions)
