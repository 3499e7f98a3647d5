"""Keeps TensorFlow and PyTorch alive in one process."""

from __future__ import annotations

import contextlib


def before_tensorflow() -> None:
    """Loads Triton, PyTorch's compiler, where it is installed; to be called before TensorFlow is imported.

    Each brings an LLVM of its own. With TensorFlow's loaded first, Triton's, which torchvision imports, ends the
    process: "LLVM ERROR: inconsistency in registered CommandLine options" (tensorflow 2.21, torch 2.15).
    """
    with contextlib.suppress(ImportError):
        import triton  # noqa: F401
