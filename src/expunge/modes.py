"""Training and evaluation mode of a network, without undoing what its owner chose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def mode(model: nn.Module, *, training: bool) -> Iterator[None]:
    """Put `model` in training or evaluation mode; restore every module's mode on exit.

    Modules that are `kept_in_evaluation` stay in evaluation mode.
    """
    before = modes_of(model)
    kept = kept_in_evaluation(model) if training else set()
    model.train(training)
    for module in kept:
        module.training = False
    try:
        yield
    finally:
        for module, was in before.items():
            module.training = was


def modes_of(model: nn.Module) -> dict[nn.Module, bool]:
    """Whether each module is in training mode."""
    return {module: module.training for module in model.modules()}


def kept_in_evaluation(model: nn.Module) -> set[nn.Module]:
    """The modules that are not to be trained, such as frozen batch normalisation.

    In a model in training mode, they are those that its owner put in evaluation mode. The mode of
    a model that was put in evaluation mode as a whole says nothing of its parts: then they are
    those whose parameters are all frozen, and what is in them.
    """
    if model.training:
        return {module for module in model.modules() if not module.training}
    return {
        inner
        for module in model.modules()
        if _is_frozen(module) and not module.training
        for inner in module.modules()
    }


def names_kept_in_evaluation(model: nn.Module) -> set[str]:
    """The names of the modules that are `kept_in_evaluation`."""
    kept = kept_in_evaluation(model)
    return {name for name, module in model.named_modules() if module in kept}


def _is_frozen(module: nn.Module) -> bool:
    parameters = list(module.parameters())
    return bool(parameters) and not any(each.requires_grad for each in parameters)
