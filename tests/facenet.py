"""MTCNN as facenet-pytorch runs it: what this project's own is compared with."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache
def _mtcnn(smallest_face: int):
    from facenet_pytorch import MTCNN

    return MTCNN(keep_all=True, min_face_size=smallest_face, device="cpu")


def detect(image: np.ndarray, smallest_face: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Returns boxes, float64 ``(n, 4)``, largest first, and scores ``(n,)`` of RGB uint8 ``(H, W, 3)``."""
    import torch

    threads = torch.get_num_threads()
    # With more, PyTorch's threads wait for each other while OpenVINO's have the cores.
    torch.set_num_threads(1)
    try:
        boxes, scores = _mtcnn(smallest_face).detect(image)
    finally:
        torch.set_num_threads(threads)
    if boxes is None:
        return np.empty((0, 4)), np.empty(0)
    return boxes.astype(np.float64), scores.astype(np.float64)
