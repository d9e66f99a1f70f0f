"""The layer that makes the logits, found by what the network does and not by shapes."""

from __future__ import annotations

from torch import Tensor, nn

from expunge.errors import ModelError
from expunge.models.probe import probe


def head(model: nn.Module, image_shape: tuple[int, int, int]) -> tuple[str, nn.Module]:
    """The name of the classification layer in `model`, and the layer.

    Two blank images `(C, H, W)` are run in evaluation mode. The head is the linear layer or 1x1
    convolution whose output is the logits themselves (same memory, whatever its view); else, where
    something without weights follows (a global pool, a temperature), the last one that ran.

    Raises:
        ModelError: there is none, or the last one does not have one output for each logit.
    """
    # Outputs are kept: freed memory could be given to the logits, and be taken for them.
    ran: list[tuple[str, nn.Module, Tensor]] = []
    hooks = [
        module.register_forward_hook(lambda m, _, output, name=name: ran.append((name, m, output)))
        for name, module in model.named_modules()
        if _may_be_head(module)
    ]
    try:
        logits = probe(model, image_shape)
    finally:
        for hook in hooks:
            hook.remove()
    if not isinstance(logits, Tensor):
        raise ModelError(
            f"expected a network that returns logits, got {type(logits).__name__}: "
            "wrap it so that it returns the logits alone"
        )
    for name, module, output in ran:
        if _memory(output) == _memory(logits):
            return name, module
    if ran and _outputs(ran[-1][1]) == logits.shape[-1]:
        return ran[-1][:2]
    found = f"{ran[-1][0]!r} with {_outputs(ran[-1][1])} outputs" if ran else "none"
    raise ModelError(
        f"expected a last linear layer or 1x1 convolution with {logits.shape[-1]} outputs, "
        f"one for each logit, got {found}"
    )


def _may_be_head(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d):
        return module.kernel_size == (1, 1)
    return isinstance(module, nn.Linear)


def _outputs(module: nn.Module) -> int:
    return module.out_channels if isinstance(module, nn.Conv2d) else int(module.out_features)  # type: ignore[arg-type]


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
