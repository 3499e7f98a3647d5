"""Command line: ``python -m train prepare | teach | fit | evaluate | export``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from . import crops as crop_cache
from .data import FOLDS, READERS
from .runs import SPLITS

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

    def what_it_begins_from(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--weights", help="beginning: imagenet, none (random) or a weights file; else the recipe's own"
        )
        sub.add_argument(
            "--begin",
            metavar="RUN",
            help="beginning: the last weights of this finished run, of this model or, for EfficientNetV2-S, of B0; "
            "where several runs are trained, {fold} and {seed} in it stand for each one's own",
        )
        sub.add_argument("--features", type=Path, help="beginning of bdf-mobilenet: a quantized MobileNet v1 (.tflite)")
        sub.add_argument("--teacher", metavar="KNEW", help="listen to the teacher that knew this: fold0, no-kdef, ...")
        sub.add_argument("--set", action="append", metavar="KEY=NUMBER", help="replace a setting in every stage")

    def names_a_split(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--seed", type=int, default=0)
        sub.add_argument("--fold", type=int, choices=range(FOLDS), help="test fold of KDEF, never seen; by default 0")
        sub.add_argument("--split", choices=SPLITS, help="whether KDEF keeps people apart or mixes them, by the seed")

    prepare = command("prepare", "Find faces once, cut them out, and cache them.")
    data_sources(prepare)

    teach = command("teach", "Fine-tune the teacher and write its soft labels for the prepared data sets.")
    teach.add_argument("--onnx", type=Path, required=True, help="MobileFaceNet as an ONNX file")
    teach.add_argument("--without-kdef", action="store_true", help="show it RAF-DB alone")
    names_a_split(teach)

    fit = command("fit", "Train a model after a recipe; a run that was stopped goes on.")
    fit.add_argument("--model", default="scalable-env2b0")
    fit.add_argument("--recipe", default="elastic")
    fit.add_argument("--resolution", type=int, help="side in pixels, for a recipe of one size; else the paper's")
    fit.add_argument("--engine", default="keras", help="keras: any backend; native: plain PyTorch, faster on a CPU")
    fit.add_argument("--run", help="name of the run; by default it tells what the run is")
    what_it_begins_from(fit)
    names_a_split(fit)

    export = command("export", "Put a finished run into models/: weights, OpenVINO files, checksums.")
    export.add_argument("--run", required=True, help="name of the run")
    export.add_argument("--hardware", help="what it was trained on, if not this machine")
    export.add_argument("--note", default="", help="a sentence on the training for the model card")

    evaluate = command("evaluate", "Score shipped weights, or recorded runs, and compare with the stored figures.")
    evaluate.add_argument("--model", help="by default all whose weights are shipped; of runs, scalable-env2b0")
    evaluate.add_argument("--runtime", default="openvino")
    evaluate.add_argument(
        "--protocol", action="append", help="may be given more than once; by default all of shipped weights"
    )
    evaluate.add_argument("--retrain", action="store_true", help="train the runs of a protocol that the cache lacks")
    evaluate.add_argument("--recipe", help="recipe of the runs; by default that of the shipped weights")
    evaluate.add_argument("--resolution", type=int, help="side in pixels that is scored, and trained where it is one")
    evaluate.add_argument("--engine", help="engine of runs that are trained; by default that of the shipped weights")
    evaluate.add_argument("--write", action="store_true", help="write the figures and the model card")
    what_it_begins_from(evaluate)
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
