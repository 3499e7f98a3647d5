"""Command line of the calibration: ``calibrate`` and ``solve``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from .answers import solve_calibration
from .builder import ARCHITECTURES
from .calibration import calibrate
from .calibration_files import load_calibration, save_calibration
from .interpolation import CURVES, DEFAULT_DEGREE
from .latency import PROTOCOLS
from .measuring import MeasurementFailed
from .runtimes import PRECISIONS, RUNTIMES


def add_parsers(subparsers: argparse._SubParsersAction) -> None:
    """Adds ``calibrate`` and ``solve`` to the command line of the package."""
    measure = subparsers.add_parser("calibrate", help="measure this CPU and find the resolution for a target")
    measure.add_argument("--model", required=True, help=f"one of {', '.join(ARCHITECTURES)}")
    measure.add_argument("--runtime", required=True, help=f"one of {', '.join(RUNTIMES)}")
    measure.add_argument("--target-ms", type=float, default=40.0, help="target latency in ms (default: 40)")
    measure.add_argument(
        "--ladder", default="paper", help="paper, equispaced:N, chebyshev:N or sizes in pixels such as 48,96,128"
    )
    measure.add_argument("--protocol", default=PROTOCOLS[0], help=f"one of {', '.join(PROTOCOLS)}")
    measure.add_argument("--runs", type=int, help="timed runs of each size (default: the protocol's own)")
    measure.add_argument("--precision", default=PRECISIONS[0], help=f"one of {', '.join(PRECISIONS)}")
    measure.add_argument("--output", type=Path, metavar="FILE.json", help="write here instead of standard output")
    measure.set_defaults(run=run_calibrate)

    again = subparsers.add_parser("solve", help="answer for another target from a saved calibration")
    again.add_argument("file", type=Path, metavar="FILE.json")
    again.add_argument("--target-ms", type=float, required=True, help="target latency in ms")
    again.add_argument("--curve", choices=CURVES, help="show only this curve; the answers do not depend on it")
    again.add_argument("--degree", type=int, default=DEFAULT_DEGREE, help="degree of the polynomial regression")
    again.add_argument("--output", type=Path, metavar="FILE.json", help="write here instead of standard output")
    again.set_defaults(run=run_solve)


def run_calibrate(options: argparse.Namespace) -> int:
    """Runs ``calibrate``: progress to standard error, the calibration to standard output or a file.

    Returns:
        Exit status 0, or 2 if the measuring process failed.

    Raises:
        ValueError: If an argument is unusable.
    """
    _check_output(options.output)
    steps = calibrate(
        options.model,
        options.runtime,
        options.target_ms,
        options.ladder,
        options.protocol,
        options.runs,
        precision=options.precision,
    )
    try:
        said = None
        for progress in steps:
            if progress.message != said:
                print(f"{progress.fraction:4.0%} {progress.message}", file=sys.stderr)
            said = progress.message
    except MeasurementFailed as error:
        print(f"calibrate: {error}", file=sys.stderr)
        return 2
    assert progress.record is not None, "the last progress has it"
    _write(progress.record, options.output)
    return 0


def run_solve(options: argparse.Namespace) -> int:
    """Runs ``solve``: the answer for another target to standard output or a file; returns exit status 0.

    Raises:
        ValueError: If the file or an argument is unusable.
    """
    _check_output(options.output)
    curves = CURVES if options.curve is None else (options.curve,)
    _write(solve_calibration(load_calibration(options.file), options.target_ms, curves, options.degree), options.output)
    return 0


def _check_output(output: Path | None) -> None:
    # Said before the measurement, not after it.
    if output is not None and not output.parent.is_dir():
        raise ValueError(f"--output must name a file in a folder that exists, but got {output}")


def _write(record: dict, output: Path | None) -> None:
    if output is None:
        print(json.dumps(record, indent=2, allow_nan=False))
    else:
        save_calibration(record, output)
