"""MTCNN's three networks on OpenVINO, with the weights that facenet-pytorch's package carries.

They take half the time that they take in PyTorch, whose threads would also disturb OpenVINO's. The files of weights
are PyTorch's; they are read here without importing it, which spares memory and a slow start.
"""

from __future__ import annotations

import importlib.util
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np

from .model_files import ModelFileError
from .runtimes import import_openvino

_SETTINGS = {
    "PERFORMANCE_HINT": "LATENCY",
    # For a few small crops a second thread saves less than waiting for it costs once the CPU has other work.
    "INFERENCE_NUM_THREADS": 1,
    # bf16, the default on CPUs that have it, moves the boxes.
    "INFERENCE_PRECISION_HINT": "f32",
    # What OpenVINO prepares for a size of picture is kept for this many layers only. Its own limit of 5,000 let
    # memory grow by a gigabyte in a thousand pictures, each of another size.
    "CPU_RUNTIME_CACHE_CAPACITY": 256,
}
# Crops that are run at once, largest first. Larger groups and more of them gained nothing that could be measured.
_COUNTS = (4, 1)
_INPUT_SIDES = {"pnet": -1, "rnet": 24, "onet": 48}
# For each convolution the side of the max pooling behind it, 0 for none.
_POOLS = {"pnet": (2, 0, 0), "rnet": (3, 3, 0), "onet": (3, 3, 2, 0)}


class Network:
    """One of the networks, ready to run; to be called by one thread at a time.

    It takes float32 RGB 0-255 ``(n, h, w, 3)`` (R-Net 24 x 24, O-Net 48 x 48 pixels) and returns the probabilities
    of a face and the four box offsets: ``(n,)`` and ``(n, 4)``, of P-Net ``(n, h', w')`` and ``(n, h', w', 4)``.

    Args:
        name: ``"pnet"``, ``"rnet"`` or ``"onet"``.
        side: Of its pictures in pixels; None for any height and width.

    Raises:
        ImportError: If facenet-pytorch is not installed.
    """

    def __init__(self, name: str, side: int | None) -> None:
        core = import_openvino().Core()
        model = build_network(name)
        # A graph of variable shape prepares itself anew whenever the shape changes, which takes longer than a few
        # small crops. So there is one of fixed shape for each of some numbers of crops.
        self._requests = {}
        for count in _COUNTS if side else (-1,):
            shaped = model.clone()
            shaped.reshape([count, side or -1, side or -1, 3])
            self._requests[count] = core.compile_model(shaped, "CPU", _SETTINGS).create_infer_request()

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores, offsets = [], []
        while len(images):
            count, request = next(item for item in self._requests.items() if item[0] <= len(images))
            part, images = (images, images[:0]) if count == -1 else (images[:count], images[count:])
            results = request.infer([part], share_inputs=True)
            scores.append(results[0][..., 1].copy())
            offsets.append(results[1].copy())
        return np.concatenate(scores), np.concatenate(offsets)


def build_network(name: str):
    """Builds ``"pnet"``, ``"rnet"`` or ``"onet"`` as an OpenVINO model of variable shape.

    Its input is that of ``Network``; its outputs are the probabilities of "no face" and "face", the last axis of the
    first, and the box offsets.

    Raises:
        ImportError: If facenet-pytorch is not installed.
        ModelFileError: If the file of weights is missing or damaged.
    """
    openvino = import_openvino()
    from openvino import opset13 as ops

    weights = _whole_weights(name)
    side, pools = _INPUT_SIDES[name], _POOLS[name]

    def convolution(node, layer: str):
        convolved = ops.convolution(node, weights[f"{layer}.weight"], [1, 1], [0, 0], [0, 0], [1, 1])
        return ops.add(convolved, weights[f"{layer}.bias"].reshape(1, -1, 1, 1))

    def dense(node, layer: str):
        product = ops.matmul(node, weights[f"{layer}.weight"], transpose_a=False, transpose_b=True)
        return ops.add(product, weights[f"{layer}.bias"])

    images = ops.parameter([-1, side, side, 3], np.float32, "images")
    node = ops.multiply(ops.subtract(images, np.float32(127.5)), np.float32(0.0078125))
    node = ops.transpose(node, np.array([0, 3, 1, 2]))
    for index, pool in enumerate(pools, 1):
        node = ops.prelu(convolution(node, f"conv{index}"), weights[f"prelu{index}.weight"])
        if pool:
            node = ops.max_pool(node, [2, 2], [1, 1], [0, 0], [0, 0], [pool, pool], "ceil").output(0)
    layer = len(pools) + 1
    if name == "pnet":
        outputs = [ops.softmax(convolution(node, f"conv{layer}_1"), 1), convolution(node, f"conv{layer}_2")]
        outputs = [ops.transpose(output, np.array([0, 2, 3, 1])) for output in outputs]
    else:
        # The weights come from Caffe's MATLAB interface, which counts columns first.
        flat = ops.reshape(ops.transpose(node, np.array([0, 3, 2, 1])), np.array([0, -1]), special_zero=True)
        hidden = ops.prelu(dense(flat, f"dense{layer}"), weights[f"prelu{layer}.weight"])
        outputs = [ops.softmax(dense(hidden, f"dense{layer + 1}_1"), 1), dense(hidden, f"dense{layer + 1}_2")]
    return openvino.Model(outputs, [images], name)


def weights_folder() -> Path:
    """Returns the folder of facenet-pytorch's weights, without importing the package.

    Raises:
        ImportError: If the package is not installed.
    """
    package = importlib.util.find_spec("facenet_pytorch")
    if package is None or not package.submodule_search_locations:
        raise ImportError("MTCNN's weights come with the package facenet-pytorch, which is not installed")
    return Path(package.submodule_search_locations[0]) / "data"


def _whole_weights(name: str) -> dict[str, np.ndarray]:
    try:
        return read_weights(weights_folder() / f"{name}.pt")
    except ImportError:
        raise
    # Unpickling raises nearly anything for a file that was cut short or swapped.
    except Exception as error:
        raise ModelFileError(
            f"the face detector's weights {name}.pt are missing or damaged: install the package facenet-pytorch again"
        ) from error


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Reads float32 tensors from a file in PyTorch's format of before version 1.6, without PyTorch.

    Raises:
        pickle.UnpicklingError: If the file holds anything else.
    """
    with path.open("rb") as file:
        for _ in range(3):  # magic number, version, sizes of types
            pickle.load(file)
        unpickler = _WeightsUnpickler(file)
        tensors = unpickler.load()
        for key in pickle.load(file):
            (count,) = np.fromfile(file, "<i8", 1)
            unpickler.storages[key][:] = np.fromfile(file, "<f4", int(count))
    return {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}


class _WeightsUnpickler(pickle.Unpickler):
    """Knows float32 tensors and refuses everything else."""

    def __init__(self, file) -> None:
        super().__init__(file)
        self.storages: dict[str, np.ndarray] = {}

    def find_class(self, module: str, name: str):
        known = {
            "collections.OrderedDict": OrderedDict,
            "torch._utils._rebuild_tensor_v2": _strided,
            "torch.FloatStorage": np.float32,
        }
        if f"{module}.{name}" not in known:
            raise pickle.UnpicklingError(f"expected float32 tensors only, but found {module}.{name}")
        return known[f"{module}.{name}"]

    def persistent_load(self, reference: tuple) -> np.ndarray:
        # The values follow behind the tensors and are read into these arrays then.
        _, dtype, key, _, count, _ = reference
        return self.storages.setdefault(key, np.empty(count, dtype))


def _strided(storage: np.ndarray, offset: int, shape: tuple, strides: tuple, *_: object) -> np.ndarray:
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, [step * storage.itemsize for step in strides])
