"""Atomic writes of files and folders: to a temporary name first, then moved into place.

A process that is killed while writing does not touch what was there before. It leaves something
whose name starts with `.expunge-` and names the process; who writes to that folder next deletes it.
Inside a folder that is still being written, files are written directly: the folder is moved as a
whole.
"""

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

PREFIX = ".expunge-"
"""The prefix of all unfinished files and folders."""

SILENCE = 3600.0
"""Seconds without a sign of life after which a process on another host counts as dead."""

_ASIDE = re.compile(rf"{re.escape(PREFIX)}(.*-)?[0-9a-f]{{16}}")
_LEFT = re.compile(
    rf"{re.escape(PREFIX)}((?P<host>.+)-(?P<pid>[0-9]+)-|(.*-)?)[0-9a-f]{{16}}(\.[^.]*)?"
)


def aside_name(*parts: str) -> str:
    """A new temporary name; `parts` identify its purpose. It names its process, too."""
    return PREFIX + "-".join((*parts, this_host(), str(os.getpid()), secrets.token_hex(8)))


def this_host() -> str:
    """The name of this host, as used in temporary names."""
    name = re.sub(r"[^A-Za-z0-9.-]", "_", os.uname().nodename)[:64] or "_"
    return f"{name}-{_processes()}"


def lives(process: int) -> bool:
    """Whether this host has a process of this id."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True


def sweep(folder: Path) -> None:
    """Delete what killed processes have left in a folder; the files of others stay.

    On this host that is what belongs to no process; what another host has made is left for an hour.
    """
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name.startswith(PREFIX) and (left := _LEFT.fullmatch(path.name)):
                _sweep(path, left["host"], left["pid"])


def _sweep(path: Path, host: str | None, process: str) -> None:
    with suppress(OSError):
        if host == this_host():
            dead = not lives(int(process))
        else:
            # While a large file grows, the time of its folder stands still.
            inside = path.iterdir() if path.is_dir() else ()
            newest = max(each.lstat().st_mtime for each in (path, *inside))
            dead = time.time() - newest > SILENCE
        if dead and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif dead:
            path.unlink()


@cache
def _processes() -> str:
    """A number that differs where process ids mean others, as in containers with one host name."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "0"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write one file to; on exit the file is on disk at `path`.

    If the block raises, an existing file at `path` is unchanged.

    Raises:
        OSError: the file cannot be written or moved.
    """
    inside = any(_ASIDE.fullmatch(part) for part in path.parent.parts)
    # Keep the suffix: some writers add one if it is missing.
    aside = path if inside else path.with_name(aside_name() + path.suffix)
    if not inside:
        sweep(path.parent)
    try:
        yield aside
        if not inside:
            sync(aside)
            aside.replace(path)
            sync(path.parent)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


@contextmanager
def creating(path: Path) -> Iterator[Path]:
    """Yield a path to write one file to; on exit it is at `path`, unless something was there.

    Raises:
        FileExistsError: `path` exists, and is unchanged.
        OSError: the file cannot be written or moved.
    """
    aside = path.with_name(aside_name() + path.suffix)
    sweep(path.parent)
    try:
        yield aside
        sync(aside)
        try:
            os.link(aside, path)
        except FileExistsError:
            raise
        except OSError as error:
            # A filesystem without hard links: here two processes can race.
            if path.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from error
            aside.replace(path)
        sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def making(folder: Path) -> Iterator[Path]:
    """Yield a folder to write files into; on exit it is on disk at `folder`.

    If the block raises, nothing is kept. If another process has made `folder` in the meantime, that
    one is kept.

    Raises:
        OSError: the folder cannot be made or moved.
    """
    aside = folder.with_name(aside_name())
    sweep(folder.parent)
    aside.mkdir()
    try:
        yield aside
        publish(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def publish(aside: Path, folder: Path) -> None:
    """Move a finished folder into place, unless another one is already there.

    Raises:
        OSError: the disk is full, or the folder cannot be moved.
    """
    for path, _, files in os.walk(aside):
        for name in files:
            sync(Path(path, name))
        sync(Path(path))
    try:
        aside.rename(folder)
    except OSError:
        if folder.is_symlink() or not folder.is_dir():
            raise
    # No need to sync the new name: if it is lost, the folder is made again.


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network filesystems cannot sync a folder, and do not need it.
        if error.errno != errno.EINVAL or not path.is_dir():
            raise
    finally:
        os.close(descriptor)
