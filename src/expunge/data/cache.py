"""Decoded images kept on disk, so that a dataset is decoded once.

Where they are kept is asked for by planning, so arrays and PyTorch are loaded where they are used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from expunge.atomic import making
from expunge.errors import DataError

if TYPE_CHECKING:
    from expunge.types import Samples

_FORMAT = 2
"""Part of every key: to be raised when what is stored, or how it is decoded, changes."""
_BROKEN = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError)
"""What reading a folder raises that is cut short or was meddled with."""


def default_cache() -> Path:
    """The folder that `EXPUNGE_CACHE` names, otherwise `~/.cache/expunge/data`."""
    named = os.environ.get("EXPUNGE_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "expunge" / "data"


def cached(
    root: Path,
    key: Mapping[str, object],
    name: str,
    build: Callable[[Path], dict[str, Samples]],
) -> dict[str, Samples]:
    """The samples stored under `key`, or what `build` makes and leaves in the folder it is given.

    `build` must write the images of each role to `ROLE.inputs.npy` there. The folder is written
    aside and renamed when whole; a broken one is replaced.

    Raises:
        DataError: the cache cannot be written.
    """
    text = json.dumps({"format": _FORMAT, **key}, sort_keys=True)
    folder = root / hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    if folder.is_dir():
        try:
            return _read(folder, name)
        except _BROKEN:
            shutil.rmtree(folder, ignore_errors=True)
    with ExitStack() as stack:
        try:
            root.mkdir(parents=True, exist_ok=True)
            aside = stack.enter_context(making(folder))
        except OSError as error:
            raise DataError(
                f"cannot write the cache of decoded images at {root} ({error.strerror}): "
                "name another folder in EXPUNGE_CACHE"
            ) from error
        _write(aside, build(aside))
    return _read(folder, name)


def files_digest(folder: Path) -> str:
    """Hex digest of where a folder is and of its files' names, sizes and times of change."""
    digest = hashlib.blake2b(str(folder.resolve()).encode(), digest_size=16)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            stat = path.stat()
            line = (path.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns)
            digest.update(repr(line).encode())
    return digest.hexdigest()


def _write(folder: Path, parts: Mapping[str, Samples]) -> None:
    import numpy as np

    described = {}
    for role, samples in parts.items():
        np.save(folder / f"{role}.labels.npy", samples.labels.numpy())
        described[role] = {
            "ids": samples.ids,
            "class_names": samples.class_names,
            "fingerprint": samples.fingerprint,
        }
    (folder / "samples.json").write_text(json.dumps(described), encoding="utf-8")


def _read(folder: Path, name: str) -> dict[str, Samples]:
    import numpy as np
    import torch

    from expunge.data.images import StreamedImages
    from expunge.types import Samples

    parts = {}
    for role, each in json.loads((folder / "samples.json").read_text("utf-8")).items():
        array = np.load(folder / f"{role}.inputs.npy", mmap_mode="r", allow_pickle=False)
        labels = np.load(folder / f"{role}.labels.npy", allow_pickle=False)
        if not len(array) == len(labels) == len(each["ids"]):
            raise ValueError(f"{folder} is not whole")
        parts[role] = Samples(
            inputs=StreamedImages(array),
            labels=torch.from_numpy(labels),
            ids=tuple(each["ids"]),
            class_names=tuple(each["class_names"]),
            name=name,
            fingerprint=each["fingerprint"],
        )
    if not parts:
        raise ValueError(f"{folder} is not whole")
    return parts
