"""An artefact's folder: its files, and `artefact.json`, which describes them."""

import hashlib
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from expunge.errors import ConfigError, StoreError, some
from expunge.runs.files import JSON, read_object, write_json
from expunge.runs.node import Node

RECORD = "artefact.json"


class Content(NamedTuple):
    """What a file holds."""

    bytes: int
    blake2b: str
    """128 bits, in hexadecimal digits."""


@dataclass(frozen=True, kw_only=True)
class Artefact:
    """What a node made. Each file is checked when it is requested."""

    node: Node
    """The node it was made from."""
    folder: Path
    """The folder of its files, which never change."""
    created: str
    """When it was finished: ISO 8601, UTC."""
    contents: Mapping[str, Content]
    """The expected content of its files, by name relative to the folder."""
    made: Mapping[str, Any]
    """What made it: the environment, the seconds and whatever else its maker recorded."""

    @property
    def id(self) -> str:
        """The id of the node."""
        return self.node.id

    @property
    def label(self) -> str:
        """Its label, for people; empty if its maker recorded none."""
        label = self.made.get("label")
        return label if isinstance(label, str) else ""

    @property
    def files(self) -> tuple[str, ...]:
        """Its files, relative to the folder, without the store's own."""
        return tuple(self.contents)

    def file(self, name: str) -> Path:
        """The path of one of its files, after checking that its content is unchanged.

        A process reads a file for this check once, unless its size or modification time changes.

        Raises:
            StoreError: the artefact has no such file, or it is missing or has changed.
        """
        if name not in self.contents:
            raise StoreError(f"{self.id} has no file {name!r}: it has {some(self.files)}")
        path = self.folder / name
        try:
            whole = _content(path) == self.contents[name]
        except OSError:
            whole = False
        if not whole:
            raise _damaged(self.folder, f"{name} is missing or changed")
        return path


def checked(folder: Path, name: str) -> Path:
    """The path of a file of the artefact in `folder`, after checking its content.

    Raises:
        StoreError: as in `Artefact.file`, or the folder's record cannot be read.
    """
    return read_artefact(folder).file(name)


def seal(folder: Path, node: Node, made: Mapping[str, JSON]) -> None:
    """Write the record of a folder that is otherwise complete.

    Raises:
        StoreError: it holds a link, or a file named like the record, or cannot be written.
    """
    files = files_in(folder)
    if RECORD in files:
        raise StoreError(f"{RECORD} is the store's own: choose another name")
    contents: dict[str, JSON] = {
        name: {"bytes": path.stat().st_size, "blake2b": _digest(path)}
        for name, path in files.items()
    }
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record: dict[str, JSON] = {
        "node": node.to_json(),
        "created": now,
        "files": contents,
        "made": made,
    }
    write_json(folder / RECORD, record)


def read_artefact(folder: Path) -> Artefact:
    """The artefact in `folder`, without checking its files.

    Raises:
        StoreError: its record cannot be read, or its id is not the folder's name.
    """
    try:
        record = read_object(folder / RECORD)
        node = Node.from_json(record.get("node"))
        created, files, made = (record.get(name) for name in ("created", "files", "made"))
        if not (isinstance(created, str) and isinstance(files, dict) and isinstance(made, dict)):
            raise StoreError("it lists no files")
        contents = {name: _as_content(name, entry) for name, entry in files.items()}
    except (StoreError, ConfigError) as error:
        raise _damaged(folder, f"its {RECORD} cannot be used ({error})") from error
    if node.id != folder.name:
        raise _damaged(folder, f"its {RECORD} was changed and is that of {node.id}")
    return Artefact(node=node, folder=folder, created=created, contents=contents, made=made)


def files_in(folder: Path) -> dict[str, Path]:
    """Every file in a folder and its subfolders, by relative name.

    Raises:
        StoreError: something in it is neither a file nor a folder.
    """
    found = {}
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        with os.scandir(folder / inside) as entries:
            for entry in entries:
                name = f"{inside}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{name}/")
                elif entry.is_file(follow_symlinks=False):
                    found[name] = folder / name
                else:
                    raise StoreError(f"{name} is a link: an artefact holds files and folders only")
    return dict(sorted(found.items()))


def _as_content(name: str, entry: object) -> Content:
    if name.startswith("/") or ".." in name.split("/"):
        raise StoreError(f"it names a file outside, {name}")
    match entry:
        case {"bytes": int() as size, "blake2b": str() as digest, **rest} if not rest:
            return Content(size, digest)
    raise StoreError(f"it does not say what {name} holds")


def _content(path: Path) -> Content:
    state = path.stat()
    digest = _digest_once(str(path), state.st_ino, state.st_size, state.st_mtime_ns)
    return Content(state.st_size, digest)


@lru_cache(maxsize=2**14)
def _digest_once(path: str, inode: int, size: int, changed_ns: int) -> str:
    """The digest of a file in the state that the arguments after the path tell."""
    return _digest(Path(path))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, _blake2b).hexdigest()


def _blake2b() -> "hashlib.blake2b":
    return hashlib.blake2b(digest_size=16)


def _damaged(folder: Path, what: str) -> StoreError:
    remove = shlex.join(("expunge", "runs", "remove", folder.name, "--store", str(folder.parent)))
    return StoreError(f"{folder.name} is damaged, {what}: remove it with `{remove}`")
