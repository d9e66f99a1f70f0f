"""Where a command writes for its user: checked before the work, so that no work is lost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from expunge.atomic import sweep
from expunge.cli.output import tell
from expunge.errors import StoreError


def check_folder(path: Path, option: str = "--out") -> None:
    """Refuse a folder that cannot be written or made; delete what killed processes left in it.

    Raises:
        StoreError: it is a file, or it or the folder to make it in may not be written.
    """
    if path.exists() and not path.is_dir():
        raise StoreError(f"{option} {path} is a file, expected a folder: choose another {option}")
    nearest = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not nearest.is_dir():
        raise StoreError(
            f"{option} {path}: {nearest} is a file, expected a folder: choose another {option}"
        )
    _check_writable(nearest, path, option)
    sweep(path)


def check_study(folder: Path, settings: dict[str, Any], dry_run: bool) -> None:
    """Refuse a folder that belongs to a study with other settings; of a dry run only say so.

    Raises:
        StoreError: it does; the message names the first setting that differs.
    """
    from expunge.studies.folder import check_settings

    try:
        check_settings(folder, settings)
    except StoreError as error:
        if not dry_run:
            raise
        tell(f"note: without --dry-run this is refused: {error}")


def check_new_file(path: Path) -> None:
    """Refuse a file for `--out` that cannot be written, or is there.

    Raises:
        StoreError: as `check_file` does, or something is there.
    """
    # A folder in the place of a file is refused as such, below.
    if path.exists() and not (path.suffix and path.is_dir()):
        raise StoreError(f"{path} already exists: expected a new name; choose another --out")
    check_file(path)


def check_file(path: Path, option: str = "--out", begins: str | None = None) -> None:
    """Refuse a file that cannot be written; delete what killed processes left beside it.

    What the command writes begins with `begins`: an existing file that does not is refused, as it
    is something else. None leaves that to the command.

    Raises:
        StoreError: it is a folder, its folder does not exist or may not be written, or it is
            something else.
    """
    if path.is_dir():
        raise StoreError(f"{option} {path} is a folder, expected a file: add a name")
    folder = path.parent
    if not folder.is_dir():
        problem = "is a file" if folder.exists() else "does not exist"
        raise StoreError(
            f"{option} {path}: the folder {folder} {problem}: make it, or choose another {option}"
        )
    _check_writable(folder, path, option)
    if begins is not None and path.exists():
        _check_same_kind(path, option, begins)
    sweep(folder)


def _check_same_kind(path: Path, option: str, begins: str) -> None:
    expected = begins.encode()
    try:
        with path.open("rb") as file:
            there = file.read(len(expected))
    except OSError as error:
        raise StoreError(f"{option} {path} cannot be read: {error.strerror}") from error
    if there not in (b"", expected):
        raise StoreError(
            f"{option} {path} exists and is not what this command writes: choose another {option}"
        )


def _check_writable(folder: Path, path: Path, option: str) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(
            f"{option} {path}: {folder} may not be written: choose another {option}, or change "
            "its permissions"
        )
