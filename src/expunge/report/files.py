"""Writing files that are whole or not there."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from expunge.errors import StoreError


def write_atomically(path: Path, text: str) -> None:
    """Write UTF-8 text under another name, then rename it into place; makes the folder.

    Raises:
        StoreError: the file cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A lone surrogate, legal in JSON, has no UTF-8.
        aside.write_bytes(text.encode("utf-8", "replace"))
        aside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
