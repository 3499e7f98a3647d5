"""Protocols: which runs they average, on what each is tested, and how several become one."""

import numpy as np
import pytest

from tests.train.generated import PEOPLE, kdef_pictures
from train import runs
from train.checkpoints import Progress
from train.protocols import (
    PROTOCOLS,
    check_protocol,
    combine,
    compare,
    in_order,
    people_on_both_sides,
    pictures_of_test,
    runs_of,
    shipped_split,
    split_record,
)

KDEF = kdef_pictures(angles="FL S HR")


def members(name):
    found = runs_of(PROTOCOLS[name], Progress("scalable-env2b0", "elastic", 0, 0))
    for run in found:
        runs.hold_out(run, KDEF)
    return found


def test_every_protocol_names_a_data_set():
    assert {protocol.data_set for protocol in PROTOCOLS.values()} == {"kdef", "raf-db", "ferplus"}
    with pytest.raises(ValueError, match=r"protocol must be one of .*kdef-paper-split, but got 'all'"):
        check_protocol("all")


def test_figures_stand_in_the_order_of_the_protocols():
    measured = {"kdef-paper-split": 1, "ferplus-test": 2, "kdef-unseen-people-fold0": 3}
    assert list(in_order(measured)) == ["kdef-unseen-people-fold0", "ferplus-test", "kdef-paper-split"]
    assert in_order(measured) == measured


def test_folds_test_everybody_once_and_nobody_twice():
    folds = members("kdef-unseen-people")
    assert [(run.fold, run.seed) for run in folds] == [(fold, 0) for fold in range(5)]
    folds[0].history.append({"epoch": 1})
    assert folds[1].history == [], "each is a run of its own"
    tested = [picture for run in folds for picture in pictures_of_test(run, KDEF)]
    assert sorted(picture.path for picture in tested) == sorted(picture.path for picture in KDEF)
    record = split_record(folds, KDEF)
    assert record["people_on_both_sides"] == [0] * 5
    assert sorted(person for fold in record["folds"] for person in fold) == PEOPLE
    for fold, validation in zip(record["folds"], record["validation"], strict=True):
        assert not set(fold) & set(validation)


def test_seeds_mix_people_and_say_how_many():
    seeds = members("kdef-paper-split")
    assert [(run.split, run.fold, run.seed) for run in seeds] == [("mixed", None, seed) for seed in range(5)]
    record = split_record(seeds, KDEF)
    for run, leaked, tested in zip(seeds, record["people_on_both_sides"], record["people_in_test"], strict=True):
        names = set(run.held_out["test"])
        train = {p.person for p in KDEF if p.path not in names | set(run.held_out["validation"])}
        test = {p.person for p in KDEF if p.path in names}
        assert (leaked, tested) == (len(train & test), len(test))
        assert leaked > 5
    assert len(set(record["test_sha256"])) == 5


def test_the_shipped_weights_know_nobody_of_their_test():
    record = shipped_split(KDEF)
    assert record["people_on_both_sides"] == 0
    assert not set(record["folds"][0]) & set(record["validation"])


def test_a_leak_would_be_counted():
    run = Progress("", "", 0, 0, held_out={"test": ["F01"], "validation": []})
    assert people_on_both_sides(run, KDEF) == 0
    run = Progress("", "", 0, None, split="mixed", held_out={"test": [KDEF[0].path], "validation": []})
    assert people_on_both_sides(run, KDEF) == 1


def test_missing_pictures_of_a_test_are_named():
    run = members("kdef-unseen-people")[0]
    with pytest.raises(ValueError, match=r"tested on 2 people or pictures, but \d are not in KDEF here"):
        pictures_of_test(run, [picture for picture in KDEF if picture.person not in run.held_out["test"][:1]])


def figures(accuracy, hits):
    return {
        "accuracy": accuracy,
        "loss": 1 - accuracy,
        "confusion": [[hits, 1], [2, 3]],
        "images": 10,
        "faces_missed": 1,
        "resolution": 64,
        "accuracy_by_resolution": {"48": accuracy / 2, "64": accuracy},
        "by_angle": {"S": accuracy},
    }


def test_runs_are_averaged_and_counts_added():
    shares = [0.5, 0.6, 0.9]
    mean = combine([figures(share, hits) for hits, share in enumerate(shares)])
    assert mean["accuracy"] == pytest.approx(np.mean(shares))
    assert mean["accuracy_by_resolution"] == {"48": pytest.approx(np.mean(shares) / 2), "64": pytest.approx(2 / 3)}
    assert mean["by_angle"] == {"S": pytest.approx(2 / 3)}
    assert (mean["images"], mean["faces_missed"], mean["resolution"]) == (30, 3, 64)
    assert mean["confusion"] == [[3, 3], [6, 9]]
    assert mean["std"]["accuracy"] == pytest.approx(np.std(shares, ddof=1))
    assert mean["std"]["accuracy_by_resolution"]["48"] == pytest.approx(np.std(shares, ddof=1) / 2)
    assert set(mean["std"]) == {"accuracy", "loss", "accuracy_by_resolution"}


@pytest.mark.parametrize(
    ("change", "differing"),
    [
        pytest.param({}, [], id="same"),
        pytest.param({"accuracy": 0.504}, [], id="rounding"),
        pytest.param({"accuracy": 0.506}, ["accuracy"], id="more-than-rounding"),
        pytest.param({"faces_missed": 2}, ["faces_missed"], id="counts-are-exact"),
        pytest.param({"by_angle": {}}, ["by_angle S"], id="missing"),
        pytest.param({"accuracy_by_resolution": {"48": 0.25, "64": 0.4}}, ["accuracy_by_resolution 64"], id="a-size"),
    ],
)
def test_figures_that_differ_are_named(change, differing):
    lines = compare(figures(0.5, 1), figures(0.5, 1) | change)
    assert [line.split(":")[0] for line, differs in lines if differs] == differing
