"""Decoded inputs kept on disk, so that a dataset is decoded once."""

import hashlib
import json
import logging
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import PIL
import torch
from torch import Tensor

from expunge.atomic import making
from expunge.data.inputs.images import ResidentImages, StreamedImages
from expunge.data.inputs.tokens import NAMES, Tokens
from expunge.data.inputs.vectors import Vectors
from expunge.data.sources.source import Role
from expunge.data.spec import OF_COLUMNS, OF_IMAGES, OF_SPLITS, DataSpec
from expunge.digest import file_digest, file_digest_once, sealed, unsealed
from expunge.errors import DataError
from expunge.types import Inputs, Samples

_log = logging.getLogger(__name__)

_FORMAT = 4
"""Part of every key: raise it when the stored data, or how they are decoded, change."""
_SAMPLES = "samples"
"""What a folder holds, and the digests of its other files; with a digest of its own."""
_BROKEN = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, DataError)
"""What reading a truncated or modified folder raises."""


def cached(
    root: Path,
    key: Mapping[str, object],
    name: str,
    build: Callable[[Path], dict[Role, Samples]],
) -> dict[Role, Samples]:
    """The samples stored under `key`, else those that `build` makes, which are then stored.

    `build` may write the images of a role to `ROLE.inputs.npy` in the folder it is given, so that
    they need not fit in memory. The folder is renamed when complete; a damaged one is replaced.

    Raises:
        DataError: the cache cannot be written.
    """
    text = json.dumps({"format": _FORMAT, **key}, sort_keys=True)
    folder = root / hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    if folder.is_dir():
        try:
            return _read(folder, name)
        except _BROKEN as error:
            _log.warning(
                "note: the decoded data at %s are damaged (%s): decoding again", folder, error
            )
            shutil.rmtree(folder, ignore_errors=True)
    with ExitStack() as stack:
        try:
            root.mkdir(parents=True, exist_ok=True)
            aside = stack.enter_context(making(folder))
        except OSError as error:
            raise DataError(
                f"cannot write the cache of decoded data at {root} ({error.strerror}): "
                "set EXPUNGE_CACHE to another folder"
            ) from error
        _write(aside, build(aside))
    return _read(folder, name)


def decoding(spec: DataSpec) -> dict[str, object]:
    """Everything that decoded inputs depend on, except the files."""
    settings = (*OF_COLUMNS, *OF_SPLITS, *OF_IMAGES)
    return {"pillow": PIL.__version__, **{each: getattr(spec, each) for each in settings}}


def _write(folder: Path, parts: Mapping[Role, Samples]) -> None:
    described = {}
    for role, samples in parts.items():
        np.save(folder / f"{role}.labels.npy", samples.labels.numpy())
        for part, tensor in _tensors(samples.inputs).items():
            if not (path := folder / f"{role}.{part}.npy").exists():
                np.save(path, tensor.numpy())
        described[role] = {
            "kind": samples.inputs.kind,
            "ids": samples.ids,
            "class_names": samples.class_names,
            "fingerprint": samples.fingerprint,
            "ids_from": samples.ids_from,
            "notes": samples.notes,
        }
    files = {path.name: file_digest(path) for path in folder.iterdir()}
    text = json.dumps({"parts": described, "files": files})
    (folder / _SAMPLES).write_bytes(sealed(text.encode()))


def _tensors(inputs: Inputs) -> dict[str, Tensor]:
    """The arrays of inputs, by file name."""
    if isinstance(inputs, Tokens):
        return inputs.tensors
    if isinstance(inputs, ResidentImages | Vectors):
        return {"inputs": inputs.tensor}
    return {}


def _inputs(folder: Path, files: Collection[str], role: str, kind: str) -> Inputs:
    def tensor(part: str) -> Tensor:
        return torch.from_numpy(np.load(folder / f"{role}.{part}.npy", allow_pickle=False))

    if kind == "tokens":
        return Tokens({n: tensor(n) for n in NAMES if f"{role}.{n}.npy" in files})
    if kind == "vectors":
        return Vectors(tensor("inputs"))
    path = folder / f"{role}.inputs.npy"
    return StreamedImages(np.load(path, mmap_mode="r", allow_pickle=False))


def _read(folder: Path, name: str) -> dict[Role, Samples]:
    parts: dict[Role, Samples] = {}
    held = json.loads(unsealed((folder / _SAMPLES).read_bytes()))
    files = held["files"]
    for file, expected in files.items():
        if file_digest_once(folder / file) != expected:
            raise ValueError(f"{file} has changed")
    for role, each in held["parts"].items():
        inputs = _inputs(folder, files, role, each["kind"])
        labels = np.load(folder / f"{role}.labels.npy", allow_pickle=False)
        if not len(inputs) == len(labels) == len(each["ids"]):
            raise ValueError(f"{folder} is not whole")
        parts[role] = Samples(
            inputs=inputs,
            labels=torch.from_numpy(labels),
            ids=tuple(each["ids"]),
            class_names=tuple(each["class_names"]),
            name=name,
            fingerprint=each["fingerprint"],
            ids_from=each["ids_from"],
            notes=tuple(each["notes"]),
        )
    if not parts:
        raise ValueError(f"{folder} is not whole")
    return parts
