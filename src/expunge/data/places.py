"""Where decoded data are kept, which files a source has, and whether they have changed."""

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from expunge.errors import DataError


@dataclass(frozen=True)
class Tree:
    """Everything under a folder, by path relative to it, with `/`, in sorted order."""

    files: Mapping[str, os.stat_result]
    """Regular files; links are followed."""
    folders: tuple[str, ...]
    hidden: tuple[str, ...]
    """Files and folders whose names begin with a dot; what is in such a folder is not listed."""
    broken: tuple[str, ...]
    """Links to nothing or to a folder above, pipes, sockets and devices."""


def default_cache() -> Path:
    """The folder in `EXPUNGE_CACHE`, otherwise `~/.cache/expunge/data`."""
    named = os.environ.get("EXPUNGE_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "expunge" / "data"


def files_digest(path: Path) -> str:
    """Hex digest of a file's or folder's path and of its files' names, sizes and times.

    Raises:
        DataError: a folder cannot be read.
    """
    digest = hashlib.blake2b(os.fsencode(path.resolve()), digest_size=16)
    if path.is_dir():
        tree = walk(path)
        files = tree.files
        digest.update(repr((tree.folders, tree.hidden, tree.broken)).encode())
    else:
        files = {"": path.stat()} if path.is_file() else {}
    for name, found in files.items():
        digest.update(repr((name, found.st_size, found.st_mtime_ns)).encode())
    return digest.hexdigest()


def walk(folder: Path) -> Tree:
    """What is under `folder`, through links too.

    Raises:
        DataError: a folder cannot be read.
    """
    files: dict[str, os.stat_result] = {}
    folders: list[str] = []
    hidden: list[str] = []
    broken: list[str] = []

    def visit(path: Path, prefix: str, above: frozenset[tuple[int, int]]) -> None:
        try:
            here = path.stat()
            entries = list(os.scandir(path))
        except OSError as error:
            raise DataError(f"cannot read the folder {path}: {error.strerror}") from error
        above |= {(here.st_dev, here.st_ino)}
        for entry in entries:
            name = prefix + entry.name
            if entry.name.startswith("."):
                hidden.append(name)
                continue
            try:
                found = entry.stat()
            except OSError:
                broken.append(name)
                continue
            if stat.S_ISREG(found.st_mode):
                files[name] = found
            elif stat.S_ISDIR(found.st_mode) and (found.st_dev, found.st_ino) not in above:
                folders.append(name)
                visit(path / entry.name, f"{name}/", above)
            else:
                broken.append(name)

    visit(folder, "", frozenset())
    return Tree(
        files=dict(sorted(files.items())),
        folders=tuple(sorted(folders)),
        hidden=tuple(sorted(hidden)),
        broken=tuple(sorted(broken)),
    )
