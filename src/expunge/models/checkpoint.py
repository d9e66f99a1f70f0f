"""Read checkpoints: find the weights among what training frameworks save beside them."""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from expunge.errors import CheckpointError, some
from expunge.models.declared_size import check_file
from expunge.models.tensors import oddity

SUFFIXES = (".safetensors", ".pt", ".pth", ".pth.tar", ".ckpt", ".bin")
"""Of the files that can be read; all but the first are PyTorch's."""

CONTAINERS = (
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "network",
    "module",
    "params",
    "weights",
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "ema",
    "params_ema",
)
"""Names that frameworks save weights under, in the order in which they are preferred. Averages of
the weights come last: training went on from the others."""


@dataclass(frozen=True)
class Checkpoint:
    """The weights in a file."""

    state: dict[str, Tensor]
    notes: tuple[str, ...] = ()
    """What else the file holds, and which of it was taken."""


def read_checkpoint(path: str | os.PathLike[str], key: str | None = None) -> Checkpoint:
    """The named tensors of a file, on the CPU; its suffix is one of `SUFFIXES`.

    A PyTorch file holds a state dict, alone or in a dict under one of `CONTAINERS`, and is read
    without running code from it. `key` names the entry to take, or the first part of the tensors'
    names, in a file with several networks.

    Raises:
        CheckpointError: the file is missing, corrupt, or holds anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"expected a weights file, but there is no file {path}")
    if path.name.endswith(".safetensors"):
        try:
            found = Checkpoint(load_file(path))
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise CheckpointError(f"{path} is not a whole safetensors file: {error}") from error
        return found if key is None else _part(found, key, path)
    if path.name.endswith(SUFFIXES):
        check_file(path)
        try:
            return _weights_in(_read_pytorch(path), path, key)
        except RecursionError:
            raise CheckpointError(f"{path} is refused: a dict in it holds itself") from None
    raise CheckpointError(
        f"expected a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file, got {path}"
    )


def _read_pytorch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        if named is not None:
            raise CheckpointError(
                f"{path} is refused: it holds an object of {named[1]}, and expected are only "
                "tensors and plain values, because others can run code (UnpicklingError): save "
                "the weights alone, torch.save(model.state_dict(), FILE)"
            ) from error
        raise _refused(path, error) from error
    except Exception as error:  # a corrupt pickle can fail in any way
        raise _refused(path, error) from error


def _refused(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{path} is refused: expected only tensors, but it is corrupt or holds other objects "
        f"({type(error).__name__}); save a plain state dict, or safetensors"
    )


def _weights_in(payload: object, path: Path, key: str | None) -> Checkpoint:
    """The weights in what a PyTorch file holds."""
    if not isinstance(payload, Mapping):
        raise CheckpointError(f"{path} must hold a state dict, got {type(payload).__name__}")
    inside = [name for name, value in payload.items() if _holds_tensors(value)]
    if key is not None and key not in inside:
        return _part(_weights_in(payload, path, None), key, path)
    if key is not None:
        chosen = key
    elif not inside:
        return Checkpoint(_plain(payload, path))
    elif known := [name for name in CONTAINERS if name in inside]:
        chosen = known[0]
    elif len(inside) == 1:
        chosen = inside[0]
    else:
        raise CheckpointError(
            f"{path} holds several sets of weights ({some(inside)}): name one with --weights-key"
        )
    notes = [f"the weights are those under {chosen!r} in {path.name}"]
    if others := [name for name in inside if name != chosen]:
        notes[0] += f"; it also holds {some(others)}, which --weights-key chooses"
    if rest := [name for name in payload if name not in inside]:
        notes.append(f"not used from {path.name}: {some(rest)}")
    # Containers nest: an average of weights is often kept as {"module": state}.
    found = _weights_in(payload[chosen], path, None)
    return Checkpoint(found.state, (*notes, *found.notes))


def _holds_tensors(value: object) -> bool:
    """Whether this is a dict of tensors by name, or a dict of one. An optimiser's state is not."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        return False
    return any(
        isinstance(each, Tensor) or (name in CONTAINERS and _holds_tensors(each))
        for name, each in value.items()
    )


def _part(whole: Checkpoint, key: str, path: Path) -> Checkpoint:
    """The tensors whose names begin with `key` and a dot."""
    prefix = f"{key}."
    state = {
        name.removeprefix(prefix): tensor
        for name, tensor in whole.state.items()
        if name.startswith(prefix)
    }
    if not state:
        known = dict.fromkeys(name.partition(".")[0] for name in whole.state)
        raise CheckpointError(
            "; ".join(
                (f"{path} holds no weights under {key!r}: it has {some(known)}", *whole.notes)
            )
        )
    rest = [name for name in whole.state if not name.startswith(prefix)]
    notes = (f"not used from {path.name}: {some(rest)}",) if rest else ()
    return Checkpoint(state, (*whole.notes, *notes))


def _plain(payload: Mapping[object, object], path: Path) -> dict[str, Tensor]:
    """A state dict, if it is nothing else."""
    state: dict[str, Tensor] = {}
    strays = []
    for name, value in payload.items():
        odd = oddity(value) if isinstance(value, Tensor) else type(value).__name__
        if isinstance(name, str) and isinstance(value, Tensor) and odd is None:
            state[name] = value
        else:
            strays.append(f"{name} ({odd or 'not a name'})")
    if strays:
        raise CheckpointError(
            f"{path} must hold only named, dense tensors, but also has {some(strays)}"
        )
    return state
