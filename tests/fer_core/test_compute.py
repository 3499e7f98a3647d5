"""The gate: one at a time, in turn per visitor, measurements alone."""

import threading
import time

import pytest

from fer_core.compute import ComputeGate, MeasurementRunning, available_threads, cpu_affinity


def start(function, *arguments) -> threading.Thread:
    thread = threading.Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


def test_one_turn_at_a_time():
    gate, inside, most = ComputeGate(), [], []

    def work(visitor):
        for _ in range(20):
            with gate.turn(visitor):
                inside.append(visitor)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.pop()

    for thread in [start(work, name) for name in "abcd"]:
        thread.join(20)
    assert len(most) == 80
    assert max(most) == 1


def test_visitors_take_turns_however_much_one_asks():
    gate, order = ComputeGate(), []

    def work(visitor):
        with gate.turn(visitor):
            order.append(visitor)

    with gate.turn("first"):
        threads = []
        for visitor in ["greedy"] * 5 + ["modest"]:
            threads.append(start(work, visitor))
            while sum(len(tickets) for tickets in gate._waiting.values()) < len(threads):
                time.sleep(0.001)
    for thread in threads:
        thread.join(10)
    assert order.index("modest") == 1, order


def test_a_measurement_waits_for_the_turn_under_way_and_then_runs_alone():
    gate, events = ComputeGate(), []
    measured = threading.Event()

    def measure():
        with gate.measurement():
            events.append("measuring")
            measured.wait(10)

    with gate.turn("a"):
        thread = start(measure)
        while not gate.measuring:
            time.sleep(0.001)
        events.append("turn ends")
    while len(events) < 2:
        time.sleep(0.001)
    assert events == ["turn ends", "measuring"]
    with pytest.raises(MeasurementRunning, match="this CPU is being measured"), gate.turn("b"):
        pass
    measured.set()
    thread.join(10)
    with gate.turn("b"):
        assert not gate.measuring


def test_those_who_wait_are_told_when_a_measurement_begins():
    gate, told = ComputeGate(), threading.Event()

    def wait():
        try:
            with gate.turn("b"):
                pass
        except MeasurementRunning:
            told.set()

    def measure():
        with gate.measurement():
            pass

    with gate.turn("a"):
        waiting = start(wait)
        while "b" not in gate._waiting:
            time.sleep(0.001)
        measuring = start(measure)
        assert told.wait(10)
    waiting.join(10)
    measuring.join(10)


def test_who_waits_is_told_how_many_come_first():
    gate, told, order = ComputeGate(), {}, []

    def work(visitor, name):
        with gate.turn(visitor, lambda place: told.setdefault(name, place)):
            order.append(name)

    with gate.turn("first"):
        threads = []
        for visitor, name in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("c", "c1"), ("c", "c2")]:
            threads.append(start(work, visitor, name))
            while sum(len(tickets) for tickets in gate._waiting.values()) < len(threads):
                time.sleep(0.001)
        while len(told) < 5:
            time.sleep(0.01)
    for thread in threads:
        thread.join(10)
    ahead = {name: place.ahead for name, place in told.items()}
    assert ahead == {"a1": 1, "b1": 2, "c1": 3, "a2": 4, "c2": 5}
    assert order == sorted(order, key=ahead.get), "as they were told"
    assert {place.seconds for place in told.values()} == {None}, "no turn has ended yet"
    assert {place.fraction for place in told.values()} == {0}
    with gate.turn("first"):
        late = start(work, "d", "d1")
        while "d1" not in told:
            time.sleep(0.01)
    late.join(10)
    assert told["d1"].seconds > 0
    assert 0 < told["d1"].fraction < 1


def test_an_error_inside_a_turn_frees_the_gate():
    gate = ComputeGate()
    with pytest.raises(KeyError), gate.turn("a"):
        raise KeyError
    with gate.turn("b"), pytest.raises(KeyError):
        raise KeyError


def test_threads_are_within_the_affinity():
    assert 1 <= available_threads() <= cpu_affinity()
