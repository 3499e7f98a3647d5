"""How well the same calibration repeats on a real machine: B0 in OpenVINO for a target of 10 ms, again and again.

Usage: ``python -m benchmarks.repeated_calibrations [--json]``

A shared machine is not the same one an hour later. Counted are ten calibrations whose reference, the mean of the fixed
task before and after, lies within 5 % of the median of all references; at most thirty are tried. Every calibration
that was tried is in the table, and the spread over all of them is printed beside the spread of the ten.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from fer_core.calibration import calibrate
from fer_core.measuring import MeasurementFailed

MODEL, RUNTIME, TARGET_MS = "scalable-env2b0", "openvino", 10.0
COUNTED = 10
MOST_TRIED = 30
LARGEST_DEVIATION = 0.05
"""Of a reference from the series' median, as a share: beyond it, the machine was not the same."""

LARGEST_SPREAD = 0.12
CLOSE, LEAST_CLOSE = 0.10, 8
OVER, LEAST_FITTING = 1.05, 9


@dataclass(frozen=True)
class Trial:
    """One calibration of the series.

    Attributes:
        number: Its place in the series, from 1.
        date: When it ended, UTC, ISO 8601.
        reference_ms: Mean of the fixed task before and after, in ms.
        drift: Change of the fixed task from before to after, as a share.
        resolution: The ``largest`` answer in pixels, or None where no size reached the target.
        predicted_ms: Its latency by the curve, in ms, or None.
        verified_ms: Its latency as measured afterwards, in ms, or None.
    """

    number: int
    date: str
    reference_ms: float
    drift: float
    resolution: int | None
    predicted_ms: float | None
    verified_ms: float | None

    @property
    def close(self) -> bool:
        """Whether the verified latency lies within 10 % of the predicted one."""
        if self.verified_ms is None or self.predicted_ms is None:
            return False
        return abs(self.verified_ms / self.predicted_ms - 1) <= CLOSE

    @property
    def fits(self) -> bool:
        """Whether the verified latency is at most 1.05 times the target."""
        return self.verified_ms is not None and self.verified_ms <= OVER * TARGET_MS


def trial(number: int) -> tuple[Trial, dict]:
    """Calibrates once; returns the trial and the environment record.

    Args:
        number: Its place in the series, also the seed of the orders in which sizes are visited.

    Raises:
        MeasurementFailed: If the measuring process failed, died or hung.
    """
    *_, last = calibrate(MODEL, RUNTIME, TARGET_MS, seed=number)
    assert last.record is not None, "the last progress has it"
    reference, answer = last.record["reference"], last.record["answers"]["largest"]
    machine = last.record["environment"]
    done = Trial(
        number,
        machine["date"],
        (reference["before_ms"] + reference["after_ms"]) / 2,
        reference["drift"],
        answer["resolution"],
        answer["predicted_ms"],
        answer["verified_ms"],
    )
    return done, machine


def counted(trials: Sequence[Trial]) -> list[Trial]:
    """Returns the first ten trials, or fewer, whose reference lies within 5 % of the median of all references."""
    if not trials:
        return []
    median = np.median([done.reference_ms for done in trials])
    return [done for done in trials if abs(done.reference_ms / median - 1) <= LARGEST_DEVIATION][:COUNTED]


def spread(trials: Sequence[Trial]) -> float | None:
    """Returns p90 - p10 of the answers as a share of their median, or None without one; no answer counts as 0 px."""
    if not trials:
        return None
    p10, median, p90 = np.percentile([done.resolution or 0 for done in trials], (10, 50, 90))
    return float((p90 - p10) / median) if median else None


def series() -> tuple[list[Trial], dict]:
    """Calibrates until ten trials count or thirty were tried; returns the trials and the environment of the last."""
    trials: list[Trial] = []
    machine: dict = {}
    for number in range(1, MOST_TRIED + 1):
        try:
            done, machine = trial(number)
        except MeasurementFailed as error:
            print(f"{number}: {error}", file=sys.stderr)
            continue
        trials.append(done)
        here = counted(trials)
        print(
            f"{number}: {done.resolution} px, reference {done.reference_ms:.2f} ms, {len(here)} count", file=sys.stderr
        )
        if len(here) == COUNTED:
            break
    return trials, machine


def summary(trials: Sequence[Trial]) -> dict:
    """Returns what is asked of a series and what came; JSON-ready."""
    here = counted(trials)
    share = spread(here)
    close, fitting = sum(done.close for done in here), sum(done.fits for done in here)
    return {
        "tried": len(trials),
        "counted": len(here),
        "spread": share,
        "spread_of_all_tried": spread(trials),
        "verified_close_to_predicted": close,
        "verified_fits_target": fitting,
        "passed": len(here) == COUNTED
        and share is not None
        and share <= LARGEST_SPREAD
        and close >= LEAST_CLOSE
        and fitting >= LEAST_FITTING,
    }


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"


def print_table(trials: Sequence[Trial], machine: dict) -> None:
    """Prints the series in Markdown."""
    here = counted(trials)
    libraries = ", ".join(f"{name} {version}" for name, version in machine.get("libraries", {}).items())
    print(f"{MODEL}, {RUNTIME}, target {TARGET_MS:g} ms, {machine.get('date')}, commit {machine.get('commit')}")
    print(f"{machine.get('cpu')}, {machine.get('threads')} threads, {machine.get('precision')}; {libraries}\n")
    print("| no. | reference, ms | drift | largest answer, px | predicted, ms | verified, ms | counted |")
    print("|---|---|---|---|---|---|---|")
    for done in trials:
        answer = (
            "none | | "
            if done.resolution is None
            else (f"{done.resolution} | {done.predicted_ms:.2f} | {done.verified_ms:.2f}")
        )
        print(
            f"| {done.number} | {done.reference_ms:.2f} | {done.drift:+.1%} | {answer} "
            f"| {'yes' if done in here else 'no'} |"
        )
    found = summary(trials)
    print(f"\ncounted: {found['counted']} of {found['tried']} tried (must be {COUNTED})")
    print(f"spread of the counted answers, (p90 - p10) / median: {_percent(found['spread'])} (at most 12 %)")
    print(f"spread over all that were tried: {_percent(found['spread_of_all_tried'])}")
    print(f"verified within 10 % of predicted: {found['verified_close_to_predicted']} (at least {LEAST_CLOSE})")
    print(f"verified at most 1.05 x target: {found['verified_fits_target']} (at least {LEAST_FITTING})")
    print("passed" if found["passed"] else "failed")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="How well the same calibration repeats on this machine.")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args()
    trials, machine = series()
    if not options.json:
        print_table(trials, machine)
        return
    settings = {"model": MODEL, "runtime": RUNTIME, "target_ms": TARGET_MS}
    here = counted(trials)
    rows = [asdict(done) | {"counted": done in here} for done in trials]
    record = {"schema_version": 1, **settings, "environment": machine, "trials": rows, "summary": summary(trials)}
    print(json.dumps(record, indent=2))


if __name__ == "__main__":
    main()
