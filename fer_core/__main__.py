"""Command line: ``python -m fer_core recognize | video | calibrate | solve | benchmark``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import NoReturn

from . import benchmark_commands, calibration_commands, video_commands
from .builder import ARCHITECTURES
from .recognition_record import failed_record, recognition_record
from .recognizer import DEFAULT_MODEL, DEFAULT_RESOLUTION, DEFAULT_RUNTIME, EmotionRecognizer
from .runtimes import RUNTIMES


class _Parser(argparse.ArgumentParser):
    """Says in one line what is wrong; ``--help`` shows the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m fer_core", description="Facial emotion recognition on the CPU.")
    commands = parser.add_subparsers(dest="command", required=True)
    recognize = commands.add_parser("recognize", help="find the faces of pictures and their emotions")
    recognize.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    recognize.add_argument("--json", action="store_true", help="print JSON instead of lines")
    recognize.add_argument("--model", default=DEFAULT_MODEL, help=f"one of {', '.join(ARCHITECTURES)}")
    recognize.add_argument("--runtime", default=DEFAULT_RUNTIME, help=f"one of {', '.join(RUNTIMES)}")
    recognize.add_argument("--resolution", type=int, default=DEFAULT_RESOLUTION, help="side of the input, px")
    recognize.set_defaults(run=_recognize)
    calibration_commands.add_parsers(commands)
    video_commands.add_parsers(commands)
    benchmark_commands.add_parsers(commands)
    return parser


def _analyze_file(recognizer: EmotionRecognizer, path: Path) -> dict:
    try:
        data = path.read_bytes()
    except OSError as error:
        return failed_record(str(path), f"expected a picture file, but {error.strerror or error}")
    return recognition_record(str(path), data, recognizer)


def _print_lines(record: dict) -> None:
    if record["error"] is None:
        count = len(record["faces"])
        total = record["timings_ms"]["total"]
        print(f"{record['image']}: {count} face{'s' if count != 1 else ''}, {total:.0f} ms")
        for face in record["faces"]:
            print(f"  {face['emotion']} {face['confidence']:.0%} at {tuple(face['box'])}")


def _recognize(options: argparse.Namespace) -> int:
    recognizer = EmotionRecognizer.load(options.model, options.runtime, options.resolution)
    records = []
    for number, path in enumerate(options.images, start=1):
        record = _analyze_file(recognizer, path)
        records.append(record)
        if len(options.images) > 1:
            print(f"{number} of {len(options.images)}", file=sys.stderr)
        if not options.json:
            _print_lines(record)
        if record["error"] is not None:
            print(f"{path}: {record['error']}", file=sys.stderr)
    if options.json:
        print(json.dumps(records, indent=2))
    return 2 if any(record["error"] is not None for record in records) else 0


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns 0, or 2 with one clear line on standard error for unusable input."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, ImportError) as error:
        print(f"python -m fer_core {options.command}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
