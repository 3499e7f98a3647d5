"""Figures hold the numbers that they were given, the paper's beside them and marked as such."""

from __future__ import annotations

import numpy as np
import pytest

from fer_core import result_figures
from fer_core.builder import ARCHITECTURES
from fer_core.emotions import KDEF_ANGLES
from fer_core.results import PAPER_MACHINE, PAPER_TABLE_2, measured_rows, read_results
from fer_core.trade_off import Choice
from tests.metrics_files import protocol, write_metrics

MODEL = "scalable-env2b0"


@pytest.fixture
def rows(tmp_path):
    entries = {"kdef-unseen-people": protocol(0.8, std=0.02), "kdef-paper-split": protocol(0.9)}
    write_metrics(tmp_path, MODEL, entries | {"raf-db-test": protocol(0.7, by_angle=None)})
    write_metrics(tmp_path, "bdf-mobilenet", {"kdef-unseen-people": protocol(0.6)})
    return measured_rows(tmp_path)


def trace(figure, words):
    """Returns the one trace whose name holds these words."""
    (found,) = (each for each in figure.data if words in each.name.replace("<br>", " "))
    return found


def test_accuracy_by_resolution(rows):
    figure = result_figures.accuracy_by_resolution(rows)
    assert len(figure.data) == len(rows)
    for row, line in zip(rows, figure.data, strict=True):
        assert dict(zip(line.x, line.y, strict=True)) == row.accuracy_by_resolution
        assert list(line.x) == sorted(line.x)
        assert line.line.color == result_figures.MODEL_COLORS[row.model]
    assert len({(line.line.color, line.line.dash) for line in figure.data[1:]}) == 3


def test_a_long_legend_makes_the_figure_higher_and_needs_no_scroll_bar(tmp_path):
    for model in ("scalable-env2b0", "scalable-env2s", "bdf-mobilenet"):
        entries = {name: protocol(0.8) for name in ("kdef-unseen-people", "raf-db-test", "ferplus-test")}
        write_metrics(tmp_path, model, entries)
    many = measured_rows(tmp_path)
    few, all_rows = (result_figures.accuracy_by_resolution(chosen).layout.height for chosen in (many[:3], many))
    lines = 2 * len(many)
    assert all_rows > few
    assert all_rows / 2 > lines * 20, "half of the height is the legend's, with lines of 20 px"


def test_confusion_shows_counts_and_colors_shares():
    counts = np.arange(49).reshape(7, 7)
    (drawn,) = result_figures.confusion(counts.tolist()).data
    assert np.array_equal(np.asarray(drawn.text, int), counts)
    assert np.allclose(np.asarray(drawn.z), counts / counts.sum(1, keepdims=True))


def test_an_emotion_without_pictures_has_no_shares():
    counts = np.eye(7, dtype=int) * 5
    counts[2] = 0
    (drawn,) = result_figures.confusion(counts.tolist()).data
    assert np.asarray(drawn.z)[2].tolist() == [0] * 7


def test_by_angle_runs_from_left_to_right(rows):
    turned = [row for row in rows if row.by_angle]
    figure = result_figures.by_angle(turned)
    for row, bars in zip(turned, figure.data, strict=True):
        assert [label.split("<br>")[0] for label in bars.x] == list(KDEF_ANGLES)
        assert list(bars.y) == [row.by_angle[angle] for angle in KDEF_ANGLES]
        assert list(bars.customdata) == list(KDEF_ANGLES.values())
        assert list(bars.text) == [f"{row.by_angle[angle]:.2f}" for angle in KDEF_ANGLES]
    crowded = result_figures.by_angle(2 * turned)
    assert all(bars.text is None for bars in crowded.data), "bars too narrow for numbers"


def test_splits_stand_beside_the_paper(rows):
    figure = result_figures.splits(rows)
    models = [MODEL, "bdf-mobilenet"]
    paper, mixed, apart = (trace(figure, words) for words in ("the paper, split", "mixed", "apart"))
    assert list(paper.y) == [PAPER_TABLE_2[model].accuracy for model in models]
    assert (list(mixed.customdata), list(mixed.y)) == ([MODEL], [0.9])
    assert (list(apart.customdata), list(apart.y)) == (models, [0.8, 0.6])
    assert list(apart.error_y.array) == [0.02, 0]


CHOICES = [
    Choice(MODEL, "openvino", 48, 2.0, 0.5),
    Choice(MODEL, "openvino", 128, 4.0, 0.8),
    Choice(MODEL, "openvino", 224, 9.0, 0.6, measured=False),
    Choice(MODEL, "keras-predict", 128, 80.0, 0.8),
    Choice("bdf-mobilenet", "openvino", 128, 3.0, 0.7),
]


def test_trade_off_marks_the_front_and_what_was_not_timed():
    figure = result_figures.trade_off(CHOICES)
    front = trace(figure, "Pareto")
    assert list(zip(front.x, front.y, strict=True)) == [(2.0, 0.5), (3.0, 0.7), (4.0, 0.8)]
    own = trace(figure, f"{MODEL}, openvino")
    assert (list(own.x), list(own.y), list(own.customdata)) == ([2.0, 4.0, 9.0], [0.5, 0.8, 0.6], [48, 128, 224])
    assert [symbol.endswith("-open") for symbol in own.marker.symbol] == [False, False, True]
    assert own.text[1] == "128 px"
    assert own.text[2] == "", "not on the front"
    low, high = 10 ** np.array(figure.layout.xaxis.range)
    assert low < 2.0
    assert high > 80.0


@pytest.mark.parametrize("offered", [pytest.param(CHOICES, id="calibrated"), pytest.param([], id="not-calibrated")])
def test_trade_off_always_has_the_papers_points_as_another_machines(offered):
    paper = trace(result_figures.trade_off(offered), "the paper's, on another machine")
    assert PAPER_MACHINE in paper.name
    assert list(zip(paper.x, paper.y, strict=True)) == [
        (row.latency_ms, row.accuracy) for row in PAPER_TABLE_2.values()
    ]
    assert [label.split(",")[0] for label in paper.text] == list(ARCHITECTURES)
    assert paper.marker.symbol == "diamond-open"


@pytest.mark.parametrize("quantity", ["loss", "accuracy"])
def test_training_is_red_and_validation_blue(tmp_path, quantity):
    history = [
        {"epoch": epoch, "stage": stage, quantity: value, f"validation_{quantity}": 0.9 - epoch / 10}
        for epoch, stage, value in [(1, 1, None), (2, 1, 0.4), (3, 2, 0.5)]
    ]
    write_metrics(tmp_path, MODEL, {}, history=history)
    figure = result_figures.training(read_results(MODEL, tmp_path).training, quantity)
    training, validation = figure.data
    assert (list(training.x), list(training.y)) == ([1, 2, 3], [None, 0.4, 0.5])
    assert list(validation.y) == pytest.approx([0.8, 0.7, 0.6])
    assert (training.line.color, validation.line.color) == ("#E0433A", "#2F7FD6")
    assert [
        (line.x0, note.text) for line, note in zip(figure.layout.shapes, figure.layout.annotations, strict=True)
    ] == [(2.5, "stage 2")]
