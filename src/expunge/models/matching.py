"""Match the names of the tensors in a file to those of a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

from expunge.errors import CheckpointError, some
from expunge.models.normalise import Normalise

NORMALISE = "normalise."
NETWORK = "network."
"""How the names begin of what `build` puts before and around a network from elsewhere."""

_OLD_NAMES = {
    ".gamma": ".weight",
    ".beta": ".bias",
    ".weight_g": ".parametrizations.weight.original0",
    ".weight_v": ".parametrizations.weight.original1",
}
"""Endings of names that libraries have changed since: layer normalisation, `weight_norm`."""


@dataclass(frozen=True)
class Matched:
    """A state with the names of the network."""

    state: dict[str, Tensor]
    notes: tuple[str, ...] = ()
    """What was changed or left out."""
    mask: dict[str, Tensor] = field(default_factory=dict)
    """The masks that were in the file, bool, by the network's names."""
    inner: bool = False
    """Whether the file has the names of the network inside its normalisation."""


def matched(state: Mapping[str, Tensor], model: nn.Module) -> Matched:
    """The tensors of `state` under the names that `model` has for them, as far as it has them.

    A beginning that all names share, such as `module.`, is removed if the network lacks it; names
    under other beginnings are left out, and said. `weight_orig` and `weight_mask` of
    `torch.nn.utils.prune` become one weight. Normalisation that `build` put before the network may
    be missing, and so may all but one of several tied weights.

    Raises:
        CheckpointError: the names fit in several ways, a mask does not fit its weight, or tied
            weights have several values.
    """
    wanted = model.state_dict(keep_vars=True)
    folded, masks = _folded(state, wanted)
    spaces = [{name: name for name in wanted}]
    if inside := inner_names(model):
        spaces.append(inside)
    best, prefix, space = max(
        (
            (_overlap(folded, prefix, space), prefix, space)
            for space in spaces
            for prefix in _prefixes(folded, space)
        ),
        # All names first: a network without its normalisation has fewer.
        key=lambda each: (each[0] == len(each[2]), each[0], -len(each[1])),
    )
    notes = []
    if prefix and best == len(space):
        _check_alone(folded, prefix, space, state)
    full = {
        space.get(_modern(name.removeprefix(prefix), space), name.removeprefix(prefix)): tensor
        for name, tensor in folded.items()
        if name.startswith(prefix)
    }
    if prefix:
        notes.append(f"{prefix!r}, with which the names in the file begin, was removed")
        if rest := [name for name in folded if not name.startswith(prefix)]:
            notes.append(f"not used, because the network has no such names: {some(rest)}")
    inner = space is not spaces[0] and best > 0
    if inner:
        for name, tensor in wanted.items():
            if name.startswith(NORMALISE):
                full.setdefault(name, tensor.detach())
    _fill_ties(full, wanted)
    kept = {
        space.get(name.removeprefix(prefix), name.removeprefix(prefix)): mask
        for name, mask in masks.items()
        if name.startswith(prefix)
    }
    if kept:
        notes.append(f"the masks in the file were applied to {some(kept, 5)}")
    return Matched(full, tuple(notes), kept, inner)


def inner_names(model: nn.Module) -> dict[str, str]:
    """The names of a network's tensors without the normalisation: each with its full name.

    Empty if nothing was put before or around the network.
    """
    children = dict(model.named_children())
    if isinstance(children.get("normalise"), Normalise):
        names = [name for name in model.state_dict() if not name.startswith(NORMALISE)]
    elif list(children) == ["network"]:
        names = list(model.state_dict())
    else:
        return {}
    return {name.removeprefix(NETWORK): name for name in names}


def _folded(
    state: Mapping[str, Tensor], wanted: Mapping[str, object]
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The state with every `NAME_orig` and `NAME_mask` as one `NAME`, and the masks by name."""
    if any(name.endswith("_orig") for name in wanted):
        return dict(state), {}  # the network is under `torch.nn.utils.prune` itself
    folded, masks = dict(state), {}
    for name in state:
        stem = name.removesuffix("_orig")
        mask = state.get(f"{stem}_mask")
        if stem == name or mask is None:
            continue
        weight = folded.pop(name)
        del folded[f"{stem}_mask"]
        if mask.shape != weight.shape or not bool(((mask == 0) | (mask == 1)).all()):
            raise CheckpointError(
                f"{stem}_mask must be 0 or 1 for each value of {name}, of shape "
                f"{tuple(weight.shape)}: got {mask.dtype} of shape {tuple(mask.shape)}"
            )
        folded[stem] = weight * mask.to(weight.dtype)
        masks[stem] = mask.bool()
    return folded, masks


def _prefixes(state: Mapping[str, Tensor], space: Mapping[str, str]) -> list[str]:
    """The beginnings that may stand before the network's names in the file."""
    found = {""}
    for wanted in space:
        for name in state:
            if name.endswith(f".{wanted}"):
                found.add(name.removesuffix(wanted))
        if len(found) > 1:
            break
    return sorted(found, key=len)


def _overlap(state: Mapping[str, Tensor], prefix: str, space: Mapping[str, str]) -> int:
    """How many of the network's names are in the file after `prefix`."""
    return sum(
        _modern(name.removeprefix(prefix), space) in space
        for name in state
        if name.startswith(prefix)
    )


def _modern(name: str, space: Mapping[str, str]) -> str:
    """The network's name for a tensor that older versions of a library called `name`."""
    if name not in space:
        for old, new in _OLD_NAMES.items():
            if name.endswith(old) and name.removesuffix(old) + new in space:
                return name.removesuffix(old) + new
    return name


def _check_alone(
    state: Mapping[str, Tensor],
    chosen: str,
    space: Mapping[str, str],
    given: Mapping[str, Tensor],
) -> None:
    """Refuse a file in which the whole network stands under several names."""
    others = [
        prefix
        for prefix in _prefixes(state, space)
        if prefix != chosen and _overlap(state, prefix, space) == len(space)
    ]
    if others:
        parts = sorted(part.rstrip(".") for part in (chosen, *others) if part)
        raise CheckpointError(
            f"the file holds this network {len(parts)} times among its {len(given)} tensors, under "
            f"{', '.join(parts)}: choose one with --weights-key"
        )


def _fill_ties(state: dict[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Give every name of a tied weight its value; files keep it under one name or under all."""
    groups: dict[int, list[str]] = {}
    for name, tensor in wanted.items():
        groups.setdefault(id(tensor), []).append(name)
    for names in groups.values():
        there = [name for name in names if name in state]
        if len(names) == 1 or not there:
            continue
        first = state[there[0]]
        others = [
            name
            for name in there[1:]
            if state[name].shape != first.shape or not bool((state[name] == first).all())
        ]
        if others:
            raise CheckpointError(
                f"{some((there[0], *others))} are one weight in the network, and the file holds "
                "different values: expected the same value under every name"
            )
        for name in names:
            state.setdefault(name, first)
