"""Digests of content: what was written is what is read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

DIGITS = 32
"""Hexadecimal digits of a digest."""


def digest(content: bytes) -> str:
    """128 bits of BLAKE2b, in hexadecimal digits."""
    return _blake2b(content).hexdigest()


def file_digest(path: Path) -> str:
    """The digest of a file's content.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, _blake2b).hexdigest()


def file_digest_once(path: Path) -> str:
    """As `file_digest`; a process reads a file once, unless its size or times change.

    Raises:
        OSError: it cannot be read.
    """
    state = path.stat()
    return _once(str(path), state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def sealed(content: bytes) -> bytes:
    """`content` after a line with its digest."""
    return digest(content).encode() + b"\n" + content


def unsealed(content: bytes) -> bytes:
    """What was `sealed`.

    Raises:
        ValueError: it has changed.
    """
    line, rest = content[: DIGITS + 1], content[DIGITS + 1 :]
    if line != digest(rest).encode() + b"\n":
        raise ValueError("it has changed since it was written")
    return rest


KEY = "blake2b"
"""The key of a JSON document's own digest."""


def with_digest(document: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON document with its digest under `KEY`."""
    # As it will be read: keys are text.
    return {**document, KEY: _of_document(json.loads(json.dumps(document)))}


def without_digest(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document without its digest; one that has none is taken as it is.

    Raises:
        ValueError: it has changed since it got its digest.
    """
    rest = {name: value for name, value in document.items() if name != KEY}
    if KEY in document:
        changed = document[KEY] != _of_document(rest)
    else:
        # The name of the key may be what has changed.
        changed = any(isinstance(each, str) and _DIGEST.fullmatch(each) for each in rest.values())
    if changed:
        raise ValueError("it has changed since it was written")
    return rest


_DIGEST = re.compile(rf"[0-9a-f]{{{DIGITS}}}")


def _of_document(document: Mapping[str, Any]) -> str:
    return digest(json.dumps(document, sort_keys=True).encode())


@lru_cache(maxsize=2**14)
def _once(path: str, inode: int, size: int, changed_ns: int, touched_ns: int) -> str:
    """The digest of a file in the state that the arguments after the path tell."""
    return file_digest(Path(path))


def _blake2b(content: bytes = b"") -> hashlib.blake2b:
    return hashlib.blake2b(content, digest_size=16)
