"""What an artefact's folder says of itself: its spec, and a manifest of its files."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from expunge.errors import ConfigError, StoreError, some
from expunge.runs.files import JSON, read_json, write_json
from expunge.runs.spec import Spec

_SPEC = "spec.json"
_MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is written beside an artefact's files."""

    spec: Spec
    """What it was made from."""
    created: str
    """When it was finished: ISO 8601, UTC."""
    files: Mapping[str, JSON]
    """Size and digest of every file, by its name relative to the folder."""


def seal(folder: Path, spec: Spec) -> None:
    """Write the spec and the manifest of a folder that is otherwise finished.

    Raises:
        StoreError: it holds a link, or a file with one of the two names, or cannot be written.
    """
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise StoreError(f"{path.name} is a link: an artefact holds files and folders only")
    files = files_in(folder)
    reserved = files.keys() & {_SPEC, _MANIFEST}
    if reserved:
        raise StoreError(f"{some(sorted(reserved))} is the store's own: choose another name")
    entries = {name: _entry(path) for name, path in files.items()}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder / _SPEC, spec.to_json())
    write_json(folder / _MANIFEST, {"created": now, "files": entries})


def read_record(folder: Path) -> Record:
    """The record of the artefact in `folder`; its files are not looked at.

    Raises:
        StoreError: it cannot be read, or the spec is that of another id than the folder's name.
    """
    try:
        spec = Spec.from_json(read_json(folder / _SPEC))
        manifest = read_json(folder / _MANIFEST)
    except (StoreError, ConfigError) as error:
        raise _damaged(folder, str(error)) from error
    if spec.id != folder.name:
        raise _damaged(folder, f"its {_SPEC} was changed and is that of {spec.id}")
    if isinstance(manifest, Mapping):
        created, files = manifest.get("created"), manifest.get("files")
        if isinstance(created, str) and isinstance(files, Mapping):
            return Record(spec=spec, created=created, files=files)
    raise _damaged(folder, f"its {_MANIFEST} lists no files")


def check_files(folder: Path, record: Record) -> None:
    """Compare every file in `folder` with its size and digest in the record.

    Raises:
        StoreError: one is missing or has changed.
    """
    for name, entry in record.files.items():
        path = folder / name
        if not path.is_file() or _entry(path) != entry:
            raise _damaged(folder, f"{name} is missing or changed")


def files_in(folder: Path) -> dict[str, Path]:
    """Every file in a folder and its folders, by its name relative to it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in paths}


def _entry(path: Path) -> JSON:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, _blake2b).hexdigest()
        return {"bytes": file.tell(), "blake2b": digest}


def _blake2b() -> "hashlib.blake2b":
    return hashlib.blake2b(digest_size=16)


def _damaged(folder: Path, what: str) -> StoreError:
    return StoreError(
        f"{folder.name} is damaged, {what}: remove it with `expunge runs remove {folder.name}`"
    )
