"""Which networks there are, and what planning has to know of them; nothing here loads PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

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
    """Processor threads that it is trained with, unless one says otherwise."""
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
    Network(name="hf", inputs=("images", "tokens"), maker="huggingface:layers"),
    Network(name="timm", maker="timm_adapter:layers"),
)
"""Networks of other libraries, by what precedes the colon of their names."""

OWN = Network(name="own", inputs=get_args(InputKind))
"""Networks of one's own, `package.module:callable`."""


def is_own(name: str) -> bool:
    """Whether this is a network of one's own, which normalises inputs itself if it wants to.

    >>> is_own("my_package:network"), is_own("hf:folder"), is_own("resnet8")
    (True, False, False)
    """
    adapter, colon, _ = name.partition(":")
    return bool(colon) and adapter not in ADAPTERS


def find_network(name: str) -> Network | None:
    """What is known of the network called `name`; None where there is none of that name.

    >>> find_network("hf:folder").inputs
    ('images', 'tokens')
    """
    if is_own(name):
        return OWN
    adapter, colon, _ = name.partition(":")
    return ADAPTERS[adapter] if colon else MODELS.get(name)
