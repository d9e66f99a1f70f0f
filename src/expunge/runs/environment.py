"""The environment of a measurement: hardware, versions, commit. No names of persons or hosts."""

import math
import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from expunge.runs.files import JSON

_PACKAGES = ("expunge", "torch", "numpy", "lightning-fabric", "scikit-learn")


def environment() -> dict[str, JSON]:
    """The record that goes with every measurement; null for what cannot be found out.

    `python`, `platform`, `cpu` (model), `cores` (that this process may use), `memory_gib`,
    `packages` (name to version), `commit` (of a checkout of expunge, `-dirty` if its files
    differ), `date` (UTC). All except the date are read once per process.
    """
    return {
        **_found(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def available_cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """How many cores this process may use, within its affinity and its container's quota."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        cores = os.cpu_count() or 1
    try:
        share, period = quota.read_text().split()
        return max(1, min(cores, math.ceil(int(share) / int(period))))
    except (OSError, ValueError):
        return cores  # no quota: there is no such file, or it says max


@cache
def _found() -> dict[str, JSON]:
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu_model(Path("/proc/cpuinfo")),
        "cores": available_cores(),
        "memory_gib": _memory_gib(),
        "commit": _commit(Path(__file__)),
    }


@cache
def _version(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_model(listing: Path) -> str | None:
    try:
        lines = listing.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or None


def _memory_gib() -> float | None:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
    return round(total / 2**30, 1)


def _commit(source: Path) -> str | None:
    """The commit of the checkout that `source` belongs to; None if git does not track it."""
    folder = source.resolve().parent
    # For an installed copy inside another project's checkout, the commit would mislead.
    if _git(folder, "ls-files", "--error-unmatch", source.name) is None:
        return None
    return _git(folder, "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12")


def _git(folder: Path, *arguments: str) -> str | None:
    # Inside a git hook these variables name another repository.
    surroundings = {key: value for key, value in os.environ.items() if key[:4] != "GIT_"}
    try:
        done = subprocess.run(
            ("git", *arguments),
            cwd=folder,
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None
