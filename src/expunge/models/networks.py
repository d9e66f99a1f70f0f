"""Which networks there are, and what planning has to know of them; nothing here loads PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from expunge.errors import ModelError, unknown
from expunge.settings import InputKind


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network that has a name, or all networks that an adapter brings."""

    name: str
    """As in `ModelSpec`; of an adapter, what precedes the colon."""
    version: int = 1
    """Raised when what is built under this name changes; part of the id of every model of it."""
    inputs: tuple[InputKind, ...] = ("images",)
    """The kinds of inputs that it takes."""
    threads: int = 1
    """Threads of the processor that it is trained with, unless a recipe says otherwise. Sums are
    taken in another order with another number, so this does not depend on what is free."""
    maker: str = ""
    """`module:function` in `expunge.models` that makes it."""


def _by_name(*networks: Network) -> dict[str, Network]:
    return {network.name: network for network in networks}


MODELS: Mapping[str, Network] = _by_name(
    Network(name="mlp", inputs=("vectors",), maker="mlp:mlp"),
    Network(name="resnet8", maker="resnet:resnet8"),
    Network(name="resnet18", threads=2, maker="resnet:resnet18"),
    Network(name="resnet20s", maker="resnet:resnet20s"),
    Network(name="resnet50", threads=2, maker="resnet:resnet50"),
    Network(name="swin_t", threads=2, maker="swin:swin_t"),
    Network(name="vgg16_bn", threads=2, maker="vgg:vgg16_bn"),
)
"""Every network that has a name."""

ADAPTERS: Mapping[str, Network] = _by_name(
    Network(name="hf", inputs=("images", "tokens"), threads=2, maker="huggingface:layers"),
    Network(name="timm", threads=2, maker="timm_adapter:layers"),
)
"""Networks of other libraries, by what precedes the colon of their names."""

OWN = Network(name="own", inputs=get_args(InputKind), threads=2)
"""Networks of one's own, `package.module:callable`."""


def is_own(name: str) -> bool:
    """Whether this is a network of one's own, which normalises inputs itself if it wants to.

    >>> is_own("my_package:network"), is_own("hf:folder"), is_own("resnet8")
    (True, False, False)
    """
    adapter, colon, _ = name.partition(":")
    return bool(colon) and adapter not in ADAPTERS


def find_network(name: str) -> Network:
    """What is known of the network called `name`.

    Raises:
        ModelError: there is none of that name.

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
    """Refuse a network that does not take inputs of that kind.

    Raises:
        ModelError: that, or there is no network of that name.
    """
    network = find_network(name)
    if kind not in network.inputs:
        others = {**MODELS, **{f"{each}:NAME": found for each, found in ADAPTERS.items()}}
        fitting = [other for other, found in others.items() if kind in found.inputs]
        raise ModelError(
            f"{name!r} takes {' or '.join(network.inputs)}, and the data are {kind}: use "
            f"{', '.join(fitting)} or package.module:callable"
        )
