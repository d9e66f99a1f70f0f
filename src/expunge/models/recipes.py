"""How a network is trained unless one says otherwise: data, by architecture."""

from __future__ import annotations

from collections.abc import Mapping

from expunge.settings import Recipe

TRANSFORMER = Recipe(
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

PERCEPTRON = Recipe(epochs=100, batch_size=64, lr=0.05, schedule="cosine")
"""For some hundreds to thousands of vectors, where the ResNet's batch is half of the data."""

RECIPES: Mapping[str, Recipe] = {
    "mlp": PERCEPTRON,
    "swin_t": TRANSFORMER,
    "hf": TRANSFORMER,
    "timm": TRANSFORMER,
}
"""What differs from `Recipe()`, by the name of a network or of an adapter. An adapter can bring
any architecture; AdamW with a warm-up trains them all, SGD at the ResNet's rate does not."""


def recipe_for(name: str) -> Recipe:
    """The recipe of the network called `name`, as in `ModelSpec`.

    >>> recipe_for("resnet18").optimizer, recipe_for("hf:folder").optimizer
    ('sgd', 'adamw')
    """
    adapter, _, _ = name.partition(":")
    return RECIPES.get(adapter, Recipe())
