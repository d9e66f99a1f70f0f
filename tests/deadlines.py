"""Deadlines that stretch with the machine: every wait of the tests takes its limit from here."""

import subprocess
import sys
import time
from functools import cache

USUAL_SECONDS = 0.35
"""What the measured work takes where the limits were set."""
_WORK = "import hashlib, json, numpy; sum(hash(str(n)) % 7 for n in range(500_000))"


@cache
def slowness() -> float:
    """How many times slower this machine is than the one the limits were set on; at least 1."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", _WORK], check=True)
    return max(1.0, (time.perf_counter() - start) / USUAL_SECONDS)


def stretched(seconds: float) -> float:
    """A limit in seconds for this machine, from one for the machine the limits were set on."""
    return seconds * slowness()


def wait_for(what, seconds=60, pause=0.02):
    """Wait until `what()` is true, and return it; fail after `seconds`, stretched."""
    late = time.monotonic() + stretched(seconds)
    while not (found := what()):
        assert time.monotonic() < late, f"not in {seconds} s on a machine of usual speed"
        time.sleep(pause)
    return found
