"""Command line: ``python -m train prepare | teach | fit | evaluate | export``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from . import crops as crop_cache
from .data import FOLDS, READERS

DATA = Path(os.environ.get("FER_DATA", "../shared/data"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train", description="Prepares data, trains, evaluates, exports.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=summary, description=summary)
        sub.add_argument("--cache", type=Path, default=crop_cache.default_cache(), help="folder for crops and runs")
        return sub

    def data_sources(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--data", type=Path, default=DATA, help="folder of the data sets, NAME.zip or NAME/ each")
        for name in READERS:
            sub.add_argument(f"--{name}", type=Path, help=f"{name} as a folder or a .zip file, if it lies elsewhere")

    def names_a_run(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--seed", type=int, default=0)
        sub.add_argument("--fold", type=int, default=0, choices=range(FOLDS), help="test fold of KDEF, never seen")

    prepare = command("prepare", "Find faces once, cut them out, and cache them.")
    data_sources(prepare)

    teach = command("teach", "Fine-tune the teacher and write its soft labels for the prepared RAF-DB and KDEF.")
    teach.add_argument("--onnx", type=Path, required=True, help="MobileFaceNet as an ONNX file")
    names_a_run(teach)

    fit = command("fit", "Train a model after a recipe; a run that was stopped goes on.")
    fit.add_argument("--model", default="scalable-env2b0")
    fit.add_argument("--recipe", default="elastic")
    fit.add_argument("--engine", default="keras", help="keras: any backend; native: plain PyTorch, faster on a CPU")
    fit.add_argument("--run", help="name of the run, by default MODEL-RECIPE-foldN-seedN")
    fit.add_argument("--weights", default=None, help="beginning: imagenet, a weights file, or nothing for random")
    names_a_run(fit)

    export = command("export", "Put a finished run into models/: weights, OpenVINO files, checksums.")
    export.add_argument("--run", required=True, help="name of the run")
    export.add_argument("--hardware", help="what it was trained on, if not this machine")
    export.add_argument("--note", default="", help="a sentence on the training for the model card")

    evaluate = command("evaluate", "Score a shipped model on held-out data and compare with its shipped figures.")
    evaluate.add_argument("--model", default="scalable-env2b0")
    evaluate.add_argument("--runtime", default="openvino")
    evaluate.add_argument("--protocol", action="append", help="may be given more than once; by default all")
    evaluate.add_argument("--write", action="store_true", help="write the figures and the model card")
    data_sources(evaluate)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns 0, or 2 with one clear line on standard error for unusable input."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("train").setLevel(logging.INFO)
    # The commands import TensorFlow or PyTorch, which takes seconds: only once one was chosen.
    from . import commands

    try:
        getattr(commands, options.command)(options)
    except (ValueError, OSError) as error:
        print(f"python -m train {options.command}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
