"""Figures of a classifier from its probabilities; scikit-learn computes all it has."""

from __future__ import annotations

import logging

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss

from fer_core.emotions import EMOTIONS

CALIBRATION_BINS = 15
TEMPERATURES = (0.2, 5.0)
_CLASSES = np.arange(len(EMOTIONS))
_MISSED = -1

log = logging.getLogger(__name__)


def expected_calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = CALIBRATION_BINS) -> float:
    """Mean gap between confidence and accuracy over bins of equal width (Guo et al., 2017, equation 3).

    Args:
        labels: int ``(n,)``.
        probabilities: ``(n, classes)``.
        bins: Number of bins over 0 to 1.
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    places = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(correct[places == place].mean() - confidence[places == place].mean()) * (places == place).mean()
        for place in np.unique(places)
    ]
    return float(np.sum(gaps))


def score(labels: np.ndarray, probabilities: np.ndarray, found: np.ndarray) -> dict:
    """Scores a data set end to end: a face that was not found counts as wrong.

    Args:
        labels: True classes, int ``(n,)``.
        probabilities: ``(n, 7)``; rows without a face are ignored.
        found: bool ``(n,)``: whether a face was found.

    Returns:
        ``accuracy``, ``accuracy_on_found``, ``f1_macro``, ``f1_micro``, ``f1_weighted``, ``images`` and
        ``faces_missed`` over all pictures; ``loss`` (cross-entropy), ``calibration_error`` and ``confusion``
        (7 x 7 counts, rows true) over those with a face.
    """
    predicted = np.where(found, probabilities.argmax(axis=1), _MISSED)
    rows = probabilities[found] / probabilities[found].sum(axis=1, keepdims=True)
    averages = {
        f"f1_{average}": float(f1_score(labels, predicted, labels=_CLASSES, average=average, zero_division=0.0))
        for average in ("macro", "micro", "weighted")
    }
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "accuracy_on_found": float(accuracy_score(labels[found], predicted[found])),
        "loss": float(log_loss(labels[found], rows, labels=_CLASSES)),
        **averages,
        "calibration_error": expected_calibration_error(labels[found], rows),
        "confusion": confusion_matrix(labels[found], predicted[found], labels=_CLASSES).tolist(),
        "images": len(labels),
        "faces_missed": int((~found).sum()),
    }


def fit_temperature(labels: np.ndarray, logits: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Finds the temperature that minimizes the cross-entropy of held-out logits (Guo et al., 2017).

    Args:
        labels: True classes, int ``(n,)``.
        logits: ``(n, 7)``.
        weights: Weight of each picture, ``(n,)``; None counts all alike.

    Returns:
        The temperature; the end of ``TEMPERATURES``, with a warning in the log, if the best lies beyond, as it does for
        a model that has learned nothing.
    """
    low, high = TEMPERATURES

    def loss(log_temperature: float) -> float:
        rows = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -np.average(rows[np.arange(len(labels)), labels], weights=weights)

    found = float(np.exp(minimize_scalar(loss, bounds=(np.log(low), np.log(high)), method="bounded").x))
    if not 1.01 * low < found < 0.99 * high:
        log.warning("expected a temperature inside %g to %g, but the best is at the end: %.3g", low, high, found)
    return found
