"""Save weights as safetensors, and load them strictly, without running code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from expunge.atomic import replacing
from expunge.errors import CheckpointError, some
from expunge.models.declared_size import check_file

_WRAPPERS = ("module.", "_orig_mod.")
"""Prefixes that data parallelism and torch.compile add to every key."""


def save_weights(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write parameters and buffers as safetensors; an existing file is replaced atomically.

    Raises:
        CheckpointError: the file cannot be written.
    """
    path = Path(path)
    # Copies: safetensors refuses tensors that share memory, such as tied weights.
    state = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
    }
    try:
        with replacing(path) as aside:
            save_file(state, aside)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot write weights to {path}: {error}") from error


def load_weights(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Load the weights in a file that `read_tensors` supports into `model`.

    The key prefixes of data parallelism and `torch.compile` are removed.

    Raises:
        CheckpointError: the file cannot be read, or does not belong to this network.
    """
    load_state(model, _unwrapped(read_tensors(path), model), str(path))


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
    """Named tensors on the CPU from a `.safetensors`, `.pt`, `.pth` or `.pth.tar` file.

    A PyTorch file holds a state dict, alone or under `state_dict` or `model`, and is read without
    running code from it.

    Raises:
        CheckpointError: the file is missing, corrupt, or holds anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"expected a weights file, but there is no file {path}")
    if path.name.endswith(".safetensors"):
        try:
            return load_file(path)
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise CheckpointError(f"{path} is not a whole safetensors file: {error}") from error
    if path.name.endswith((".pt", ".pth", ".pth.tar")):
        check_file(path)
        return _state_dict(_read_pytorch(path), path)
    raise CheckpointError(f"expected a .safetensors, .pt, .pth or .pth.tar file, got {path}")


def _read_pytorch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a corrupt pickle can fail in any way
        raise CheckpointError(
            f"{path} is refused: expected only tensors, but it is corrupt or holds other objects "
            f"({type(error).__name__}); save a plain state dict, or safetensors"
        ) from error


def _state_dict(payload: object, path: Path) -> dict[str, Tensor]:
    if isinstance(payload, Mapping):
        for key in ("state_dict", "model"):
            if isinstance(payload.get(key), Mapping):
                payload = payload[key]
                break
    if not isinstance(payload, Mapping):
        raise CheckpointError(f"{path} must hold a state dict, got {type(payload).__name__}")
    strays = [
        f"{name} ({type(value).__name__})"
        for name, value in payload.items()
        if not (isinstance(name, str) and isinstance(value, Tensor) and _is_plain(value))
    ]
    if strays:
        raise CheckpointError(
            f"{path} must hold only named, dense tensors, but also has {some(strays)}"
        )
    return dict(payload)


def _unwrapped(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    wanted = model.state_dict().keys()
    while state and not (state.keys() & wanted):
        prefix = next((each for each in _WRAPPERS if all(n.startswith(each) for n in state)), None)
        if prefix is None:
            break
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def _fits(given: Tensor, expected: Tensor) -> bool:
    return (
        given.shape == expected.shape and given.is_floating_point() == expected.is_floating_point()
    )


def _is_plain(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_quantized


def _form(tensor: Tensor) -> str:
    kind = str(tensor.dtype).removeprefix("torch.")
    return f"{kind} {tuple(tensor.shape)}"
