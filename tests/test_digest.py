"""What was written is what is read: digests of bytes, of files, and of JSON documents."""

import hashlib
import json
import os

import pytest

from expunge.digest import (
    digest,
    file_digest,
    file_digest_once,
    sealed,
    unsealed,
    with_digest,
    without_digest,
)
from tests.deadlines import wait_for

DOCUMENT = {"title": "T", "cells": [{"ua": 1.5, 3: None}], "n": 2**60, "tuple": (0.1, -0.0)}


def flips(content):
    """The content with each of its bits changed in turn."""
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def test_a_digest_is_128_bits_of_blake2b(tmp_path):
    expected = hashlib.blake2b(b"abc", digest_size=16).hexdigest()
    (tmp_path / "x").write_bytes(b"abc")
    assert digest(b"abc") == file_digest(tmp_path / "x") == expected


def test_a_change_that_keeps_size_and_time_is_seen(tmp_path):
    """As by a copy that keeps times, in place of the file."""
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    before = path.stat()
    assert file_digest_once(path) == digest(b"abc")

    def changed():
        path.write_bytes(b"abd")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return path.stat().st_ctime_ns != before.st_ctime_ns  # the clock of files is coarse

    wait_for(changed)
    assert file_digest_once(path) == digest(b"abd")


@pytest.mark.parametrize("content", [b"", b"abc", b"two\nlines\n"])
def test_every_bit_of_what_is_sealed_is_checked(content):
    whole = sealed(content)
    assert unsealed(whole) == content
    for changed in [*flips(whole), whole + b" ", whole[:-1], b"", content]:
        with pytest.raises(ValueError, match="it has changed since it was written"):
            unsealed(changed)


def test_every_bit_of_a_document_is_checked():
    text = json.dumps(with_digest(DOCUMENT), indent=1).encode()
    assert without_digest(json.loads(text)) == json.loads(json.dumps(DOCUMENT))
    for changed in flips(text):
        with pytest.raises(ValueError, match=r"."):
            without_digest(json.loads(changed))


def test_a_document_of_an_early_version_has_none():
    assert without_digest({"title": "T"}) == {"title": "T"}


def test_a_text_that_looks_like_a_digest_is_only_text():
    document = {"title": digest(b"a title of 32 hexadecimal digits")}
    assert without_digest(with_digest(document)) == document
