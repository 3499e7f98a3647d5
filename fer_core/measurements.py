"""What was measured of one model on one machine, before any target is asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from .latency import Point, Reference
from .measuring import Skipped

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Floor:
    """The least latency of a runtime, at its smallest size: name, side in pixels, ms."""

    runtime: str
    resolution: int
    floor_ms: float


@dataclass(frozen=True)
class Measurements:
    """Latencies of one model in one runtime on one machine.

    Attributes:
        model: A model of ``builder.ARCHITECTURES``.
        weights: ``"trained"`` or ``"random"``.
        runtime: A key of ``runtimes.RUNTIMES``.
        ladder: The ladder as it was asked for.
        protocol: One of ``latency.PROTOCOLS``.
        points: Measured points by rising resolution, at least two.
        skipped: Sizes that the model could not run.
        timed: What was timed, in words, by name.
        environment: The machine, see ``environment.environment``.
        reference: The fixed task before and after, or None if it is not known.
        other_floors: Floors of faster runtimes, measured where this one cannot reach the target.
    """

    model: str
    weights: str
    runtime: str
    ladder: str
    protocol: str
    points: tuple[Point, ...]
    skipped: tuple[Skipped, ...] = ()
    timed: dict[str, str] = field(default_factory=dict)
    environment: dict = field(default_factory=dict)
    reference: Reference | None = None
    other_floors: tuple[Floor, ...] = ()

    @property
    def floor(self) -> Floor:
        """The least measured latency."""
        least = min(self.points, key=lambda point: point.latency_ms)
        return Floor(self.runtime, least.resolution, least.latency_ms)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader should know of the measurement, in plain words."""
        found = [point.warning for point in self.points]
        if self.reference is not None:
            found.insert(0, self.reference.warning)
        return tuple(warning for warning in found if warning is not None)

    def record(self) -> dict:
        """Returns this as JSON-ready dictionaries and lists, the part of a calibration that was measured."""
        reference = None
        if self.reference is not None:
            reference = asdict(self.reference) | {"drift": self.reference.drift}
        return {
            "schema_version": SCHEMA_VERSION,
            "model": self.model,
            "weights": self.weights,
            "runtime": self.runtime,
            "ladder": self.ladder,
            "protocol": self.protocol,
            "timed": self.timed,
            "environment": self.environment,
            "reference": reference,
            "points": [_point_record(point) for point in self.points],
            "skipped": [asdict(skipped) for skipped in self.skipped],
            "other_floors": [asdict(floor) for floor in self.other_floors],
        }


def _point_record(point: Point) -> dict:
    return {
        "resolution": point.resolution,
        "role": point.role,
        "median_ms": point.median_ms,
        "p10_ms": point.p10_ms,
        "p90_ms": point.p90_ms,
        "runs": point.runs,
        "mean_ms": point.mean_ms,
        "preprocessing_ms": point.preprocessing_ms,
        "relative_spread": point.relative_spread,
        "warning": point.warning,
        "visits_ms": [[round(run, 6) for run in visit] for visit in point.visits],
    }
