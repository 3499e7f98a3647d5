"""Whether the memory of the stream pipeline grows over 20,000 frames.

Usage: ``python -m benchmarks.endurance VIDEO [--frames 20000] [--resolution 128]``; prints JSON.

One session sees the video over and over, its time running on, through decoding, tracking, classifying, drawing and
encoding. Resident memory is read every 1,000 frames; its growth is that from the first 1,000 frames to the last.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fer_core.benchmark_worker import StreamPipeline, memory_mb, read_frames
from fer_core.environment import environment
from fer_core.recognizer import DEFAULT_RESOLUTION

FIRST_FRAMES = 1000
PAUSE_S = 1 / 30  # of the stream's time, between the end of the video and its next beginning


def looped(path: Path) -> Iterator[tuple[np.ndarray, float]]:
    """Yields the frames of a video over and over without end; the time in seconds never goes back."""
    begun = seconds = 0.0
    while True:
        for image, at in read_frames(path):
            seconds = begun + at
            yield image, seconds
        begun = seconds + PAUSE_S


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Memory of the stream pipeline over many frames.")
    parser.add_argument("video", type=Path)
    parser.add_argument("--frames", type=int, default=20 * FIRST_FRAMES, help=f"more than {FIRST_FRAMES}")
    parser.add_argument("--resolution", type=int, default=DEFAULT_RESOLUTION, help="side of the input, px")
    options = parser.parse_args()
    if options.frames <= FIRST_FRAMES:
        parser.error(f"--frames must be more than {FIRST_FRAMES}, but got {options.frames}")
    frames = looped(options.video)
    pipeline = StreamPipeline(options.resolution)
    samples: dict[int, float | None] = {}
    with_face = 0
    started = time.perf_counter()
    for number in range(1, options.frames + 1):
        record_of_frame = pipeline.run(frames)
        with_face += bool(record_of_frame and record_of_frame.boxes)
        if number % FIRST_FRAMES == 0 or number == options.frames:
            samples[number] = memory_mb("VmRSS")
            print(f"{number} frames, {samples[number]} MB", file=sys.stderr)
    seconds = time.perf_counter() - started
    first, last = samples[FIRST_FRAMES], samples[options.frames]
    record = {
        "schema_version": 1,
        "file": options.video.name,
        "resolution": options.resolution,
        "frames": options.frames,
        "frames_with_face": with_face,
        "seconds": seconds,
        "resident_mb_after_first_1000": first,
        "resident_mb_at_end": last,
        "growth": None if first is None or last is None else last / first - 1,
        "resident_mb_by_frame": samples,
        "environment": environment(pipeline.recognizer.runtime.precision),
    }
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
