"""Run a network with other tensors in place of its parameters."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.func import functional_call

from expunge.batch import Batch


def call_with(model: nn.Module, parameters: Mapping[str, Tensor], batch: Batch) -> Tensor:
    """The outputs of `model` for `batch` with `parameters` by name; the model is left as it was.

    `functional_call` alone leaves another tensor in a module that the network holds twice, and in a
    buffer that the network replaces, which may be a tensor of `vmap`.
    """
    own = [(module, dict(module._parameters), dict(module._buffers)) for module in model.modules()]
    try:
        outputs: Tensor = functional_call(model, dict(parameters), (batch,))
    finally:
        for module, held, buffers in own:
            module._parameters.update(held)
            module._buffers.update(buffers)
    return outputs
