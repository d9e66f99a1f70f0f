"""The memory of this process, as the system counts it."""

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def now() -> int:
    """Bytes that are resident; where the system does not say, as `peak`."""
    return _status("VmRSS")


def peak() -> int:
    """Bytes that were resident at most."""
    return _status("VmHWM")


def _status(key: str) -> int:
    if not STATUS.exists():
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    # On Linux `ru_maxrss` would begin with what the parent held.
    lines = map(str.split, STATUS.read_text(encoding="ascii").splitlines())
    return next(int(words[1]) * 1024 for words in lines if words[0] == f"{key}:")
