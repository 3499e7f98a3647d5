"""How long a frame takes when a camera shows the same picture all the time, such as a group of five.

Usage: ``python -m benchmarks.still_stream PICTURE [--frames 300] [--resolution 128]``; prints JSON.

Every frame is decoded as the page decodes what a browser posts, and drawn and encoded as the page does it. Frames
are 1/30 s apart in the time of the stream and follow each other without a pause. A few untimed frames come first.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fer_core.benchmark import percentiles, stage_percentiles
from fer_core.benchmark_worker import WARM_UP_FRAMES, FrameRecord, StreamPipeline
from fer_core.environment import environment
from fer_core.pictures import read_picture
from fer_core.recognizer import DEFAULT_RESOLUTION

FRAMES_PER_SECOND = 30


def shown(data: bytes, frames: int) -> Iterator[tuple[np.ndarray, float]]:
    """Yields a picture file's pixels, decoded anew for every frame, and the time of the stream in seconds."""
    for number in range(frames):
        yield read_picture(data), number / FRAMES_PER_SECOND


def run(pipeline: StreamPipeline, data: bytes, frames: int) -> list[FrameRecord]:
    """Returns the records of so many frames, after a warm-up."""
    for count in (WARM_UP_FRAMES, frames):
        pipeline.restart()
        stream = shown(data, count)
        records = list(iter(lambda stream=stream: pipeline.run(stream), None))  # type: ignore[misc]
    return records


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Time of a frame while a camera shows one picture.")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--resolution", type=int, default=DEFAULT_RESOLUTION, help="side of the input, px")
    options = parser.parse_args()
    pipeline = StreamPipeline(options.resolution)
    records = run(pipeline, options.picture.read_bytes(), options.frames)
    faces = Counter(len(seen.boxes) for seen in records)
    record = {
        "schema_version": 1,
        "file": options.picture.name,
        "resolution": options.resolution,
        "frames": len(records),
        "frames_by_faces": dict(sorted(faces.items())),
        "total_ms": percentiles([seen.total_ms for seen in records]),
        "stages_ms": stage_percentiles(records),
        "environment": environment(pipeline.recognizer.runtime.precision),
    }
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
