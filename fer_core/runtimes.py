"""One interface, three ways to run a model: Keras ``predict``, a TensorFlow graph, OpenVINO.

The paper does not say which framework or call it timed; Keras ``predict`` is our reading of it. The app serves
with OpenVINO, and TensorFlow is imported only once somebody asks for it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from . import model_files
from .builder import build_model, check_resolution
from .compute import available_threads
from .head import Head, keras_head, openvino_head
from .import_order import before_tensorflow

PRECISIONS = ("default", "fp32")


@dataclass(frozen=True)
class Outputs:
    """What a model returns: ``logits`` float32 ``(N, 7)`` and ``features`` float32 ``(N, h, w, C)``."""

    logits: np.ndarray
    features: np.ndarray


class Runtime(Protocol):
    """A loaded model. Safe to share between threads.

    Attributes:
        name: A key of ``RUNTIMES``.
        model: Name of the model.
        weights: ``"trained"`` or ``"random"``; latency needs no training.
        precision: What is computed in: ``"fp32"`` or ``"bf16"``.
        head: The weights after the pooling, a normalization between them folded in; read once somebody asks.
    """

    name: str
    model: str
    weights: str
    precision: str
    head: Head

    def prepare(self, resolution: int) -> None:
        """Compiles for single pictures of this side, in pixels, so that the first run is not a slow one."""

    def run(self, images: np.ndarray) -> Outputs:
        """Runs the model on float32 RGB 0-255 ``(N, r, r, 3)``."""


def check_images(model: str, images: np.ndarray) -> None:
    """Raises a ValueError unless images are float32 ``(N, r, r, 3)``, N >= 1, of a side that the model can run."""
    shape = images.shape
    if images.dtype != np.float32 or len(shape) != 4 or shape[0] < 1 or shape[1] != shape[2] or shape[3] != 3:
        raise ValueError(f"images must be float32 with shape (N, r, r, 3), but got {images.dtype} with shape {shape}")
    check_resolution(model, shape[1])


def import_tensorflow():
    """Imports TensorFlow, quiet and with this machine's number of threads."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    before_tensorflow()
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(available_threads())
        tf.config.threading.set_inter_op_parallelism_threads(available_threads())
    except RuntimeError:
        pass  # already running, with the threads set at its first use
    return tf


def import_openvino():
    """Imports OpenVINO without its usage reports, for which nobody was asked."""
    if "openvino" not in sys.modules:
        # OpenVINO then uses its own empty stand-in for the reporting package.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def load_keras(model: str, models: Path | None = None):
    """Loads a model's shipped weights into its architecture, or builds it with random ones.

    Returns:
        The Keras model and ``"trained"`` or ``"random"``.
    """
    import_tensorflow()
    import keras

    if not model_files.is_trained(model, models):
        keras.utils.set_random_seed(0)
        return build_model(model), "random"
    return keras.saving.load_model(model_files.checked_file(model, "model.keras", models), compile=False), "trained"


def convert_to_openvino(keras_model):
    """Converts to an OpenVINO model with dynamic batch, height and width, outputs named by the contract."""
    openvino = import_openvino()
    converted = openvino.convert_model(keras_model)
    converted.reshape([-1, -1, -1, 3])
    channels = {"logits": 2, "features": 4}
    for output in converted.outputs:
        name = next(name for name, rank in channels.items() if len(output.partial_shape) == rank)
        output.get_tensor().set_names({name})
    return converted


class KerasPredict:
    """``keras.Model.predict``: our reading of what the paper timed."""

    name = "keras-predict"
    precision = "fp32"

    def __init__(self, model: str, models: Path | None = None, precision: str = "default") -> None:
        self.model = model
        self._keras, self.weights = load_keras(model, models)
        self._lock = threading.Lock()

    def prepare(self, resolution: int) -> None:
        self.run(np.zeros((1, resolution, resolution, 3), np.float32))

    def run(self, images: np.ndarray) -> Outputs:
        check_images(self.model, images)
        with self._lock:
            outputs = self._keras.predict(images, verbose=0)
        return Outputs(outputs["logits"], outputs["features"])

    @cached_property
    def head(self) -> Head:
        return keras_head(self._keras)


class TensorFlowGraph:
    """The model as a ``tf.function``, one graph for all sizes."""

    name = "tensorflow-graph"
    precision = "fp32"

    def __init__(self, model: str, models: Path | None = None, precision: str = "default") -> None:
        tf = import_tensorflow()
        self.model = model
        self._keras, self.weights = load_keras(model, models)
        signature = tf.TensorSpec((None, None, None, 3), tf.float32)
        self._graph = tf.function(lambda images: self._keras(images, training=False), input_signature=[signature])
        self._lock = threading.Lock()

    def prepare(self, resolution: int) -> None:
        self.run(np.zeros((1, resolution, resolution, 3), np.float32))

    def run(self, images: np.ndarray) -> Outputs:
        check_images(self.model, images)
        with self._lock:
            outputs = self._graph(images)
        return Outputs(outputs["logits"].numpy(), outputs["features"].numpy())

    @cached_property
    def head(self) -> Head:
        return keras_head(self._keras)


class OpenVino:
    """OpenVINO on the CPU: one model, compiled for each resolution when it is first asked for.

    Attributes:
        most_compiled: Compiled resolutions that are kept. Visitors may ask for any, and each holds its own copy of
            the weights.
    """

    name = "openvino"
    most_compiled = 12

    def __init__(self, model: str, models: Path | None = None, precision: str = "default") -> None:
        openvino = import_openvino()
        self.model = model
        self._core = openvino.Core()
        if model_files.is_trained(model, models):
            xml = model_files.checked_file(model, "model.xml", models)
            model_files.checked_file(model, "model.bin", models)
            self._source, self.weights = self._core.read_model(xml), "trained"
        else:
            self._source, self.weights = convert_to_openvino(load_keras(model, models)[0]), "random"
        self._settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": available_threads(),
            "NUM_STREAMS": 1,
        }
        if precision == "fp32":
            self._settings["INFERENCE_PRECISION_HINT"] = "f32"
        capabilities = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.precision = "bf16" if precision == "default" and "BF16" in capabilities else "fp32"
        self._requests: OrderedDict[tuple[int, int], object] = OrderedDict()
        self._lock = threading.Lock()

    def _request(self, batch: int, resolution: int):
        # Single faces get a graph of fixed shape, the fastest; groups share one with a dynamic batch.
        key = (1 if batch == 1 else -1, resolution)
        if key not in self._requests:
            check_resolution(self.model, resolution)
            shaped = self._source.clone()
            shaped.reshape([key[0], resolution, resolution, 3])
            self._requests[key] = self._core.compile_model(shaped, "CPU", self._settings).create_infer_request()
            if len(self._requests) > self.most_compiled:
                self._requests.popitem(last=False)
        self._requests.move_to_end(key)
        return self._requests[key]

    def prepare(self, resolution: int) -> None:
        with self._lock:
            self._request(1, resolution)

    def run(self, images: np.ndarray) -> Outputs:
        check_images(self.model, images)
        with self._lock:
            results = self._request(len(images), images.shape[1]).infer([images])
            return Outputs(results["logits"].copy(), results["features"].copy())

    @cached_property
    def head(self) -> Head:
        return openvino_head(self._source)


RUNTIMES: dict[str, type] = {runtime.name: runtime for runtime in (KerasPredict, TensorFlowGraph, OpenVino)}


_PACKAGES = {
    KerasPredict.name: ("tensorflow", "keras"),
    TensorFlowGraph.name: ("tensorflow", "keras"),
    OpenVino.name: ("openvino",),
}


def missing_packages(name: str) -> tuple[str, ...]:
    """Returns the packages of a runtime that are not installed; imports none of them.

    Args:
        name: A key of ``RUNTIMES``.
    """
    return tuple(package for package in _PACKAGES[name] if importlib.util.find_spec(package) is None)


def check_installed(name: str) -> None:
    """Checks that the packages of a runtime are installed.

    Args:
        name: A key of ``RUNTIMES``.

    Raises:
        ValueError: If one is not; names it, and the runtimes that can be used.
    """
    missing = missing_packages(name)
    if missing:
        usable = [other for other in RUNTIMES if not missing_packages(other)]
        raise ValueError(
            f"runtime {name} needs {' and '.join(missing)}, not installed here; "
            f"there {'is' if len(usable) == 1 else 'are'} {', '.join(usable) or 'no other'}"
        )


def load_runtime(name: str, model: str, models: Path | None = None, precision: str = "default") -> Runtime:
    """Loads a model into a runtime.

    Args:
        name: A key of ``RUNTIMES``.
        model: A model of ``builder.ARCHITECTURES``; without shipped weights it gets random ones.
        models: Folder of all models; by default this project's.
        precision: ``"default"`` (OpenVINO then uses bf16 on CPUs that have it) or ``"fp32"``.

    Raises:
        ValueError: If a name is unknown; names those there are.
        ModelFileError: If a file of the model is missing or damaged.
        ImportError: If the runtime's package is not installed.
    """
    if name not in RUNTIMES:
        raise ValueError(f"runtime must be one of {', '.join(RUNTIMES)}, but got {name!r}")
    if precision not in PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, but got {precision!r}")
    return RUNTIMES[name](model, models, precision)
