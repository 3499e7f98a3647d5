"""The machine behind a measurement: a latency means nothing without it."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from .compute import available_threads, cpu_affinity, cpu_model, cpu_quota

_LIBRARIES = ("numpy", "opencv-python-headless", "openvino", "keras", "tensorflow", "torch", "facenet-pytorch", "av")
_PROJECT = Path(__file__).resolve().parents[1]


def environment(precision: str) -> dict:
    """Describes this machine, for the record of a measurement.

    Args:
        precision: What the runtime computes in, ``"fp32"`` or ``"bf16"``.

    Returns:
        JSON-ready: ``cpu``, ``physical_cores``, ``logical_cpus``, ``affinity_cpus``, ``quota_cpus`` (null if there is
        none), ``threads`` (of the runtime), ``governor`` (null if the system does not tell), ``memory_gib``,
        ``system``, ``python``, ``libraries`` (versions by name), ``precision``, ``date`` (UTC, ISO 8601), ``commit``
        (null outside a git checkout).
    """
    return {
        "cpu": cpu_model(),
        "physical_cores": _physical_cores(),
        "logical_cpus": os.cpu_count(),
        "affinity_cpus": cpu_affinity(),
        "quota_cpus": cpu_quota(),
        "threads": available_threads(),
        "governor": _governor(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "libraries": _versions(),
        "precision": precision,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
    }


def _physical_cores() -> int | None:
    try:
        blocks = Path("/proc/cpuinfo").read_text().split("\n\n")
    except OSError:
        return None
    cores = set()
    for block in blocks:
        fields = dict(line.replace("\t", "").partition(":")[::2] for line in block.splitlines())
        if "core id" in fields:
            cores.add((fields.get("physical id"), fields["core id"]))
    return len(cores) or None


def _governor() -> str | None:
    try:
        return Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return None


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):  # not on every system
        return None


def _versions() -> dict[str, str]:
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _commit() -> str | None:
    if not (_PROJECT / ".git").exists():  # installed somewhere inside another project's checkout
        return None
    command = ["git", "-C", str(_PROJECT), "rev-parse", "--short=12", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
