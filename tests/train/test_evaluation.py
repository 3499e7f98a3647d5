"""``evaluate``: runs are trained, kept, scored and averaged; figures are stored, compared, or not there yet."""

import copy

import cv2
import numpy as np
import pytest

from fer_core import model_files, results
from fer_core.emotions import KDEF_EMOTIONS
from tests.train.generated import PEOPLE, small_model
from train import evaluate as scoring
from train import evaluation, export, protocols, runs
from train import fit as loop
from train.__main__ import main

MODEL = "scalable-env2b0"
RUNS = ["--recipe", "paper", "--resolution", "32", "--set", "epochs=3", "--set", "batch=14", "--weights", "none"]


@pytest.fixture(autouse=True, scope="module")
def small(tmp_path_factory):
    """A small network, two folds and seeds of five, two sizes, and a folder of models of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "build_model", small_model)
        patch.setattr(export, "build_model", small_model)
        patch.setattr(protocols, "FOLDS", 2)
        patch.setattr(protocols, "SEEDS", 2)
        patch.setattr(scoring.score_pictures, "__defaults__", ((32, 48), False))
        models = tmp_path_factory.mktemp("models")
        patch.setattr(model_files, "MODELS_FOLDER", models)
        yield models


@pytest.fixture(scope="module")
def data(tmp_path_factory, astronaut):
    """Ten people by KDEF's names, all the astronaut, each emotion in a light of its own; in profile, a gray wall."""
    root = tmp_path_factory.mktemp("data")
    (root / "kdef").mkdir()
    portrait = astronaut[:300, 80:380].astype(np.float32)
    lights = np.array([[1, 1, 1], [1, 0.5, 0.5], [0.5, 1, 0.5], [0.5, 0.5, 1], [1, 1, 0.5], [0.5, 1, 1], [1, 0.5, 1]])
    rng = np.random.default_rng(0)
    for person in PEOPLE:
        for code, light in zip(KDEF_EMOTIONS, lights, strict=True):
            picture = (portrait * light + rng.normal(0, 4, portrait.shape)).clip(0, 255).astype(np.uint8)
            cv2.imwrite(str(root / "kdef" / f"A{person}{code}S.JPG"), picture[..., ::-1])
        cv2.imwrite(str(root / "kdef" / f"A{person}ANFL.JPG"), np.full((300, 300, 3), 128, np.uint8))
    return root


@pytest.fixture(scope="module")
def cache(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    assert main(["prepare", "--kdef", str(data / "kdef"), "--cache", str(folder)]) == 0
    return folder


def command(data, cache, protocol, *more):
    return main(["evaluate", "--protocol", protocol, *RUNS, "--data", str(data), "--cache", str(cache), *more])


def test_nothing_is_trained_unless_asked_for(data, cache, small, capsys):
    assert command(data, cache, "kdef-unseen-people") == 2
    said = capsys.readouterr().err
    assert "epochs done: 0 of 3, 0 of 3; --retrain trains what is missing" in said
    assert not (cache / "runs").exists()


def test_an_unfinished_run_is_no_figure(data, cache, small, monkeypatch, tmp_path):
    class Killed(BaseException):
        pass

    real = loop._record_epoch

    def die_after_two(progress, *scores):
        real(progress, *scores)
        if len(progress.history) == 2:
            raise Killed

    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0)
    monkeypatch.setattr(loop, "_record_epoch", die_after_two)
    with pytest.raises(Killed):
        command(data, cache, "kdef-paper-split", "--retrain")
    monkeypatch.undo()
    # It needs a protocol to write a card of, so the record alone is looked at.
    monkeypatch.setattr("train.evaluation.write_card", lambda folder, metrics: None)
    assert command(data, cache, "kdef-paper-split", "--write") == 0
    metrics = model_files.read_metrics(MODEL, small)
    assert metrics["protocols"] == {}
    (item,) = metrics["unfinished"]
    assert (item["protocol"], item["recipe"], item["resolution"]) == ("kdef-paper-split", "paper", 32)
    assert [(run["seed"], run["epochs"], run["of"]) for run in item["runs"]] == [(0, 1, 3), (1, 0, 3)]


@pytest.mark.parametrize("protocol", ["kdef-unseen-people", "kdef-paper-split"])
def test_runs_are_trained_scored_and_stored(data, cache, small, protocol, caplog):
    assert command(data, cache, protocol, "--retrain", "--write") == 0
    metrics = model_files.read_metrics(MODEL, small)
    figures = metrics["protocols"][protocol]
    mixed = protocol == "kdef-paper-split"
    members = protocols.runs_of(
        protocols.PROTOCOLS[protocol],
        runs.plan(MODEL, "paper", resolution=32, changes={"epochs": 3, "batch": 14}),
    )
    names = [runs.run_name(run) for run in members]
    standings = [runs.standing(cache, name) for name in names]
    assert [(len(record.history), finished) for record, finished in standings] == [(3, True)] * 2
    assert [run["epochs"] for run in figures["runs"]] == [3, 3]
    assert figures["weights"] == "run"
    assert [run["checkpoint_sha256"] for run in figures["runs"]] == [
        model_files.sha256(cache / "runs" / name / "final.weights.h5") for name in names
    ]
    assert figures["accuracy"] == pytest.approx(np.mean([run["accuracy"] for run in figures["runs"]]))
    assert figures["std"]["accuracy"] == pytest.approx(np.std([run["accuracy"] for run in figures["runs"]], ddof=1))
    # A wall has no face: it counts, and it counts as wrong.
    assert figures["faces_missed"] > 0
    assert figures["by_angle"]["FL"] == 0
    assert figures["accuracy"] < figures["accuracy_on_found"]
    assert figures["images"] == np.sum(figures["confusion"]) + figures["faces_missed"]
    assert figures["images"] == (16 if mixed else 4 * 8)
    assert set(figures["accuracy_by_resolution"]) == {"32", "48"}
    assert figures["accuracy_by_resolution"]["32"] == pytest.approx(figures["accuracy"])
    split = figures["split"]
    if mixed:
        assert min(split["people_on_both_sides"]) > 0
    else:
        assert split["people_on_both_sides"] == [0, 0]
        assert split["folds"] == protocols.kdef_folds(PEOPLE)[:2]
    assert figures["command"].startswith(f"python -m train evaluate --model {MODEL} --protocol {protocol} --retrain")
    assert protocol not in [item["protocol"] for item in metrics["unfinished"]]
    # What the results tab reads, and the card.
    (row,) = [row for row in results.measured_rows(small) if row.protocol == protocol]
    assert (row.weights, row.accuracy_std) == ("run", figures["std"]["accuracy"])
    card = (small / MODEL / "README.md").read_text()
    assert "No weights are shipped" in card
    assert figures["command"] in card
    # Again: nothing is trained, everything is scored, and the figures are the same.
    caplog.clear()
    assert command(data, cache, protocol, "--retrain") == 0
    assert caplog.text.count("finished in the cache, not trained again") == 2


def test_figures_that_are_not_repeated_are_an_error(data, cache, small, capsys):
    metrics = model_files.read_metrics(MODEL, small)
    changed = copy.deepcopy(metrics)
    changed["protocols"]["kdef-unseen-people"]["accuracy"] += 0.1
    export.write_metrics(small / MODEL, changed)
    assert command(data, cache, "kdef-unseen-people") == 2
    assert f"1 figures differ from the stored ones: {MODEL}, kdef-unseen-people, accuracy" in capsys.readouterr().err
    export.write_metrics(small / MODEL, metrics)


def test_the_command_that_is_stored_repeats_the_figures(data, cache, small):
    figures = model_files.read_metrics(MODEL, small)["protocols"]["kdef-unseen-people"]
    words = figures["command"].removeprefix("python -m train ").split()
    assert main([*words, "--data", str(data), "--cache", str(cache)]) == 0


def test_each_run_begins_from_its_own(data, cache, small):
    ended = runs.run_name(runs.plan(MODEL, "paper", resolution=32, changes={"epochs": 3, "batch": 14}))
    pattern = ended.replace("seed0", "seed{seed}")
    more = ["--set", "epochs=1", "--set", "batch=14", "--begin", pattern, "--data", str(data), "--cache", str(cache)]
    words = ["evaluate", "--protocol", "kdef-paper-split", "--recipe", "paper", "--resolution", "32", *more]
    assert main([*words, "--retrain", "--write"]) == 0
    figures = model_files.read_metrics(MODEL, small)["protocols"]["kdef-paper-split"]
    assert [run["epochs"] for run in figures["runs"]] == [3 + 1] * 2
    for seed, run in enumerate(figures["runs"]):
        assert f"--begin {pattern.replace('{seed}', str(seed))}" in run["commands"][-1]
    assert f"--begin {pattern} " in figures["command"]


@pytest.mark.parametrize(
    ("asked", "trained", "names", "models"),
    [
        pytest.param(None, ["a", "b"], ["raf-db-test"], ["a", "b"], id="all-shipped"),
        pytest.param(None, ["a", "b"], ["raf-db-test", "kdef-paper-split"], [MODEL], id="runs"),
        pytest.param(None, [], ["raf-db-test"], [MODEL], id="none-shipped"),
        pytest.param("b", ["a"], ["raf-db-test"], ["b"], id="asked-for"),
    ],
)
def test_which_models_are_scored(monkeypatch, asked, trained, names, models):
    monkeypatch.setattr(model_files, "trained_models", lambda: trained)
    assert evaluation._models(asked, names) == models


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--model", "bdf-mobilenet"], "model bdf-mobilenet has no weights here", id="no-weights"),
        pytest.param(["--protocol", "raf-db-test"], "raf-db is needed, but was not found", id="no-data"),
        pytest.param(["--protocol", "kdef-unseen-people", "--begin", "x", "--recipe", "elastic"], "0 of", id="no-runs"),
    ],
)
def test_what_cannot_be_scored_is_named(data, cache, capsys, arguments, message):
    extra = [] if "--protocol" in arguments else ["--protocol", "kdef-unseen-people-fold0"]
    assert main(["evaluate", *arguments, *extra, "--data", str(data), "--cache", str(cache)]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
