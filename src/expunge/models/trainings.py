"""Default training settings by architecture."""

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
"""Those of Swin (Liu et al. 2021, section A2.1), whose learning rate of 1e-3 for batches of 1024 is
scaled to the batch size."""

PERCEPTRON = Training(epochs=100, batch_size=64, lr=0.05, schedule="cosine")
"""For hundreds to thousands of vectors, where the ResNet batch size would be half of the data."""

DIFFUSION = Training(
    optimizer="adamw",
    epochs=200,
    batch_size=64,
    lr=2e-3,
    weight_decay=1e-4,
    schedule="cosine",
    warmup_epochs=0.5,
)
"""For a diffusion model of thousands of small images; one of tens of thousands needs fewer passes
and a lower rate."""

TRAININGS: Mapping[str, Training] = {
    "mlp": PERCEPTRON,
    "swin_t": TRANSFORMER,
    "hf": TRANSFORMER,
    "timm": TRANSFORMER,
    "unet": DIFFUSION,
}
"""Settings that differ from `Training()`, by the name of a network or adapter. An adapter can bring
any architecture; AdamW with warm-up trains them all, but SGD at the ResNet's rate does not."""


def training_for(name: str) -> Training:
    """The default training settings of the network called `name`, as in `ModelSpec`.

    >>> training_for("resnet18").optimizer, training_for("hf:folder").optimizer
    ('sgd', 'adamw')
    """
    adapter, _, _ = name.partition(":")
    return TRAININGS.get(adapter, Training())
