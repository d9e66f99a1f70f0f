"""Named locks of the operating system, which end with the process that holds them."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from expunge.errors import StoreError

_NONE_HERE = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
"""The errors of a filesystem without locks."""


class Locks:
    """A folder of lock files, each of which exists only while a process holds it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = True
        """False once the filesystem has said that it has no locks; then nobody waits."""

    @contextmanager
    def hold(self, name: str, *, wait: bool = True) -> Iterator[bool]:
        """Hold the lock of this name for the block; gives False if there are no locks.

        Raises:
            BlockingIOError: it is taken, and `wait` is false.
            StoreError: the lock file cannot be made.
        """
        path = self.folder / name
        descriptor = self._take(path, wait)
        try:
            yield descriptor is not None
        finally:
            if descriptor is not None:
                # A process that waits for this file finds it gone and takes the next; see _take.
                with suppress(OSError):
                    path.unlink()
                # Not by closing alone: a child that was forked has the descriptor too.
                fcntl.flock(descriptor, fcntl.LOCK_UN)
                os.close(descriptor)

    def _take(self, path: Path, wait: bool) -> int | None:
        while True:
            descriptor = self._open(path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
                if _is_at(descriptor, path):
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                raise
            except OSError as error:
                os.close(descriptor)
                if error.errno not in _NONE_HERE:
                    raise StoreError(f"cannot lock {path}: {error.strerror}") from error
                self.work = False
                path.unlink(missing_ok=True)
                return None
            except BaseException:  # interrupted while it waits
                os.close(descriptor)
                raise
            # Its last holder removed the file before this one had it.
            os.close(descriptor)

    def _open(self, path: Path) -> int:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StoreError(f"cannot write to {path.parent.parent}: {error.strerror}") from error


def names_in(folder: Path) -> list[str]:
    """The names in a folder; none if it is missing."""
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)
