"""How long the app takes to start, and how much memory it holds at rest.

Usage: ``python -m benchmarks.start_up [--starts 5]``; prints JSON. Needs requirements-dev.txt and an idle machine.

Each start is a fresh process: seconds until it answers the first request and until its model is loaded, and its
resident memory then, after one picture, and while a calibration runs; the measuring processes are counted apart.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from gradio_client import Client

from .app_server import AppServer, running_app
from .visitors import Uploader

LADDER = "48,64"


def one_start() -> dict:
    """Starts the app once; returns seconds and MB by name, and the environment record of its calibration."""
    with running_app() as app:
        record = {"answers_s": app.answers_s, "ready_s": app.ready_s, "resident_mb_when_ready": app.resident_mb()}
        visitor = Uploader(0, app.url, gradio=False)
        with tempfile.TemporaryDirectory() as folder:
            visitor.prepare(Path(folder))
            visitor.upload()
        visitor.close()
        if visitor.errors:
            raise RuntimeError(f"expected an answer to a picture, but got {visitor.errors[0]}")
        record["resident_mb_after_a_picture"] = app.resident_mb()
        return record | _while_measuring(app)


def _while_measuring(app: AppServer) -> dict:
    highest, over = {"server": 0.0, "measuring": 0.0}, threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            highest["server"] = max(highest["server"], app.resident_mb())
            highest["measuring"] = max(highest["measuring"], app.measuring_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        client = Client(app.url, verbose=False)
        calibrated = client.predict("scalable-env2b0", "openvino", 40, LADDER, api_name="/calibrate")
    finally:
        over.set()
        watcher.join()
    return {
        "resident_mb_while_measuring": highest["server"],
        "measuring_process_mb": highest["measuring"],
        "environment": calibrated["environment"],
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Start-up time and memory of the app.")
    parser.add_argument("--starts", type=int, default=5)
    options = parser.parse_args()
    starts = []
    for _ in range(options.starts):
        starts.append(one_start())
        time.sleep(1)
    environment = [start.pop("environment") for start in starts][-1]
    summary = {
        name: {"median": float(np.median(values)), "max": max(values)}
        for name in starts[0]
        for values in [[start[name] for start in starts]]
    }
    print(json.dumps({"schema_version": 1, "starts": starts, **summary, "environment": environment}, indent=2))


if __name__ == "__main__":
    main()
