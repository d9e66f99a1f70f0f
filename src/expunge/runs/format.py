"""The version of the store's layout, in `store.json` at its root."""

import os
from pathlib import Path

from expunge.errors import StoreError
from expunge.runs.files import read_object, write_json
from expunge.runs.node import is_id

FORMAT = 2
MARKER = "store.json"


def check_format(root: Path) -> bool:
    """Whether `root` is marked as a store of this format; an empty one need not be.

    Raises:
        StoreError: it has another format.
    """
    marker = root / MARKER
    if not marker.exists():
        # The marker comes before the first artefact: look again, a process may be writing it.
        if not ids_in(root) or marker.exists():
            return marker.exists()
        raise StoreError(
            f"the store {root} was written by an older version of expunge (format 1, expected "
            f"{FORMAT}) and is not damaged: choose another --store or --out, and make the runs "
            "again with the recipe"
        )
    found = read_object(marker).get("format")
    if type(found) is int and found > FORMAT:
        raise StoreError(
            f"the store {root} was written by a newer version of expunge (format {found}, expected "
            f"{FORMAT}): use that version, or choose another --store or --out"
        )
    if found != FORMAT:
        raise StoreError(
            f"{marker} must say format {FORMAT}, got {found!r}: "
            "put it right, or choose another --store or --out"
        )
    return True


def mark_format(root: Path) -> None:
    """Mark the existing folder `root` as a store of this format, unless it is marked.

    Raises:
        StoreError: it has another format, or cannot be written.
    """
    if not check_format(root):
        write_json(root / MARKER, {"format": FORMAT})


def ids_in(root: Path) -> set[str]:
    """The ids of the artefacts in a folder, in one listing; none if the folder is missing.

    Raises:
        StoreError: it cannot be listed.
    """
    try:
        with os.scandir(root) as entries:
            return {
                entry.name
                for entry in entries
                if is_id(entry.name) and entry.is_dir(follow_symlinks=False)
            }
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError as error:
        raise StoreError(f"cannot list the store {root}: {error.strerror}") from error
