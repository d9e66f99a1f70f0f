"""Files and folders that are whole or not there: written aside, then moved into place.

Whoever is killed while writing leaves something whose name begins with `.expunge-`, and never
touches what was there before. A file inside a folder that is being made is written in its place:
the folder is moved as a whole.
"""

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = ".expunge-"
"""How the name of everything begins that is not finished."""

_ASIDE = re.compile(rf"{re.escape(PREFIX)}(.*-)?[0-9a-f]{{16}}")


def aside_name(*parts: str) -> str:
    """A new name for something unfinished; `parts` say what or whose it is."""
    return PREFIX + "-".join((*parts, secrets.token_hex(8)))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write one file to; when the block ends, the file is on the disk and at `path`.

    When the block raises, an existing file at `path` stays as it was.

    Raises:
        OSError: the file cannot be written or moved.
    """
    inside = any(_ASIDE.fullmatch(part) for part in path.parent.parts)
    # With its suffix, since some writers add theirs where it is missing.
    aside = path if inside else path.with_name(aside_name() + path.suffix)
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
    """A path to write one file to; when the block ends, it is at `path` if nothing was there.

    Raises:
        FileExistsError: something was, and is as it was.
        OSError: the file cannot be written or moved.
    """
    aside = path.with_name(aside_name() + path.suffix)
    try:
        yield aside
        sync(aside)
        try:
            os.link(aside, path)
        except FileExistsError:
            raise
        except OSError as error:
            # A filesystem without hard links: then two may come between these two lines.
            if path.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path) from error
            aside.replace(path)
        sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def making(folder: Path) -> Iterator[Path]:
    """A folder to write files into; when the block ends, it is on the disk and at `folder`.

    When the block raises, nothing is kept. When another process has made `folder` in the meantime,
    theirs is kept.

    Raises:
        OSError: the folder cannot be made or moved.
    """
    aside = folder.with_name(aside_name())
    aside.mkdir()
    try:
        yield aside
        publish(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def publish(aside: Path, folder: Path) -> None:
    """Move a finished folder to its place, unless another is there already.

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
    # Its name need not be on the disk at once: should it be lost, the same is made again.


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network filesystems cannot sync a folder; they need not be told to.
        if error.errno != errno.EINVAL or not path.is_dir():
            raise
    finally:
        os.close(descriptor)
