"""Heartbeats for other hosts: the modification time of a folder that a process works in."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

INTERVAL = 30.0
"""Seconds between two heartbeats."""


class Heart:
    """One thread per process, which updates the modification time of folders now and then."""

    def __init__(self) -> None:
        self._folders: set[Path] = set()
        self._thread: threading.Thread | None = None

    @contextmanager
    def beating(self, folder: Path) -> Iterator[None]:
        """Keep a heartbeat in `folder` for the block."""
        self._folders.add(folder)
        # It is not alive in a process that was forked from one where it is.
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
            self._thread.start()
        try:
            yield
        finally:
            self._folders.discard(folder)

    def _beat(self) -> None:
        # It never ends: starting a thread for each folder would take longer than everything else.
        while True:
            time.sleep(INTERVAL)
            for folder in tuple(self._folders):
                with suppress(OSError):
                    os.utime(folder)


heart = Heart()
"""This process's one."""
