"""Figures of a classifier, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss

from train.metrics import TEMPERATURES, expected_calibration_error, fit_temperature, score


@pytest.fixture
def answers():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 7, 500)
    logits = rng.normal(size=(500, 7)) + 2 * np.eye(7)[labels]
    exponentials = np.exp(logits)
    return labels, exponentials / exponentials.sum(axis=1, keepdims=True), logits


def test_agrees_with_scikit_learn(answers):
    labels, probabilities, _ = answers
    figures = score(labels, probabilities, np.ones(500, bool))
    predicted = probabilities.argmax(axis=1)
    assert figures["accuracy"] == figures["f1_micro"] == accuracy_score(labels, predicted)
    assert figures["loss"] == pytest.approx(log_loss(labels, probabilities))
    for average in ("macro", "micro", "weighted"):
        assert figures[f"f1_{average}"] == pytest.approx(f1_score(labels, predicted, average=average))
    assert figures["confusion"] == confusion_matrix(labels, predicted).tolist()
    assert figures["accuracy_on_found"] == figures["accuracy"]


def test_a_class_that_nobody_shows_counts_as_scikit_learn_counts_it(answers):
    labels, probabilities, _ = answers
    labels = np.where(labels == 2, 1, labels)
    figures = score(labels, probabilities, np.ones(500, bool))
    predicted = probabilities.argmax(axis=1)
    expected = f1_score(labels, predicted, labels=range(7), average="macro", zero_division=0.0)
    assert figures["f1_macro"] == pytest.approx(expected)
    assert np.array(figures["confusion"]).shape == (7, 7)


def test_a_missed_face_is_wrong_and_counted(answers):
    labels, probabilities, _ = answers
    found = np.arange(500) >= 50
    figures = score(labels, probabilities, found)
    hits = (probabilities.argmax(axis=1) == labels)[50:].sum()
    assert figures["accuracy"] == hits / 500
    assert figures["accuracy_on_found"] == hits / 450
    assert (figures["images"], figures["faces_missed"], np.sum(figures["confusion"])) == (500, 50, 450)


def test_calibration_error_by_hand():
    # Four answers at 0.9, three of them right; two at 0.6, one right: 4/6 * 0.15 + 2/6 * 0.1.
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.6, 0.4]] * 2)
    labels = np.array([0, 0, 0, 1, 0, 1])
    assert expected_calibration_error(labels, probabilities, bins=10) == pytest.approx(4 / 6 * 0.15 + 2 / 6 * 0.1)


@pytest.mark.parametrize("bins", [5, 10, 15])
def test_calibration_error_is_the_gap_that_scikit_learns_curve_shows(answers, bins):
    labels, probabilities, _ = answers
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    shares, means = calibration_curve(right, confidence, n_bins=bins)
    counts, _ = np.histogram(confidence, bins=bins, range=(0, 1))
    expected = np.abs(shares - means) @ counts[counts > 0] / 500
    assert expected_calibration_error(labels, probabilities, bins) == pytest.approx(expected)


def test_a_model_that_knows_nothing_is_as_flat_as_allowed(caplog):
    logits = np.random.default_rng(0).normal(size=(700, 7)) * 5
    labels = np.arange(700) % 7
    assert fit_temperature(labels, logits) == pytest.approx(TEMPERATURES[1], rel=0.01)
    assert "the best is at the end" in caplog.text


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_temperature_undoes_a_scale(answers, factor):
    labels, _, logits = answers
    base = fit_temperature(labels, logits)
    assert fit_temperature(labels, logits * factor) == pytest.approx(base * factor, rel=1e-2)
