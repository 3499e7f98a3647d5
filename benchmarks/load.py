"""Many visitors at once: throughput, latency and errors, fairness among cameras, a calibration beside them, memory.

Usage: ``python -m benchmarks.load [--visitors 1,4,8,16,30] [--pictures 4] [--seconds 10] [--rest 60]``; prints JSON.
Needs requirements-dev.txt, and an idle machine: the clients take their share of the same CPU.

It starts the app itself and drives it over HTTP, every second visitor by ``gradio_client``, the others in plain HTTP.
Every visitor uploads a picture of his own, one after the other, and each answer is checked to be about it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from gradio_client import Client

from .app_server import AppServer, running_app
from .visitors import Camera, Uploader

WARM_UP = 60  # pictures before memory is looked at
LADDER = "48,64,96"  # of the calibration beside the cameras: short
_SETTLE_SECONDS = 2.0


def _all_at_once(work: Sequence[Callable[[], None]]) -> float:
    """Runs everything in threads that begin together; returns the seconds until the last has ended."""
    ready = threading.Barrier(len(work) + 1)

    def begin(each: Callable[[], None]) -> None:
        ready.wait()
        each()

    threads = [threading.Thread(target=begin, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    ready.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def _upload_all(visitor: Uploader, pictures: int) -> None:
    for _ in range(pictures):
        visitor.upload()


def uploads(app: AppServer, visitors: int, pictures: int) -> dict:
    """Lets visitors upload at once, each one picture after the other."""
    everybody = [Uploader(number, app.url, gradio=number % 2 == 0) for number in range(visitors)]
    with tempfile.TemporaryDirectory() as folder:
        for each in everybody:
            each.prepare(Path(folder))
        seconds = _all_at_once([partial(_upload_all, each, pictures) for each in everybody])
        for each in everybody:
            each.close()
    answers = [value for each in everybody for value in each.seconds]
    errors = [error for each in everybody for error in each.errors]
    return {
        "visitors": visitors,
        "pictures": visitors * pictures,
        "answered": len(answers),
        "errors": errors,
        "pictures_per_second": len(answers) / seconds,
        "p50_ms": 1000 * float(np.percentile(answers, 50)) if answers else None,
        "p95_ms": 1000 * float(np.percentile(answers, 95)) if answers else None,
    }


def cameras(app: AppServer, number: int, seconds: float, measure: bool) -> dict:
    """Lets cameras run at once; if asked to, calibrates in the middle.

    Returns:
        Analyzed frames a second of each camera, and what they were told while the CPU was measured.
    """
    everybody, stop = [Camera(app.url) for _ in range(number)], threading.Event()
    threads = [threading.Thread(target=each.run, args=(stop,)) for each in everybody]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 60
    while not all(each.answers or each.errors for each in everybody) and time.monotonic() < deadline:
        time.sleep(0.05)
    begun = time.monotonic()
    record: dict = {"cameras": number}
    if measure:
        time.sleep(_SETTLE_SECONDS)
        record["calibration"] = _calibration_beside(app, everybody)
    time.sleep(seconds)
    ended = time.monotonic()
    stop.set()
    for thread in threads:
        thread.join(60)
    frames = [sum(begun <= at <= ended for at in each.answers) for each in everybody]
    pace = [count / (ended - begun) for count in frames]
    return record | {
        "seconds": ended - begun,
        "errors": [error for each in everybody for error in each.errors],
        "slowest_frames_per_second": min(pace),
        "fastest_frames_per_second": max(pace),
        "all_frames_per_second": sum(pace),
    }


def _calibration_beside(app: AppServer, everybody: Sequence[Camera]) -> dict:
    """Calibrates while cameras run; says what they were told, and whether any was analyzed meanwhile."""
    client = Client(app.url, verbose=False)
    calibrated = client.predict("scalable-env2b0", "openvino", 40, LADDER, api_name="/calibrate")
    ended = time.monotonic()
    pauses = sorted((each for camera in everybody for each in camera.pauses), key=lambda each: each[0])
    first, last = (pauses[0][0], pauses[-1][0]) if pauses else (ended, ended)
    # Between the first pause and the last nobody may have been analyzed: a frame under way ends before the first.
    analyzed = sum(first < at < last for camera in everybody for at in camera.answers)
    return {
        "ladder": LADDER,
        "answer_px": (calibrated["answer"] or {}).get("resolution"),
        "cameras_told_to_wait": sum(bool(camera.pauses) for camera in everybody),
        "told": sorted({words for _, words in pauses})[-3:],
        "measured_s": last - first,
        "frames_analyzed_meanwhile": analyzed,
        "environment": calibrated["environment"],
    }


def memory(app: AppServer, visitors: int, rest: float) -> dict:
    """Compares the server's resident memory before and after many uploads at once."""
    # As many at once as later: the first time, every thread that a burst needs is a new one.
    warm = uploads(app, visitors, -(-WARM_UP // visitors))
    time.sleep(_SETTLE_SECONDS)
    before = app.resident_mb()
    burst = uploads(app, visitors, 1)
    highest = app.resident_mb()
    time.sleep(rest)
    after = app.resident_mb()
    return {
        "warm_up_pictures": warm["answered"],
        "visitors": visitors,
        "errors": warm["errors"] + burst["errors"],
        "resident_mb_at_rest": before,
        "resident_mb_after_uploads": highest,
        "resident_mb_after_rest": after,
        "rest_s": rest,
        "growth": after / before - 1,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="The app under many visitors.")
    parser.add_argument("--visitors", default="1,4,8,16,30", help="how many at once, one run each")
    parser.add_argument("--pictures", type=int, default=4, help="uploads of each visitor")
    parser.add_argument("--cameras", type=int, default=8, help="at once")
    parser.add_argument("--seconds", type=float, default=10, help="for which the cameras run")
    parser.add_argument("--rest", type=float, default=60, help="seconds before memory is looked at again")
    options = parser.parse_args()
    counts = [int(count) for count in options.visitors.split(",")]
    with running_app() as app:
        print(f"{app.url}: ready after {app.ready_s:.1f} s", file=sys.stderr)
        record: dict = {"schema_version": 1, "memory": memory(app, max(counts), options.rest), "uploads": []}
        for count in counts:
            record["uploads"].append(uploads(app, count, options.pictures))
            print(f"{count} visitors: {record['uploads'][-1]['pictures_per_second']:.1f} a second", file=sys.stderr)
        record["cameras"] = cameras(app, options.cameras, options.seconds, measure=False)
        record["cameras_and_calibration"] = cameras(app, options.cameras, options.seconds, measure=True)
        record["resident_mb_at_end"] = app.resident_mb()
    record["environment"] = record["cameras_and_calibration"]["calibration"].pop("environment")
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
