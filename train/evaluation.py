"""What ``evaluate`` does: scores shipped weights, scores or repeats recorded runs, stores or compares the figures."""

from __future__ import annotations

import argparse
import datetime
import logging
from pathlib import Path

from fer_core import EmotionRecognizer, model_files
from fer_core.builder import architecture
from fer_core.recognizer import DEFAULT_MODEL, DEFAULT_RESOLUTION

from . import runs
from .card import write_card
from .checkpoints import FINAL_WEIGHTS, Progress, read_record
from .data import READERS, Source, find_data
from .evaluate import evaluate as score
from .evaluate import score_pictures
from .export import empty_metrics, export, machine, write_metrics
from .protocols import PROTOCOLS, check_protocol, combine, compare, in_order, pictures_of_test, runs_of, split_record
from .recipes import recipe

log = logging.getLogger(__name__)


def evaluate(options: argparse.Namespace) -> None:
    """Scores protocols, and either writes the figures and the model cards or compares with the stored figures.

    Raises:
        ValueError: If figures differ from the stored ones, or runs that a protocol needs are not finished.
    """
    # Everything is checked before the first protocol is scored, which takes a minute.
    names = options.protocol or [name for name, protocol in PROTOCOLS.items() if not protocol.over]
    data = {}
    for name in names:
        data_set = check_protocol(name).data_set
        data[name] = find_data(data_set, getattr(options, data_set.replace("-", "_")), options.data)
    differing = []
    for model in _models(options.model, names):
        differing += _evaluate(argparse.Namespace(**vars(options) | {"model": model}), names, data)
    if differing and not options.write:
        raise ValueError(f"{len(differing)} figures differ from the stored ones: " + "; ".join(differing))


def _models(asked: str | None, names: list[str]) -> list[str]:
    """Returns which models are scored: unless one is asked for, all whose weights are shipped; of runs, the first."""
    if asked is not None:
        return [asked]
    trained = model_files.trained_models()
    return [DEFAULT_MODEL] if not trained or any(PROTOCOLS[name].over for name in names) else trained


def _evaluate(options: argparse.Namespace, names: list[str], data: dict[str, Path]) -> list[str]:
    """Scores protocols of one model, ``options.model``; returns the figures that differ from the stored ones."""
    metrics = model_files.read_metrics(options.model)
    shipped = [name for name in names if not PROTOCOLS[name].over]
    if shipped:
        recognizer = EmotionRecognizer.load(options.model, options.runtime)
        _check_held_out(metrics, shipped)
    if metrics is None:
        metrics = empty_metrics(options.model)
    differing = []
    for name in names:
        if PROTOCOLS[name].over:
            figures = _score_runs(name, data[name], options, metrics)
        else:
            figures = score(recognizer, name, data[name], options.resolution or DEFAULT_RESOLUTION)
            figures |= {"weights": "shipped", "runtime": f"{options.runtime} ({recognizer.runtime.precision})"}
        if figures is not None:
            differing += _report(name, figures, metrics)
            if options.write:
                metrics["protocols"][name] = figures | _origin(name)
    if options.write:
        folder = model_files.model_folder(options.model)
        folder.mkdir(exist_ok=True)
        metrics["protocols"] = in_order(metrics["protocols"])
        write_metrics(folder, metrics)
        write_card(folder, metrics)
    return differing


def _check_held_out(metrics: dict | None, names: list[str]) -> None:
    """Raises an error where shipped weights would be scored on people whom they know."""
    if metrics is None:
        raise FileNotFoundError("expected metrics.json beside the weights, found none: export the run first")
    trained = metrics["trained_with"]
    known = trained["fold"] if trained.get("split", "people") == "people" else "none: people are mixed"
    if known != 0 and "kdef-unseen-people-fold0" in names:
        raise ValueError(f"these weights held out fold {known}: kdef-unseen-people-fold0 would score people they know")


def _origin(name: str) -> dict:
    return {
        "description": PROTOCOLS[name].description,
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
    }


def _report(name: str, figures: dict, metrics: dict) -> list[str]:
    """Logs figures beside the stored ones; returns those that differ."""
    log.info("%s, %s", metrics["model"], name)
    differing = []
    for line, differs in compare(_numbers(figures), metrics["protocols"].get(name, {})):
        log.info("  %s", line)
        if differs:
            differing.append(f"{metrics['model']}, {name}, {line}")
    return differing


def _numbers(figures: dict) -> dict:
    return {key: value for key, value in figures.items() if isinstance(value, (int, float, dict))}


def _base_run(options: argparse.Namespace, metrics: dict) -> tuple[Progress, dict | None]:
    """Returns what the runs of a protocol have in common, and the record of the run that they begin from.

    What the options leave open is as the shipped weights were trained.
    """
    trained = metrics.get("trained_with") or {}
    usual = trained.get("recipe") or ("elastic" if architecture(options.model).trainable_backbone else "baseline")
    name = options.recipe or usual
    trained = trained if name == trained.get("recipe") else {}
    run = runs.plan(
        options.model,
        name,
        resolution=options.resolution if recipe(name).one_size else None,
        engine=options.engine or trained.get("engine", "keras"),
        changes=runs.parse_changes(options.set) or trained.get("changes"),
    )
    if "kdef" not in recipe(name).data:
        raise ValueError(f"recipe {name!r} does not train on KDEF, so its runs cannot be scored there")
    begin = {"run": options.begin} if options.begin else trained.get("begin")
    return run, begin


def _train_missing(members: list[Progress], begin: dict | None, options: argparse.Namespace) -> None:
    """Trains the runs of a protocol that are not finished in the cache, and before them what they begin from."""
    from .start import start

    if begin and "recipe" in begin and not runs.standing(options.cache, begin["run"])[1]:
        first = runs.plan(
            begin["model"], begin["recipe"], begin["seed"], engine=begin["engine"], changes=begin["changes"]
        )
        start(first, options.cache, begin["run"], teacher=options.teacher)
    for run in members:
        name = runs.run_name(run)
        if runs.standing(options.cache, name)[1]:
            log.info("%s: finished in the cache, not trained again", name)
            continue
        start(
            run,
            options.cache,
            weights=options.weights,
            begin=runs.beginning_named(begin["run"], run) if begin else None,
            features=options.features,
            teacher=options.teacher,
        )


def _unfinished(name: str, members: list[Progress], cache: Path) -> dict | None:
    """Returns how far the runs of a protocol have come, or None if all are finished."""
    standings = [runs.standing(cache, runs.run_name(run)) for run in members]
    if all(finished for _, finished in standings):
        return None
    of = runs.recipe_of(members[0]).epochs
    return {
        "protocol": name,
        "recipe": members[0].recipe,
        "resolution": members[0].resolution,
        "runs": [
            {"fold": run.fold, "seed": run.seed, "epochs": len(record.history) if record else 0, "of": of}
            for run, (record, _) in zip(members, standings, strict=True)
        ],
    }


def _score_runs(name: str, data: Path, options: argparse.Namespace, metrics: dict) -> dict | None:
    """Scores the runs of a protocol, training those that are missing if asked to.

    Returns:
        The mean figures; None if runs are not finished, and that was written into ``metrics`` instead.
    """
    base, begin = _base_run(options, metrics)
    members = runs_of(PROTOCOLS[name], base)
    if options.retrain:
        _train_missing(members, begin, options)
    others = [
        item
        for item in metrics.get("unfinished", [])
        if (item["protocol"], item["recipe"], item["resolution"]) != (name, base.recipe, base.resolution)
    ]
    unfinished = _unfinished(name, members, options.cache)
    if unfinished:
        said = ", ".join(f"{run['epochs']} of {run['of']}" for run in unfinished["runs"])
        message = f"{name}: its runs are not finished, so there is no figure; epochs done: {said}"
        if not options.write:
            raise ValueError(f"{message}; --retrain trains what is missing, --write records how far it is")
        log.warning("%s", message)
        metrics["unfinished"] = [*others, unfinished]
        return None
    metrics["unfinished"] = others
    source = Source(data)
    pictures = READERS["kdef"](source)
    finished = [read_record(runs.run_folder(options.cache, runs.run_name(run))) for run in members]
    scored = [_score_run(run, source, pictures, options) for run in finished]
    if not model_files.is_trained(base.model):
        # A model without weights here shows how its first run went.
        first = model_files.read_metrics(base.model, _scored_models(finished[0], options.cache))
        assert first is not None, "it was just scored"
        metrics |= {key: first[key] for key in ("trained_sizes", "trained_with", "history")}
    return combine([figures for figures, _ in scored]) | {
        "people": len({picture.person for run in finished for picture in pictures_of_test(run, pictures)}),
        "split": split_record(finished, pictures),
        "weights": "run",
        "command": _command(name, base, begin, finished[0], options),
        "runs": [record for _, record in scored],
        "runtime": scored[0][1]["runtime"],
    }


def _scored_models(run: Progress, cache: Path) -> Path:
    """Returns where a run's weights lie as a model is shipped, in the run's own folder."""
    return runs.run_folder(cache, runs.run_name(run)) / "models"


def _command(name: str, base: Progress, begin: dict | None, first: Progress, options: argparse.Namespace) -> str:
    """Returns the command that repeats a protocol, whatever the shipped weights were trained with."""
    words = ["python -m train evaluate", f"--model {base.model}", f"--protocol {name} --retrain"]
    words.append(f"--recipe {base.recipe} --engine {first.engine}")
    if options.resolution:
        words.append(f"--resolution {options.resolution}")
    words += [f"--begin {begin['run']}"] if begin else runs.origin_words(first)
    return " ".join([*words, *runs.teacher_words(first), *runs.change_words(base)])


def _score_run(run: Progress, source: Source, pictures: list, options: argparse.Namespace) -> tuple[dict, dict]:
    """Scores one finished run on what it held out; returns its figures and its record."""
    folder = runs.run_folder(options.cache, runs.run_name(run))
    models = _scored_models(run, options.cache)
    checksum = model_files.sha256(folder / FINAL_WEIGHTS)
    exported = model_files.read_metrics(run.model, models)
    if exported is None or exported["trained_with"]["checkpoint_sha256"] != checksum:
        # As a model is shipped, so that scored weights are rounded as served ones.
        export(folder, run, runs.RunData(run, options.cache).validation(), models, {})
        exported = model_files.read_metrics(run.model, models)
    assert exported is not None
    chosen = runs.recipe_of(run)
    resolution = options.resolution or (chosen.checked_at() if chosen.one_size else DEFAULT_RESOLUTION)
    recognizer = EmotionRecognizer.load(run.model, options.runtime, resolution, models)
    figures = score_pictures(recognizer, source, pictures_of_test(run, pictures), resolution)
    log.info("%s: accuracy %.4f", folder.name, figures["accuracy"])
    record = {
        "fold": run.fold,
        "seed": run.seed,
        "accuracy": figures["accuracy"],
        "loss": figures["loss"],
        "epochs": sum(len(each.history) for each in runs.chain(run)),
        "temperature": exported["temperature"],
        "commands": exported["trained_with"]["commands"],
        "teachers": exported["trained_with"]["teachers"],
        "checkpoint_sha256": checksum,
        "runtime": f"{options.runtime} ({recognizer.runtime.precision})",
        "training_seconds": exported["trained_with"]["training_seconds"],
    }
    return figures, record
