"""Figures of a classifier, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, log_loss

from train.metrics import expected_calibration_error, fit_temperature, score


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
    assert figures["f1_macro"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    assert np.trace(figures["confusion"]) == round(figures["accuracy"] * 500)


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


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_temperature_undoes_a_scale(answers, factor):
    labels, _, logits = answers
    base = fit_temperature(labels, logits)
    assert fit_temperature(labels, logits * factor) == pytest.approx(base * factor, rel=1e-2)
