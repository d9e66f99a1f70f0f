"""Ctrl-C and SIGTERM: one line, the exit code that shells expect, and an end within seconds."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

LINE = "interrupted: finished nodes are in the store; run the same command to continue"
PATIENCE = 5.0
"""Seconds that a command may take to clean up, before its process is ended."""

_ENDING = (signal.SIGINT, signal.SIGTERM)
_AGAIN = 0.05


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM: not an error, and only `interruptible` may catch it."""


class _Signals:
    """Which signal has arrived, if any."""

    def __init__(self) -> None:
        self.number = 0

    def arrived(self, number: int, frame: FrameType | None) -> None:
        """Interrupt the main thread at the first signal; while it cleans up, ignore others."""
        if not self.number:
            self.number = number
            raise Interrupted

    def again(self, number: int, frame: FrameType | None) -> None:
        """Interrupt the main thread where the first attempt was lost."""
        raise Interrupted


def interruptible(command: Callable[[], None]) -> None:
    """Run `command`; a signal ends it, and whatever it raises because of that is one line.

    Raises:
        SystemExit: with 128 plus the signal's number.
    """
    signals = _Signals()
    try:
        # A signal may come before the block, and after it.
        with _handled(signals):
            command()
    except BaseException:
        # Libraries turn an interruption into errors of their own, such as a failed import.
        if not signals.number:
            raise
    if signals.number:
        sys.stderr.write(f"{LINE}\n")
        sys.exit(128 + signals.number)


@contextmanager
def _handled(signals: _Signals) -> Iterator[None]:
    """Handle the signals for the block, in the main thread or, if that is stuck, without it."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = {number: signal.signal(number, signals.arrived) for number in _ENDING}
    before[signal.SIGALRM] = signal.signal(signal.SIGALRM, signals.again)
    woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    unraisable = sys.unraisablehook

    def lost(found: Any) -> None:
        # In a finaliser Python prints what is raised, and goes on.
        if found.exc_type is Interrupted:
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        else:
            unraisable(found)

    sys.unraisablehook = lost
    arguments = reading, PATIENCE
    threading.Thread(target=_insist, args=arguments, name="signals", daemon=True).start()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.set_wakeup_fd(woken)
        sys.unraisablehook = unraisable
        if not signals.number:
            for number, handler in before.items():
                # Python's own would print a traceback if it came while the process ends.
                own = handler is None or handler is signal.default_int_handler
                signal.signal(number, signal.SIG_DFL if own else handler)
            # With a signal, the thread stays until the process has ended.
            os.close(writing)


def _insist(reading: int, patience: float) -> None:
    """End the process `patience` seconds after a signal: the main thread may be in a long call."""
    while received := os.read(reading, 1):
        if received[0] in _ENDING:
            time.sleep(patience)
            os.write(2, f"{LINE}\n".encode())
            os._exit(128 + received[0])
    os.close(reading)
