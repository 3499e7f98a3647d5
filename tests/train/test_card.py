"""A model's card says what its figures are of, how they are repeated, and what is not known."""

import copy

import pytest

from fer_core.emotions import EMOTIONS
from train.card import write_card

FIGURES = {
    "description": "Ten pictures",
    "accuracy": 0.5,
    "accuracy_on_found": 0.6,
    "loss": 1.0,
    "f1_macro": 0.41,
    "f1_micro": 0.42,
    "f1_weighted": 0.43,
    "calibration_error": 0.044,
    "confusion": [[1]],
    "images": 10,
    "faces_missed": 1,
    "resolution": 128,
    "accuracy_by_resolution": {"64": 0.45, "128": 0.5},
    "weights": "shipped",
    "runtime": "openvino (fp32)",
    "date": "2026-11-23",
    "machine": "a machine",
}
METRICS = {
    "model": "scalable-env2b0",
    "emotions": list(EMOTIONS),
    "trained_sizes": [64, 128],
    "temperature": 0.9,
    "trained_with": {
        "commands": ["python -m train fit one", "python -m train fit two"],
        "hardware": "a machine",
        "training_seconds": 600,
        "note": "A note.",
    },
    "protocols": {"raf-db-test": FIGURES},
}
RUNS = FIGURES | {
    "weights": "run",
    "std": {"accuracy": 0.012},
    "command": "python -m train evaluate --protocol kdef-paper-split --retrain",
    "accuracy_by_resolution": {"64": 0.45, "128": 0.5, "302": 0.77},
    "by_angle": {"S": 0.876},
}


def card(tmp_path, **changes):
    write_card(tmp_path, copy.deepcopy(METRICS) | changes)
    return (tmp_path / "README.md").read_text()


def test_headings_and_every_metric(tmp_path):
    text = card(tmp_path)
    for heading in (
        "Intended use",
        "Prohibited use",
        "Training data and its terms",
        "Licence",
        "Training recipe and cost",
        "Evaluation",
        "What fails",
    ):
        assert f"\n## {heading}\n" in text
    assert (
        "| Ten pictures | 128 | 10 | **0.500** | 0.600 | 1.000 | 0.410 | 0.420 | 0.430 | 0.044 | 1 | shipped |" in text
    )
    assert "| raf-db-test | 0.450 | 0.500 |" in text
    assert "python -m train fit one\npython -m train fit two" in text
    assert "a machine: 10 minutes.\nA note." in text
    assert "has not been measured with this model" in text
    for word in ("Profile faces", "Glasses", "low light", "occlusion", "skin tone", "age"):
        assert word in text
    assert "*run*" not in text


def test_runs_are_told_from_shipped_weights(tmp_path):
    text = card(tmp_path, protocols={"raf-db-test": FIGURES, "kdef-paper-split": RUNS})
    assert "**0.500** ± 0.012" in text
    assert "- `kdef-paper-split`: `python -m train evaluate --protocol kdef-paper-split --retrain`" in text
    assert "with people mixed it is 0.500 here at 128 px, and 0.770 at the best size." in text
    assert "| raf-db-test | 0.450 | 0.500 |  |" in text
    assert "| kdef-paper-split |  |  | 0.876 |  |  |" in text


def test_what_is_not_finished_has_no_figure(tmp_path):
    runs = [{"fold": None, "seed": 0, "epochs": 7, "of": 120}]
    item = {"protocol": "kdef-paper-split", "recipe": "paper", "resolution": 302, "runs": runs}
    assert "- kdef-paper-split, recipe paper at 302 px: epochs done by run: 7 of 120" in card(
        tmp_path, unfinished=[item]
    )


def test_without_weights_it_says_so(tmp_path):
    text = card(tmp_path, stored_as=None, trained_sizes=[224])
    assert "No weights are shipped: the figures below come from recorded training runs, at 224 px." in text
    assert "SHA256SUMS" not in text


def test_nothing_measured_is_no_card(tmp_path):
    with pytest.raises(ValueError, match="needs the figures of a protocol, but nothing was measured"):
        card(tmp_path, protocols={})
