"""The registry of networks, with what planning needs; nothing here imports PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from expunge.errors import ModelError, unknown
from expunge.settings import InputKind


@dataclass(frozen=True, kw_only=True)
class Network:
    """A named network, or all networks of an adapter."""

    name: str
    """As in `ModelSpec`; for an adapter, the part before the colon."""
    version: int = 1
    """Increased when the network of this name changes; part of the id of all its models."""
    inputs: tuple[InputKind, ...] = ("images",)
    """The kinds of inputs that it takes."""
    threads: int = 1
    """CPU threads for training, unless a recipe sets another number. They change the order of sums,
    so the number does not depend on which cores are free."""
    maker: str = ""
    """`module:function` in `expunge.models` that builds it."""
    task: str = "classify"
    """The task that it is for."""
    whole: bool = False
    """Whether its maker takes the whole spec, and its inputs come as the task gives them: no layer
    in front of it normalises them."""


def _by_name(*networks: Network) -> dict[str, Network]:
    return {network.name: network for network in networks}


MODELS: Mapping[str, Network] = _by_name(
    Network(name="mlp", inputs=("vectors",), maker="mlp:mlp"),
    Network(name="resnet8", maker="resnet:resnet8"),
    Network(name="resnet18", threads=2, maker="resnet:resnet18"),
    Network(name="resnet20s", maker="resnet:resnet20s"),
    Network(name="resnet50", threads=2, maker="resnet:resnet50"),
    Network(name="swin_t", threads=2, maker="swin:swin_t"),
    Network(name="unet", maker="unet:unet", task="generate", whole=True),
    Network(name="vgg16_bn", threads=2, maker="vgg:vgg16_bn"),
)
"""All named networks."""

ADAPTERS: Mapping[str, Network] = _by_name(
    Network(name="hf", inputs=("images", "tokens"), threads=2, maker="huggingface:layers"),
    Network(name="timm", threads=2, maker="timm_adapter:layers"),
)
"""Networks of other libraries, by the part of their names before the colon."""

OWN = Network(name="own", inputs=get_args(InputKind), threads=2)
"""Custom networks, `package.module:callable`."""


def is_own(name: str) -> bool:
    """Whether this is a custom network, which does its own normalisation, if any.

    >>> is_own("my_package:network"), is_own("hf:folder"), is_own("resnet8")
    (True, False, False)
    """
    adapter, colon, _ = name.partition(":")
    return bool(colon) and adapter not in ADAPTERS


def task_of(name: str, given: str | None = None) -> str:
    """The task of the network called `name`: that of its entry, for a custom network the one given.

    Raises:
        ModelError: the name is unknown.

    >>> task_of("resnet8"), task_of("my_package:network", "generate")
    ('classify', 'generate')
    """
    own = find_network(name).task
    return given if given is not None and is_own(name) else own


def takes_raw(name: str) -> bool:
    """Whether nothing in front of the network normalises its inputs, unless asked to.

    >>> takes_raw("my_package:network"), takes_raw("unet"), takes_raw("resnet8")
    (True, True, False)
    """
    return is_own(name) or (":" not in name and name in MODELS and MODELS[name].whole)


def find_network(name: str) -> Network:
    """The registry entry of the network called `name`.

    Raises:
        ModelError: the name is unknown.

    >>> find_network("hf:folder").inputs
    ('images', 'tokens')
    """
    if is_own(name):
        return OWN
    adapter, colon, _ = name.partition(":")
    found = ADAPTERS[adapter] if colon else MODELS.get(name)
    if found is None:
        raise ModelError(
            unknown("model", name, MODELS)
            + "; or give package.module:callable, hf:FOLDER or timm:NAME"
        )
    return found


def check_pairing(name: str, kind: InputKind) -> None:
    """Refuse a network that does not take inputs of this kind.

    Raises:
        ModelError: the network does not take such inputs, or the name is unknown.
    """
    network = find_network(name)
    if kind not in network.inputs:
        others = {**MODELS, **{f"{each}:NAME": found for each, found in ADAPTERS.items()}}
        fitting = [
            other
            for other, found in others.items()
            if kind in found.inputs and found.task == network.task
        ]
        raise ModelError(
            f"{name!r} takes {' or '.join(network.inputs)}, and the data are {kind}: use "
            f"{', '.join((*fitting, 'package.module:callable'))}"
        )
