"""Accuracy joined with latency, and the front that nothing beats."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_core.latency import Point
from fer_core.measurements import Measurements
from fer_core.results import measured_rows
from fer_core.trade_off import Choice, choices, latency_at, pareto_front
from tests.metrics_files import protocol, write_metrics

MODEL = "scalable-env2b0"


def measurements(latencies, model=MODEL, runtime="openvino"):
    points = tuple(Point(size, ms, ms, ms, 40) for size, ms in latencies.items())
    return Measurements(model, "trained", runtime, "paper", "robust", points)


def beats(one: Choice, other: Choice) -> bool:
    no_worse = one.latency_ms <= other.latency_ms and one.accuracy >= other.accuracy
    return no_worse and (one.latency_ms, one.accuracy) != (other.latency_ms, other.accuracy)


# Few values, so that ties are frequent.
CHOICES = st.lists(
    st.builds(
        Choice,
        st.just(MODEL),
        st.just("openvino"),
        st.integers(1, 500),
        st.sampled_from([1.0, 2.0, 3.5, 40.0]) | st.floats(0.1, 1e4),
        st.sampled_from([0.0, 0.5, 0.75, 1.0]) | st.floats(0, 1),
    ),
    max_size=25,
)


@given(CHOICES)
def test_nothing_beats_the_front_and_everything_else_is_beaten_by_it(offered):
    front = pareto_front(offered)
    assert [choice.latency_ms for choice in front] == sorted(choice.latency_ms for choice in front)
    for choice in offered:
        beaten = any(beats(other, choice) for other in offered)
        assert beaten != (choice in front)
        assert not beaten or any(beats(other, choice) for other in front)
    assert all(choice in offered for choice in front)


def test_equal_choices_stand_together_on_the_front():
    twins = [Choice(MODEL, runtime, 128, 5.0, 0.8) for runtime in ("openvino", "tensorflow-graph")]
    assert pareto_front([*twins, Choice(MODEL, "keras-predict", 128, 80.0, 0.8)]) == twins


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        pytest.param(100, (6.0, True), id="measured"),
        pytest.param(47, None, id="below"),
        pytest.param(225, None, id="above"),
    ],
)
def test_latency_is_measured_or_unknown_outside(size, expected):
    assert latency_at(measurements({48: 2.0, 100: 6.0, 224: 20.0}), size) == expected


def test_latency_between_sizes_lies_between_their_latencies():
    latency, measured = latency_at(measurements({48: 2.0, 100: 6.0, 224: 20.0}), 128)
    assert 6.0 < latency < 20.0
    assert not measured


def test_choices_join_accuracy_and_latency_by_model_and_size(tmp_path):
    write_metrics(
        tmp_path, MODEL, {"kdef-unseen-people": protocol(0.8, accuracy_by_resolution={"48": 0.5, "299": 0.6})}
    )
    write_metrics(tmp_path, "scalable-env2s", {"kdef-unseen-people": protocol(0.9, accuracy_by_resolution={})})
    fast = measurements({48: 2.0, 128: 6.0})
    slow = measurements({48: 70.0, 128: 75.0, 299: 90.0}, runtime="keras-predict")
    unscored = measurements({128: 9.0, 224: 10.0}, model="bdf-mobilenet")
    other = measurements({100: 8.0, 200: 16.0}, model="scalable-env2s")
    assert [
        (choice.model, choice.runtime, choice.resolution, choice.latency_ms, choice.accuracy, choice.measured)
        for choice in choices(measured_rows(tmp_path), [fast, slow, unscored, other])
    ] == [
        (MODEL, "openvino", 48, 2.0, 0.5, True),
        (MODEL, "openvino", 128, 6.0, 0.8, True),
        (MODEL, "keras-predict", 48, 70.0, 0.5, True),
        (MODEL, "keras-predict", 128, 75.0, 0.8, True),
        (MODEL, "keras-predict", 299, 90.0, 0.6, True),
        ("scalable-env2s", "openvino", 128, pytest.approx(10.24, abs=1), 0.9, False),
    ]
