"""The two splits of KDEF: which measurement stands for a model, and what the leak is worth."""

from __future__ import annotations

import pytest

from fer_core.results import measured_rows
from fer_core.splits import (
    PEOPLE_APART,
    PEOPLE_MIXED,
    SPLITS,
    leak,
    measuring_command,
    row_of,
    rows_of,
    served_row_of,
    split_named,
    why_not_measured,
)
from tests.metrics_files import protocol, write_metrics

MODEL = "scalable-env2b0"


def rows(folder, **accuracies):
    """Returns the rows of a file with these protocols, ``_`` standing for ``-``."""
    entries = {
        name.replace("_", "-"): entry if isinstance(entry, dict) else protocol(entry)
        for name, entry in accuracies.items()
    }
    write_metrics(folder, MODEL, entries)
    return measured_rows(folder)


def test_five_folds_stand_before_one(tmp_path):
    found = rows(tmp_path, kdef_unseen_people_fold0=0.7, kdef_unseen_people=0.8, kdef_paper_split=0.9, raf_db_test=0.6)
    assert row_of(found, MODEL, PEOPLE_APART).protocol == "kdef-unseen-people"
    assert row_of(found[:1], MODEL, PEOPLE_APART).protocol == "kdef-unseen-people-fold0"
    assert row_of(found, MODEL, PEOPLE_MIXED).accuracy == 0.9
    assert row_of(found, "bdf-mobilenet", PEOPLE_MIXED) is None
    apart = ["kdef-unseen-people", "kdef-unseen-people-fold0", "raf-db-test"]
    assert [row.protocol for row in rows_of(found, PEOPLE_APART)] == apart
    assert [row.protocol for row in rows_of(found, PEOPLE_MIXED)] == ["kdef-paper-split", "raf-db-test"]


def test_one_fold_of_one_model_is_not_compared_with_five_of_another(tmp_path):
    write_metrics(tmp_path, "scalable-env2s", {"kdef-unseen-people-fold0": protocol(0.8)})
    found = rows(tmp_path, kdef_unseen_people_fold0=0.7, kdef_unseen_people=protocol(0.6, weights="run"))
    assert row_of(found, "scalable-env2s", PEOPLE_APART) is None
    assert row_of(found, MODEL, PEOPLE_APART).accuracy == 0.6
    served = [served_row_of(found, model, PEOPLE_APART) for model in (MODEL, "scalable-env2s")]
    assert [row.accuracy for row in served] == [0.7, 0.8], "the same fold of both"
    assert served_row_of(found, "bdf-mobilenet", PEOPLE_APART) is None


@pytest.mark.parametrize(
    ("mixed", "apart", "pair", "resolutions"),
    [
        pytest.param(protocol(0.95), protocol(0.8), (0.95, 0.8), (128, 128), id="same-size"),
        pytest.param(protocol(0.95, resolution=302), protocol(0.8), (0.95, 0.7), (302, 302), id="at-the-mixed-size"),
        pytest.param(
            protocol(0.95, resolution=90), protocol(0.8), (0.95, 0.8), (128, 128), id="at-the-size-of-those-apart"
        ),
        pytest.param(
            protocol(0.95, resolution=90, accuracy_by_resolution={}),
            protocol(0.8),
            (0.95, 0.8),
            (90, 128),
            id="no-size-in-common",
        ),
    ],
)
def test_both_splits_are_compared_at_one_size_where_possible(tmp_path, mixed, apart, pair, resolutions):
    compared = leak(rows(tmp_path, kdef_paper_split=mixed, kdef_unseen_people_fold0=apart), MODEL)
    assert (compared.mixed, compared.apart) == pytest.approx(pair)
    assert compared.resolutions == resolutions
    assert compared.gap == pytest.approx(pair[0] - pair[1])
    assert compared.spread is None


def test_the_spread_of_the_gap_is_of_both(tmp_path):
    found = rows(tmp_path, kdef_paper_split=protocol(0.9, std=0.03), kdef_unseen_people=protocol(0.8, std=0.04))
    assert leak(found, MODEL).spread == pytest.approx(0.05)


@pytest.mark.parametrize("only", ["kdef_paper_split", "kdef_unseen_people", "raf_db_test"])
def test_no_leak_is_stated_of_one_split(tmp_path, only):
    assert leak(rows(tmp_path, **{only: 0.8}), MODEL) is None


def test_no_leak_is_stated_between_weights_that_were_trained_differently(tmp_path):
    run = protocol(0.9) | {"weights": "run", "command": "python -m train evaluate --retrain"}
    assert leak(rows(tmp_path, kdef_paper_split=run, kdef_unseen_people_fold0=0.8), MODEL) is None


@pytest.mark.parametrize(
    ("model", "split", "reason"),
    [
        pytest.param(
            MODEL, PEOPLE_MIXED, "python -m train evaluate --protocol kdef-paper-split --retrain", id="default-model"
        ),
        pytest.param(
            "scalable-env2s", PEOPLE_APART, "--model scalable-env2s --protocol kdef-unseen-people", id="other"
        ),
        pytest.param("bdf-inceptionv3", PEOPLE_APART, "not measured: ImageNet weights not available here", id="never"),
    ],
)
def test_what_is_missing_says_why(model, split, reason):
    assert reason in why_not_measured(model, split)


def test_shipped_weights_are_measured_without_training():
    assert measuring_command("raf-db-test", MODEL, "shipped") == "python -m train evaluate --protocol raf-db-test"


def test_splits_by_name():
    assert [split_named(split.name) for split in SPLITS] == list(SPLITS)
    with pytest.raises(ValueError, match=r"split must be one of people kept apart, .* but got 'random'"):
        split_named("random")
