"""The board: one calibration at a time, followed by everybody, canceled by its owner, and the last good one stays."""

from __future__ import annotations

import threading

import pytest

from fer_core.calibration import Progress
from fer_core.latency import point_of
from fer_core.measurements import Measurements
from fer_core.measuring import MeasurementCanceled, MeasurementFailed
from tabs import board as module
from tabs.board import FRESH_SECONDS, MOST_KEPT, Board, Kept, Task

TASK = Task("scalable-env2b0", "openvino", "48,96", "robust", 40.0)
OTHER = Task("scalable-env2s", "openvino", "48,96", "robust", 40.0)
PATIENCE_S = 30.0


class Machine:
    """Stands for ``calibrate``: yields as ``calibrate`` does, and waits in the middle until it is told to go on."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.error: Exception | None = None
        self.runs: list[str] = []

    def calibrate(self, model, runtime, target_ms, ladder_text, protocol_name, cancel):
        if model == "resnet":
            raise ValueError("model must be one of ..., but got 'resnet'")
        return self._steps(model, runtime, target_ms, ladder_text, protocol_name, cancel)

    def _steps(self, model, runtime, target_ms, ladder_text, protocol_name, cancel):
        self.runs.append(model)
        points = (point_of(48, [[2.0, 2.1]]), point_of(96, [[4.0, 4.1]]))
        yield Progress("measuring", 0.5, "halfway", points)
        assert self.go_on.wait(PATIENCE_S)
        if cancel.is_set():
            raise MeasurementCanceled
        if self.error is not None:
            raise self.error
        measurements = Measurements(model, "random", runtime, ladder_text, protocol_name, points)
        record = {"number": len(self.runs), "target_ms": target_ms}
        yield Progress("done", 1.0, "done", points, record=record, measurements=measurements)


@pytest.fixture
def machine(monkeypatch):
    machine = Machine()
    monkeypatch.setattr(module, "calibrate", machine.calibrate)
    return machine


@pytest.fixture
def board(machine):
    return Board()


class Visitor(threading.Thread):
    """Somebody who presses Run and watches to the end."""

    def __init__(self, board: Board, task: Task, name: str) -> None:
        super().__init__(daemon=True)
        self._board, self._task, self._owner = board, task, name
        self.seen: list[tuple[Task, Progress]] = []
        self.error: Exception | None = None
        self.begun = threading.Event()
        self.start()
        assert self.begun.wait(PATIENCE_S)

    def run(self) -> None:
        try:
            for news in self._board.start_or_follow(self._task, self._owner):
                self.seen.append(news)
                self.begun.set()
        except Exception as error:
            self.error = error
        finally:
            self.begun.set()

    def wait(self) -> None:
        self.join(PATIENCE_S)
        assert not self.is_alive()


def finish(board: Board, machine: Machine, task: Task, name: str) -> Visitor:
    machine.go_on.set()
    visitor = Visitor(board, task, name)
    visitor.wait()
    machine.go_on.clear()
    return visitor


def test_a_run_is_shown_to_its_end_and_kept(board, machine):
    assert board.last(TASK) is None
    assert board.latest() is None
    visitor = finish(board, machine, TASK, "a")
    assert visitor.seen[-1][0] == TASK
    assert visitor.seen[-1][1].phase == "done"
    assert board.last(TASK) is board.latest()
    assert board.last(TASK).record == {"number": 1, "target_ms": 40.0}
    assert board.last(TASK).owner == "a"
    assert board.last(OTHER) is None


def test_a_second_visitor_follows_the_run_under_way(board, machine):
    first = Visitor(board, TASK, "a")
    second = Visitor(board, OTHER, "b")
    machine.go_on.set()
    first.wait()
    second.wait()
    assert machine.runs == [TASK.model], "two never run at once"
    assert {task for task, _ in second.seen} == {TASK}
    assert second.seen[-1][1].record == first.seen[-1][1].record


def test_only_the_owner_cancels(board, machine):
    assert not board.cancel("a"), "nothing runs"
    first = Visitor(board, TASK, "a")
    second = Visitor(board, TASK, "b")
    assert not board.cancel("b")
    assert board.cancel("a")
    machine.go_on.set()
    for visitor in (first, second):
        visitor.wait()
        assert isinstance(visitor.error, MeasurementCanceled)
    assert not board.cancel("a"), "it has ended"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(None, id="canceled"),
        pytest.param(MeasurementFailed("the measuring process of openvino died"), id="failed"),
        pytest.param(ValueError("expected a ladder with at least 2 sizes"), id="unusable-while-running"),
        pytest.param(KeyError("a defect"), id="defect"),
    ],
)
def test_what_goes_wrong_reaches_all_and_leaves_the_last_good_one(board, machine, error):
    finish(board, machine, TASK, "a")
    good = board.last(TASK)
    machine.error = error
    first, second = Visitor(board, TASK, "a"), Visitor(board, OTHER, "b")
    if error is None:
        assert board.cancel("a")
    machine.go_on.set()
    for visitor in (first, second):
        visitor.wait()
        assert isinstance(visitor.error, MeasurementCanceled if error is None else type(error))
    assert board.last(TASK) is good
    machine.error = None
    assert finish(board, machine, TASK, "b").error is None, "the board is usable again"
    assert board.last(TASK).record["number"] == 3


def test_unusable_arguments_are_refused_before_anything_runs(board, machine):
    wrong = Task("resnet", "openvino", "paper", "robust", 40.0)
    visitor = Visitor(board, wrong, "a")
    visitor.wait()
    assert isinstance(visitor.error, ValueError)
    assert machine.runs == []
    running = Visitor(board, TASK, "a")
    follower = Visitor(board, wrong, "b")
    follower.wait()
    assert isinstance(follower.error, ValueError), "also while another's runs"
    machine.go_on.set()
    running.wait()
    assert running.error is None


def test_measure_waits_for_another_and_then_runs_its_own(board, machine):
    first = Visitor(board, TASK, "a")
    results, told = [], threading.Event()

    def tell(task, progress):
        assert (task, progress.fraction) == (TASK, 0.5)
        told.set()

    client = threading.Thread(target=lambda: results.append(board.measure(OTHER, "b", tell)), daemon=True)
    client.start()
    assert told.wait(PATIENCE_S)
    machine.go_on.set()
    client.join(PATIENCE_S)
    first.wait()
    assert machine.runs == [TASK.model, OTHER.model]
    assert results[0] is board.last(OTHER)


def test_measure_takes_the_result_of_the_same_task(board, machine, monkeypatch):
    first = Visitor(board, TASK, "a")
    joined, join, results = threading.Event(), board._join, []

    def join_and_tell(*arguments):
        run = join(*arguments)
        joined.set()
        return run

    monkeypatch.setattr(board, "_join", join_and_tell)
    client = threading.Thread(target=lambda: results.append(board.measure(TASK, "b")), daemon=True)
    client.start()
    assert joined.wait(PATIENCE_S)
    machine.go_on.set()
    client.join(PATIENCE_S)
    first.wait()
    assert machine.runs == [TASK.model]
    assert results[0] is board.last(TASK)


def test_measure_raises_what_went_wrong(board, machine):
    machine.error = MeasurementFailed("the measuring process of openvino died")
    machine.go_on.set()
    with pytest.raises(MeasurementFailed, match="died"):
        board.measure(TASK, "a")


@pytest.mark.parametrize(
    ("owner", "age", "shown"),
    [
        pytest.param("b", 10, True, id="another's-recent-one"),
        pytest.param("a", 10, False, id="one's-own"),
        pytest.param("b", FRESH_SECONDS + 1, False, id="old"),
    ],
)
def test_what_is_shown_instead_of_measured_again(board, machine, monkeypatch, owner, age, shown):
    finish(board, machine, TASK, "a")
    kept = board.last(TASK)
    monkeypatch.setattr(Kept, "age_seconds", property(lambda _: age))
    assert board.fresh(TASK, owner) is (kept if shown else None)
    assert board.fresh(OTHER, owner) is None


def test_the_target_is_no_part_of_what_is_kept(board, machine):
    finish(board, machine, TASK, "a")
    another_target = Task(TASK.model, TASK.runtime, TASK.ladder, TASK.protocol, 25.0)
    assert board.last(another_target) is board.last(TASK)


def test_only_the_last_ones_are_kept(board, machine):
    machine.go_on.set()
    tasks = [Task(TASK.model, TASK.runtime, f"48,{size}", "robust", 40.0) for size in range(96, 98 + MOST_KEPT)]
    kept = [board.measure(task, "a") for task in tasks]
    assert board.last(tasks[0]) is None
    assert board.last(tasks[-1]) is board.latest() is kept[-1]
    assert sum(board.last(task) is not None for task in tasks) == MOST_KEPT
