"""Command line of the benchmark: ``benchmark``."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

from .benchmark import REPEATS, run_benchmark
from .recognizer import DEFAULT_RESOLUTION
from .worker_process import MeasurementFailed

_COUNTED = {"best_run": "stream", "naive_best_run": "naive"}


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    """Adds ``benchmark`` to the command line of the package."""
    parser = subparsers.add_parser("benchmark", help="time the whole frame on a video, against the naive pipeline")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--resolution", type=int, default=DEFAULT_RESOLUTION, help="side of the input, px")
    parser.add_argument("--frames", type=int, help="only the first so many frames (default: all)")
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"the best of these counts (default: {REPEATS})")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Runs ``benchmark``: progress to standard error, the result to standard output.

    Returns:
        Exit status 0, or 2 if a process failed.

    Raises:
        ValueError: If the video or an argument is unusable.
    """
    # Whoever ends the command ends its processes with it, which would compute on to the end of their block.
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        record = run_benchmark(
            options.file,
            options.resolution,
            options.frames,
            options.repeats,
            lambda message: print(message, file=sys.stderr),
        )
    except MeasurementFailed as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    finally:
        signal.signal(signal.SIGTERM, before)
    print(json.dumps(record, indent=2, allow_nan=False) if options.json else as_markdown(record))
    return 0


def as_markdown(record: dict) -> str:
    """Returns a record of ``run_benchmark`` as Markdown tables."""
    machine = record["environment"]
    stages = {stage: row for stage, row in record["stages_ms"].items() if row["p99"] > 0}
    rows = {"total": record["total_ms"], **stages, "naive, total": record["naive_total_ms"]}
    lines = [
        f"{record['file']}: {record['frames']} frames, {record['model']} at {record['resolution']} px",
        f"{machine['cpu']}, {machine['threads']} threads, {machine['precision']}, {machine['date'][:10]}",
        "",
        "| ms | p50 | p95 | p99 |",
        "|---|---|---|---|",
        *(f"| {name} | {row['p50']:.1f} | {row['p95']:.1f} | {row['p99']:.1f} |" for name, row in rows.items()),
        "",
        f"speed-up (p50): {record['speedup_p50']:.1f}",
        f"frames with a face: {record['frames_with_face']}; naive: {record['naive_frames_with_face']}",
        f"of the frames with a naive face, the stream has one in: {_percent(record['recall'])}",
        f"boxes with an intersection over union of at least 0.7: {_percent(record['iou_share_above_0_7'])}",
        f"same label, unsmoothed: {_percent(record['label_agreement'])}",
        f"peak memory: {_megabytes(record['peak_memory_mb'])}; naive: {_megabytes(record['naive_peak_memory_mb'])}",
        "",
        "| run | p50 | p95 | p99 | naive p50 | speed-up | reference, ms | counts for |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for number, done in enumerate(record["runs"], start=1):
        total = " | ".join(f"{done['total_ms'][name]:.1f}" for name in ("p50", "p95", "p99"))
        counts = [name for name in ("best_run", "naive_best_run") if record[name] == number]
        lines.append(
            f"| {number} | {total} | {done['naive_total_ms']['p50']:.1f} | {done['speedup_p50']:.1f} "
            f"| {done['reference_ms']:.2f} | {' and '.join(_COUNTED[name] for name in counts)} |"
        )
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"


def _megabytes(amount: float | None) -> str:
    return "unknown" if amount is None else f"{amount:.0f} MB"
