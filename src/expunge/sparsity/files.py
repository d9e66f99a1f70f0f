"""Save and load masks as safetensors files of bool tensors."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from expunge.atomic import replacing
from expunge.errors import CheckpointError, MaskError, some
from expunge.types import Mask


def save_mask(mask: Mask, path: str | os.PathLike[str]) -> None:
    """Write a mask as bool safetensors; an existing file is replaced atomically.

    Raises:
        CheckpointError: the file cannot be written.
        MaskError: an entry is not bool.
    """
    path = Path(path)
    _check_bool(mask, "the mask")
    entries = {
        name: entry.cpu().clone(memory_format=torch.contiguous_format)
        for name, entry in mask.items()
    }
    try:
        with replacing(path) as aside:
            save_file(entries, aside)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot write the mask to {path}: {error}") from error


def load_mask(path: str | os.PathLike[str]) -> Mask:
    """Read a mask, on the CPU. `check_mask` tells whether it belongs to a model.

    Raises:
        CheckpointError: the file is missing or corrupt.
        MaskError: the file holds something other than a mask.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"expected a mask in safetensors, but there is no file {path}")
    try:
        mask = load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path} is not a whole safetensors file: {error}") from error
    _check_bool(mask, str(path))
    return mask


def _check_bool(mask: Mask, origin: str) -> None:
    others = [
        f"{name} ({entry.dtype})" for name, entry in mask.items() if entry.dtype != torch.bool
    ]
    if others or not mask:
        raise MaskError(f"{origin} must hold only bool tensors, got {some(others) or 'nothing'}")
