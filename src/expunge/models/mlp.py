"""A multilayer perceptron, for vectors."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from expunge.models.spec import scaled


def mlp(num_classes: int, *, features: int, width: float = 1.0) -> nn.Sequential:
    """Two hidden layers of 128 units times `width`, each with batch norm and ReLU, and a head.

    Vectors are `(B, features)`; logits are `(B, num_classes)`. Initialised by PyTorch's defaults.
    """
    hidden = scaled(128, width)
    return nn.Sequential(
        OrderedDict(
            linear1=nn.Linear(features, hidden, bias=False),
            norm1=nn.BatchNorm1d(hidden),
            relu1=nn.ReLU(),
            linear2=nn.Linear(hidden, hidden, bias=False),
            norm2=nn.BatchNorm1d(hidden),
            relu2=nn.ReLU(),
            fc=nn.Linear(hidden, num_classes),
        )
    )
