"""Command line of videos: ``video``."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from .builder import ARCHITECTURES
from .recognizer import DEFAULT_MODEL, DEFAULT_RESOLUTION, DEFAULT_RUNTIME, EmotionRecognizer
from .runtimes import RUNTIMES
from .video import VideoProgress, annotate_video

_SAY_EVERY_SECONDS = 2.0
_INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C ended


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    """Adds ``video`` to the command line of the package."""
    parser = subparsers.add_parser("video", help="annotate a video file and write a table of its emotions")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--output", type=Path, metavar="OUT.mp4", help="the annotated video")
    parser.add_argument(
        "--table", type=Path, metavar="OUT.csv", help="a row for each face in each frame: .csv or .json"
    )
    parser.add_argument("--model", default=DEFAULT_MODEL, help=f"one of {', '.join(ARCHITECTURES)}")
    parser.add_argument("--runtime", default=DEFAULT_RUNTIME, help=f"one of {', '.join(RUNTIMES)}")
    parser.add_argument("--resolution", type=int, default=DEFAULT_RESOLUTION, help="side of the input, px")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs ``video``: progress to standard error, results to files.

    Returns:
        Exit status 0, or 130 if it was interrupted; no file is left then.

    Raises:
        ValueError: If the video or an argument is unusable.
    """
    if options.output is None and options.table is None:
        raise ValueError("expected --output OUT.mp4, --table OUT.csv or both, but got neither")
    recognizer = EmotionRecognizer.load(options.model, options.runtime, options.resolution)
    tables = () if options.table is None else (options.table,)
    said = time.monotonic()
    try:
        for progress in annotate_video(options.file, recognizer.stream(), options.output, tables):
            if progress.summary is None and time.monotonic() - said > _SAY_EVERY_SECONDS:
                print(_line(progress), file=sys.stderr)
                said = time.monotonic()
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return _INTERRUPTED
    summary = progress.summary
    assert summary is not None, "the last progress has it"
    print(
        f"{options.file}: {summary.frames} frames, {summary.seconds:.1f} s, a face in {summary.frames_with_face} of "
        f"them, {summary.tracks} track{'' if summary.tracks == 1 else 's'}",
        file=sys.stderr,
    )
    for warning in summary.warnings:
        print(f"{options.file}: {warning}", file=sys.stderr)
    return 0


def _line(progress: VideoProgress) -> str:
    if progress.fraction is None:
        return f"{progress.frames} frames, {progress.time_s:.1f} s"
    return f"{progress.fraction:4.0%} {progress.frames} frames, {progress.seconds_left:.0f} s left"
