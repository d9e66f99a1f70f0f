"""The networks that have a name, as planning sees them: versions, inputs and threads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class NetworkEntry:
    """A named network."""

    version: int = 1
    """Raised when its numbers change; part of the id of every model of it."""
    threads: int = 1
    """Threads of the processor that it is trained with, unless a recipe says otherwise. Sums are
    taken in another order with another number, so this does not depend on what is free."""


NETWORKS = {
    "resnet8": NetworkEntry(),
    "resnet18": NetworkEntry(threads=2),
    "resnet20s": NetworkEntry(),
    "resnet50": NetworkEntry(threads=2),
    "swin_t": NetworkEntry(threads=2),
    "vgg16_bn": NetworkEntry(threads=2),
}
"""Every network that has a name."""

OTHER = NetworkEntry(threads=2)
"""A network by adapter, or of one's own."""


def network_entry(name: str) -> NetworkEntry:
    """What planning knows of the network called `name`, as in `ModelSpec`."""
    return NETWORKS.get(name, OTHER)


ADAPTERS = ("hf", "timm")
"""What precedes the colon of a network of another library."""


def is_adapter(name: str) -> bool:
    """Whether this is a network of another library, by adapter."""
    adapter, colon, _ = name.partition(":")
    return bool(colon) and adapter in ADAPTERS


def is_own(name: str) -> bool:
    """Whether this is a network of one's own, which normalises inputs itself if it wants to."""
    return ":" in name and not is_adapter(name)
