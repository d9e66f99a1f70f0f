"""An artefact's folder: its files, and `artefact.json`, which describes them."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from expunge.digest import file_digest, file_digest_once, with_digest, without_digest
from expunge.errors import ConfigError, StoreError, some
from expunge.runs.files import JSON, read_object, write_json
from expunge.runs.node import Node

RECORD = "artefact.json"
_KEYS = {"node", "created", "files", "made"}


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
            found = Content(path.stat().st_size, file_digest_once(path))
            whole = found == self.contents[name]
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


def checked_if_any(folder: Path, name: str) -> Path | None:
    """As `checked`, for a file that an artefact may lack; None if its record lists none.

    Raises:
        StoreError: as in `checked`; so a file that was deleted is not taken for none.
    """
    artefact = read_artefact(folder)
    return artefact.file(name) if name in artefact.contents else None


def seal(folder: Path, node: Node, made: Mapping[str, JSON]) -> None:
    """Write the record of a folder that is otherwise complete.

    Raises:
        StoreError: it holds a link, or a file named like the record, or cannot be written.
    """
    files = files_in(folder)
    if RECORD in files:
        raise StoreError(f"{RECORD} is the store's own: choose another name")
    contents: dict[str, JSON] = {
        name: {"bytes": path.stat().st_size, "blake2b": file_digest(path)}
        for name, path in files.items()
    }
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record: dict[str, JSON] = {
        "node": node.to_json(),
        "created": now,
        "files": contents,
        "made": made,
    }
    write_json(folder / RECORD, with_digest(record))


def read_artefact(folder: Path) -> Artefact:
    """The artefact in `folder`, without checking its files.

    Raises:
        StoreError: its record cannot be read, or its id is not the folder's name.
    """
    try:
        record = _whole(read_object(folder / RECORD))
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


def _whole(record: dict[str, Any]) -> dict[str, Any]:
    """A record without its digest, which early ones lack.

    Raises:
        StoreError: it has changed since it was written.
    """
    try:
        whole = without_digest(record)
    except ValueError as error:
        raise StoreError(str(error)) from error
    if whole.keys() != _KEYS:
        raise StoreError("its keys are not those of a record")
    return whole


def _as_content(name: str, entry: object) -> Content:
    if name.startswith("/") or ".." in name.split("/"):
        raise StoreError(f"it names a file outside, {name}")
    match entry:
        case {"bytes": int() as size, "blake2b": str() as digest, **rest} if not rest:
            return Content(size, digest)
    raise StoreError(f"it does not say what {name} holds")


def _damaged(folder: Path, what: str) -> StoreError:
    remove = shlex.join(("expunge", "runs", "remove", folder.name, "--store", str(folder.parent)))
    return StoreError(f"{folder.name} is damaged, {what}: remove it with `{remove}`")
