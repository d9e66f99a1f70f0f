"""Initialise the weights of a network."""

from __future__ import annotations

from torch import nn


def initialise(network: nn.Module) -> None:
    """Kaiming-normal convolutions by fan-out (He 2015), batch norm at identity, zero conv biases.

    Linear layers keep PyTorch's default. Draws from PyTorch's global generator; `build`
    restores its state.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
