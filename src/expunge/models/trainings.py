"""How a network is trained unless one says otherwise: data, by architecture."""

from __future__ import annotations

from collections.abc import Mapping

from expunge.settings import Training

TRANSFORMER = Training(
    optimizer="adamw",
    epochs=300,
    batch_size=256,
    lr=2.5e-4,
    weight_decay=0.05,
    schedule="cosine",
    warmup_epochs=20,
)
"""Swin's (Liu et al. 2021, section A2.1): the learning rate is 1e-3 for batches of 1024, here in
proportion to the batch."""

PERCEPTRON = Training(epochs=100, batch_size=64, lr=0.05, schedule="cosine")
"""For some hundreds to thousands of vectors, where the ResNet's batch is half of the data."""

TRAININGS: Mapping[str, Training] = {
    "mlp": PERCEPTRON,
    "swin_t": TRANSFORMER,
    "hf": TRANSFORMER,
    "timm": TRANSFORMER,
}
"""What differs from `Training()`, by the name of a network or of an adapter. An adapter can bring
any architecture; AdamW with a warm-up trains them all, SGD at the ResNet's rate does not."""


def training_for(name: str) -> Training:
    """The training of the network called `name`, as in `ModelSpec`.

    >>> training_for("resnet18").optimizer, training_for("hf:folder").optimizer
    ('sgd', 'adamw')
    """
    adapter, _, _ = name.partition(":")
    return TRAININGS.get(adapter, Training())
