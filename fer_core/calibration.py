"""A calibration from beginning to end: ladder, points, curves, resolution, verification.

for progress in calibrate("scalable-env2b0", "openvino", target_ms=40):
    show(progress.message, progress.points)
save(progress.record, path)
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from .answers import (
    FASTEST_FIRST,
    Answer,
    KnownAccuracy,
    calibration_record,
    economical_reason,
    known_accuracy,
    no_answer,
    solve_calibration,
    verified_reason,
)
from .builder import architecture
from .calibration_files import load_calibration, parse_calibration, save_calibration
from .closed_loop import MOST_REPEATS, ClosedLoop, predict, trusted_curve
from .compute import gate
from .environment import environment
from .ladders import PAPER_LADDER, extension, ladder
from .latency import ROLES, Point, Protocol, Reference, Visit, merge_points, point_of, protocol
from .measurements import Floor, Measurements
from .measuring import MeasurementFailed, MeasuringProcess, Ready, Skipped, check_names
from .points import check_target

__all__ = ["Progress", "calibrate", "load_calibration", "parse_calibration", "save_calibration", "solve_calibration"]

_FLOOR_PROBE_RUNS = 15

# Share of the work that is done when a phase begins. Measuring the ladder is most of it.
_LOADING, _MEASURING, _GROWING, _VERIFYING, _ENDING = 0.0, 0.15, 0.65, 0.75, 0.95

_ROLES = dict(zip(("measuring", "growing", "verifying"), ROLES, strict=True))


@dataclass(frozen=True)
class Progress:
    """How far a calibration is.

    Attributes:
        phase: ``"loading"``, ``"measuring"``, ``"growing"``, ``"verifying"``, ``"ending"`` or ``"done"``.
        fraction: Share of the work that is done, 0 to 1, never falling.
        message: What is being done, in plain words.
        points: Points so far by rising resolution; they settle as their visits add up.
        skipped: Sizes that the model could not run.
        record: The calibration in the schema of ``calibrate`` when the phase is ``"done"``, else None.
        measurements: What was measured when the phase is ``"done"``, to be solved for other targets; else None.
    """

    phase: str
    fraction: float
    message: str
    points: tuple[Point, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    record: dict | None = None
    measurements: Measurements | None = None


def calibrate(
    model: str,
    runtime: str,
    target_ms: float = 40.0,
    ladder_text: str = "paper",
    protocol_name: str = "robust",
    runs: int | None = None,
    models: Path | None = None,
    precision: str = "default",
    cancel: threading.Event | None = None,
    seed: int = 0,
) -> Iterator[Progress]:
    """Measures this machine and finds the resolution for a target.

    The arguments are checked at once; the measurement runs as the result is iterated over, with the CPU to itself
    (``compute.gate``), and ends early if the iterator is closed.

    Args:
        model: A model of ``builder.ARCHITECTURES``.
        runtime: A key of ``runtimes.RUNTIMES``.
        target_ms: Target latency in ms.
        ladder_text: See ``ladders.ladder``.
        protocol_name: ``"robust"`` or ``"paper"``.
        runs: Timed runs a size; None for the protocol's own.
        models: Folder of all models; by default this project's.
        precision: ``"default"`` or ``"fp32"``.
        cancel: Set by another thread to end the calibration.
        seed: Seed of the orders in which sizes are visited.

    Returns:
        An iterator of progress; the last has the phase ``"done"`` and the record.

    Raises:
        ValueError: If an argument is unusable, at once; or while iterating, if the model's files are.
        MeasurementFailed: While iterating, if the measuring process failed, died or hung.
        MeasurementCanceled: While iterating, if it was canceled.
    """
    check_names(model, runtime, precision)
    run = _Calibration(
        model=model,
        runtime=runtime,
        target_ms=check_target(target_ms),
        ladder_text=ladder_text,
        sizes=ladder(ladder_text),
        protocol=protocol(protocol_name, runs),
        models=models,
        precision=precision,
        cancel=cancel or threading.Event(),
        seed=seed,
    )
    return run.steps()


@dataclass
class _Calibration:
    """The state of one calibration; ``steps`` runs it. The fields are the arguments of ``calibrate``."""

    model: str
    runtime: str
    target_ms: float
    ladder_text: str
    sizes: tuple[int, ...]
    protocol: Protocol
    models: Path | None
    precision: str
    cancel: threading.Event
    seed: int
    _points: dict[int, Point] = field(default_factory=dict)
    _skipped: dict[int, Skipped] = field(default_factory=dict)
    _fraction: float = 0.0

    def _progress(self, phase: str, fraction: float, message: str, fresh: Sequence[Point] = ()) -> Progress:
        self._fraction = max(self._fraction, fraction)
        points = self._points | {point.resolution: point for point in fresh}
        shown = tuple(points[size] for size in sorted(points))
        return Progress(phase, self._fraction, message, shown, tuple(self._skipped.values()))

    def _process(self, runtime: str) -> MeasuringProcess:
        return MeasuringProcess(self.model, runtime, self.models, self.precision, self.cancel)

    def steps(self) -> Iterator[Progress]:
        """Measures, verifies and yields the progress; the last has the record."""
        yield self._progress("loading", _LOADING, "waiting for the CPU")
        with gate.measurement():
            yield self._progress("loading", _LOADING, f"loading {self.model} in {self.runtime}")
            with self._process(self.runtime) as process:
                loaded = process.load()
                before = process.reference()
                yield from self._measure_ladder(process)
                known = known_accuracy(self.model, loaded.weights, self.models)
                loop = ClosedLoop(self._sorted(), self.target_ms)
                yield from self._verify(process, loop)
                largest, economical = self._answers(loop, known), None
                if largest is not None:
                    economical = yield from self._economize(process, loop, known, largest)
                yield self._progress("ending", _ENDING, "timing the reference again")
                reference = Reference(before, process.reference())
            measurements = Measurements(
                model=self.model,
                weights=loaded.weights,
                runtime=self.runtime,
                ladder=self.ladder_text,
                protocol=self.protocol.name,
                points=self._sorted(),
                skipped=tuple(self._skipped.values()),
                timed=loaded.timed | {"protocol": self.protocol.description},
                environment=environment(loaded.precision),
                reference=reference,
            )
            if largest is None:
                yield self._progress("ending", _ENDING, "looking for a runtime that reaches the target")
                measurements = replace(measurements, other_floors=tuple(self._other_floors()))
        answer = no_answer(measurements, self.target_ms) if largest is None else largest
        record = calibration_record(measurements, self.target_ms, answer, economical)
        yield replace(
            self._progress("done", 1.0, (answer if economical is None else economical).reason),
            record=record,
            measurements=measurements,
        )

    def _sorted(self) -> tuple[Point, ...]:
        return tuple(self._points[size] for size in sorted(self._points))

    def _measure_ladder(self, process: MeasuringProcess) -> Iterator[Progress]:
        fresh = yield from self._measure(process, self.sizes, "measuring", _MEASURING, _GROWING)
        self._points = {point.resolution: point for point in fresh}
        if len(fresh) < 2:
            reasons = "; ".join(f"{s.resolution} px: {s.reason}" for s in self._skipped.values())
            raise ValueError(f"expected a ladder with at least 2 sizes that {self.model} can run, but {reasons}")
        smallest = max(PAPER_LADDER[0], architecture(self.model).smallest_resolution)
        while (size := extension(self._sorted(), self.target_ms, smallest)) is not None:
            fresh = yield from self._measure(process, (size,), "growing", _GROWING, _VERIFYING)
            if not fresh:
                return
            self._points[size] = fresh[0]

    def _verify(self, process: MeasuringProcess, loop: ClosedLoop) -> Iterator[Progress]:
        step = (_ENDING - _VERIFYING) / (MOST_REPEATS + 2)
        while sizes := loop.next_sizes():
            begin = min(_VERIFYING + loop.passes * step, _ENDING - step)
            loop.add((yield from self._measure(process, sizes, "verifying", begin, begin + step)))
            self._points = {point.resolution: point for point in loop.points}

    def _measure(
        self, process: MeasuringProcess, sizes: Sequence[int], phase: str, begin: float, end: float
    ) -> Generator[Progress, None, list[Point]]:
        """Measures sizes and yields the progress; returns the points by rising resolution."""
        role = _ROLES[phase]
        visits: dict[int, list[Visit]] = {}
        ready = 0
        named = " and ".join(f"{size} px" for size in sizes) if len(sizes) <= 2 else f"{len(sizes)} sizes"
        for event in process.measure(sizes, self.protocol, self.seed):
            if isinstance(event, Visit):
                visits.setdefault(event.resolution, []).append(event)
                message = f"{phase} {named}: round {event.round + 1} of at most {self.protocol.rounds}"
                share = 0.5 + 0.5 * sum(map(len, visits.values())) / (self.protocol.rounds * len(sizes))
            else:
                ready += 1
                if isinstance(event, Skipped):
                    self._skipped[event.resolution] = event
                message = f"{phase} {named}: {event.resolution} px is " + (
                    "ready" if isinstance(event, Ready) else f"skipped: {event.reason}"
                )
                share = 0.5 * ready / len(sizes)
            yield self._progress(phase, begin + share * (end - begin), message, self._summarize(visits, role))
        return self._summarize(visits, role)

    def _summarize(self, visits: dict[int, list[Visit]], role: str) -> list[Point]:
        points = []
        for size in sorted(visits):
            preparing = float(np.median([ms for visit in visits[size] for ms in visit.preprocessing_ms]))
            runs = [visit.runs_ms for visit in visits[size]]
            points.append(point_of(size, runs, preparing, self.protocol.name, role))
        return points

    def _answers(self, loop: ClosedLoop, known: KnownAccuracy) -> Answer | None:
        found = loop.answer()
        if found is None:
            return None
        return Answer(
            verified_reason(found.resolution, found.predicted_ms, found.verified_ms, loop.points),
            found.curve,
            found.resolution,
            found.predicted_ms,
            found.verified_ms,
            known.label(found.resolution),
            min(point.latency_ms for point in loop.points),
        )

    def _economize(
        self, process: MeasuringProcess, loop: ClosedLoop, known: KnownAccuracy, largest: Answer
    ) -> Generator[Progress, None, Answer | None]:
        """Verifies the economical answer; returns it, or None. A size that misses the target is passed over."""
        most = largest.resolution
        fitting = [size for size in known.by_resolution if most is not None and size <= most]
        while (size := known.economical_size(fitting)) is not None:
            curve = trusted_curve(self._sorted(), self.target_ms)
            predicted = predict(curve, size)
            measured = yield from self._measure(process, (size,), "verifying", _ENDING, _ENDING)
            if measured:
                earlier = self._points.get(size)
                self._points[size] = measured[0] if earlier is None else merge_points(earlier, measured[0])
            if measured and measured[0].latency_ms <= self.target_ms:
                return Answer(
                    economical_reason(size, known, fitting),
                    curve.name,
                    size,
                    predicted,
                    measured[0].latency_ms,
                    known.label(size),
                    largest.floor_ms,
                )
            fitting.remove(size)
        return None

    def _other_floors(self) -> Iterator[Floor]:
        """Measures faster runtimes at the smallest size, until one reaches the target."""
        size = min(self._points)
        for runtime in FASTEST_FIRST[: FASTEST_FIRST.index(self.runtime)]:
            try:
                with self._process(runtime) as process:
                    process.load()
                    visits: dict[int, list[Visit]] = {}
                    for event in process.measure((size,), protocol("robust", _FLOOR_PROBE_RUNS), self.seed):
                        if isinstance(event, Visit):
                            visits.setdefault(size, []).append(event)
            except (MeasurementFailed, ValueError):
                continue  # a runtime that does not run here would not reach the target either
            for point in self._summarize(visits, ROLES[0]):
                yield Floor(runtime, size, point.median_ms)
                if point.median_ms <= self.target_ms:
                    return
