"""Refuse what cannot fit in memory before it is read."""

import os
from pathlib import Path

from expunge.errors import DataError

_CGROUP = Path("/sys/fs/cgroup/memory.max")


def check_memory(needed: int, what: str) -> None:
    """Refuse data that need more bytes than the machine's memory.

    Raises:
        DataError: they do; the message begins with `what`.
    """
    there = memory_bytes()
    if there is not None and needed > there:
        raise DataError(
            f"{what} needs about {gigabytes(needed)} of memory, and this machine has "
            f"{gigabytes(there)}: use fewer or smaller samples"
        )


def memory_bytes() -> int | None:
    """The memory of the machine, or of the container this runs in; None if not known."""
    try:
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    try:
        limit = _CGROUP.read_text("ascii").strip()
    except OSError:
        return whole
    return min(whole, int(limit)) if limit.isdecimal() else whole


def gigabytes(count: int) -> str:
    """A number of bytes for people.

    >>> gigabytes(3_250_000_000)
    '3.2 GB'
    """
    return f"{count / 1e9:.1f} GB"
