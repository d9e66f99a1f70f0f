"""Temporary folders for artefacts in progress, and the sweep of those whose maker was killed."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from expunge.atomic import PREFIX, SILENCE, aside_name, lives, this_host
from expunge.errors import StoreError
from expunge.runs.heartbeat import INTERVAL, heart
from expunge.runs.locks import Locks, names_in

QUIET = 4 * INTERVAL
"""Seconds without a heartbeat after which no process waits for a maker."""

_REMOVED = "removed"
_MADE_BY = re.compile(
    rf"{re.escape(PREFIX)}[a-z][a-z0-9_]*-[0-9a-f]{{16}}-(?P<host>.+)-(?P<pid>\d+)-[0-9a-f]{{16}}"
)


class Aside:
    """The folder of all artefacts being made or removed.

    A folder in it names its maker's host and process. The maker holds a lock of the same name as
    long as it lives, if the filesystem has locks.
    """

    def __init__(self, folder: Path, locks: Locks) -> None:
        self.folder = folder
        self._locks = locks

    @contextmanager
    def making(self, artefact_id: str) -> Iterator[Path]:
        """A temporary folder, removed when the block ends or, later, if the process dies.

        Raises:
            StoreError: it cannot be made.
        """
        name = aside_name(artefact_id)
        # Lock first, then make the folder: a folder with a free lock has lost its maker.
        with self._locks.hold(name):
            path = self.folder / name
            try:
                try:
                    self.folder.mkdir(parents=True, exist_ok=True)
                    path.mkdir()
                except OSError as error:
                    raise StoreError(
                        f"cannot write to {self.folder.parent}: {error.strerror}"
                    ) from error
                with heart.beating(path):
                    yield path
            finally:
                shutil.rmtree(path, ignore_errors=True)

    def remove(self, folder: Path) -> None:
        """Move a folder out of its place at once, then delete it.

        If interrupted in between, the next sweep deletes it.

        Raises:
            OSError: it cannot be moved or deleted.
        """
        self.folder.mkdir(exist_ok=True)
        path = self.folder / aside_name(_REMOVED)
        folder.rename(path)
        with suppress(FileNotFoundError):  # another process's sweep deletes it, too
            shutil.rmtree(path)

    def has_maker(self, artefact_id: str) -> bool:
        """Whether a maker of this artefact has a recent heartbeat."""
        self.sweep()
        return any(
            (self._silence(self.folder / name) or 0.0) < QUIET
            for name in names_in(self.folder)
            if name.startswith(f"{PREFIX}{artefact_id}-")
        )

    def sweep(self) -> None:
        """Delete removed artefacts, and what killed makers left."""
        for name in names_in(self.folder):
            if name.startswith(f"{PREFIX}{_REMOVED}-"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
            elif made_by := _MADE_BY.fullmatch(name):
                self._sweep(name, made_by["host"], int(made_by["pid"]))
        # A free lock file is left by a killed process; taking the lock removes it.
        for name in names_in(self._locks.folder):
            with suppress(BlockingIOError, StoreError), self._locks.hold(name, wait=False):
                pass

    def _sweep(self, name: str, host: str, process: int) -> None:
        path = self.folder / name
        locked = (self._locks.folder / name).exists()
        # A lock that is taken belongs to a maker who lives; where none can be had, nothing is ours.
        with suppress(BlockingIOError, StoreError), self._locks.hold(name, wait=False) as held:
            if host != this_host():
                # Locks may not reach from host to host.
                ended = (self._silence(path) or 0.0) > SILENCE
            else:
                # A maker without a lock had no locks to take.
                ended = (locked and held) or not lives(process)
            if ended:
                shutil.rmtree(path, ignore_errors=True)

    def _silence(self, path: Path) -> float | None:
        """Seconds since the last heartbeat in a folder; None if unknown."""
        try:
            # Use the filesystem's clock, as heartbeats do; this host's may be wrong.
            os.utime(self.folder)
            return self.folder.stat().st_mtime - path.stat().st_mtime
        except OSError:
            return None
