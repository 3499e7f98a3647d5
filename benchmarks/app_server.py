"""The app in a process of its own, for benchmarks that look at it from outside. Needs requirements-dev.txt."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[1]
MEGABYTE = 2**20
_START_SECONDS = 120
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class AppServer:
    """A running app.

    Attributes:
        url: Its address.
        process: Its own process, without those that measure.
        answers_s: Seconds from the start of the process until it answered the first request.
        ready_s: The same until its model was loaded.
    """

    url: str
    process: psutil.Process
    answers_s: float
    ready_s: float

    def resident_mb(self) -> float:
        """Returns the resident memory of its own process in MB (2**20 bytes)."""
        return self.process.memory_info().rss / MEGABYTE

    def measuring_mb(self) -> float:
        """Returns the resident memory of the processes that it has started to measure, in MB."""
        total = 0
        for child in self.process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # it has just ended
                total += child.memory_info().rss
        return total / MEGABYTE


@contextmanager
def running_app(**environment: str) -> Iterator[AppServer]:
    """Starts ``python app.py`` on a free port, waits until its model is loaded, and ends it after the block.

    Raises:
        RuntimeError: If it ends before, or is not ready in time; with what it has printed.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = os.environ | {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port), **environment}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "app.py"], cwd=ROOT, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    url, answers_s = f"http://127.0.0.1:{port}", None
    try:
        while True:
            seconds = time.perf_counter() - started
            try:
                status = httpx.get(f"{url}/health", timeout=5).json()["status"]
                answers_s = answers_s or seconds
            except httpx.TransportError:
                status = None
            if status == "ready":
                break
            if status == "broken" or process.poll() is not None or seconds > _START_SECONDS:
                process.kill()
                raise RuntimeError(f"the app is not ready after {seconds:.0f} s: {process.communicate()[0]}")
            time.sleep(_POLL_SECONDS)
        yield AppServer(url, psutil.Process(process.pid), answers_s or seconds, seconds)
    finally:
        process.terminate()
        process.communicate(timeout=30)
