"""Save weights as safetensors, and load them strictly, without running code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor, nn

from expunge.atomic import replacing
from expunge.errors import CheckpointError, some
from expunge.models.checkpoint import read_checkpoint
from expunge.models.matching import inner_names, matched


def save_weights(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write parameters and buffers as safetensors; an existing file is replaced atomically.

    Raises:
        CheckpointError: the file cannot be written.
    """
    _save(model.state_dict(), Path(path))


def save_inner_weights(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Like `save_weights`, with the names of the network inside its normalisation, without that.

    Raises:
        CheckpointError: the file cannot be written.
    """
    state = model.state_dict()
    _save({inner: state[name] for inner, name in inner_names(model).items()}, Path(path))


def _save(state: Mapping[str, Tensor], path: Path) -> None:
    # Copies: safetensors refuses tensors that share memory, such as tied weights.
    copies = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in state.items()
    }
    try:
        with replacing(path) as aside:
            save_file(copies, aside)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot write weights to {path}: {error}") from error


@dataclass(frozen=True)
class Loaded:
    """What was noticed in loading weights from elsewhere."""

    notes: tuple[str, ...] = ()
    """What was chosen, changed or left out."""
    mask: Mapping[str, Tensor] = field(default_factory=dict)
    """The masks in the file, bool, by parameter name."""
    inner: bool = False
    """Whether the file has the names of the network inside its normalisation."""


def load_weights(model: nn.Module, path: str | os.PathLike[str], key: str | None = None) -> Loaded:
    """Load the weights in a file that `read_checkpoint` supports into `model`.

    Names are matched as in `matched`. `key` chooses among several sets of weights.

    Raises:
        CheckpointError: the file cannot be read, or does not belong to this network.
    """
    found = read_checkpoint(path, key)
    fitting = matched(found.state, model)
    load_state(model, fitting.state, str(path))
    return Loaded((*found.notes, *fitting.notes), fitting.mask, fitting.inner)


def load_state(model: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Load `state`, which must match `model` exactly; `origin` is for messages.

    Raises:
        CheckpointError: tensors are missing, unexpected, not finite, or of another shape or kind.
            The model is then unchanged.
    """
    expected = model.state_dict()
    faults = []
    if missing := [name for name in expected if name not in state]:
        faults.append(f"missing {some(missing)}")
    if unexpected := [name for name in state if name not in expected]:
        faults.append(f"unexpected {some(unexpected)}")
    both = [name for name in expected if name in state]
    if misfits := [
        f"{name} (expected {_form(expected[name])}, got {_form(state[name])})"
        for name in both
        if not _fits(state[name], expected[name])
    ]:
        faults.append(f"not fitting {some(misfits)}")
    if faults:
        raise CheckpointError(
            f"{origin} holds the weights of another network "
            f"(expected {len(expected)} tensors, got {len(state)}): {'; '.join(faults)}"
        )
    # In the network's dtype: a float64 can be finite but too large for float32.
    if broken := [
        name for name in both if not bool(state[name].to(expected[name].dtype).isfinite().all())
    ]:
        raise CheckpointError(
            f"{origin} holds values that are not finite (expected none) in {some(broken)}"
        )
    model.load_state_dict(dict(state), strict=True)


def read_tensors(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """The named tensors of a file, on the CPU, as `read_checkpoint` finds them.

    Raises:
        CheckpointError: the file is missing, corrupt, or holds anything else.
    """
    return read_checkpoint(path).state


def _fits(given: Tensor, expected: Tensor) -> bool:
    return (
        given.shape == expected.shape and given.is_floating_point() == expected.is_floating_point()
    )


def _form(tensor: Tensor) -> str:
    kind = str(tensor.dtype).removeprefix("torch.")
    return f"{kind} {tuple(tensor.shape)}"
