"""How much memory there is, to refuse what cannot fit before it is read or built."""

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup/memory.max")


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


def over_memory(needed: int) -> str | None:
    """That `needed` bytes are more than there are, as the end of a message; None if they fit."""
    there = memory_bytes()
    if there is None or needed <= there:
        return None
    return f"{byte_count(needed)}, and this machine has {byte_count(there)}"


def byte_count(count: int) -> str:
    """A number of bytes for people.

    >>> byte_count(3_250_000_000), byte_count(70_000_000)
    ('3.2 GB', '70.0 MB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
