"""What a classifier makes of images: its logits, and the features that they are computed from."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from expunge.errors import ModelError
from expunge.tasks import classify
from expunge.training.placement import at_work
from expunge.training.reproducibility import full_float32
from expunge.types import Inputs

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def judge_images(
    classifier: nn.Module, inputs: Inputs, fabric: "Fabric", batch_size: int = 500
) -> tuple[Tensor, Tensor]:
    """The logits `(N, classes)` and features `(N, D)` of all inputs; float32 on the CPU.

    Features are the inputs of the last linear layer.

    Raises:
        ModelError: the classifier has no linear layer.
    """
    layers = [module for module in classifier.modules() if isinstance(module, nn.Linear)]
    if not layers:
        raise ModelError(
            f"features are the inputs of the last linear layer, and {type(classifier).__name__} "
            "has none: choose another classifier"
        )
    caught: list[Tensor] = []
    logits: list[Tensor] = []
    hook = layers[-1].register_forward_pre_hook(
        lambda layer, given: caught.append(given[0].float().cpu())
    )
    batches = torch.split(torch.arange(len(inputs)), batch_size)
    try:
        with at_work(classifier, fabric.device, training=False), full_float32():
            for batch in inputs.to(fabric.device).batches(batches):
                with torch.inference_mode():
                    logits.append(classifier(classify.TASK.inputs(batch)).float().cpu())
    finally:
        hook.remove()
    return torch.cat(logits), torch.cat(caught)
