"""Make images with a diffusion model."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from expunge.errors import DivergedError
from expunge.settings import Progress, silent
from expunge.tasks.generate import CONDITION, NOISY, STEP, Generate
from expunge.training.placement import at_work
from expunge.training.reproducibility import full_float32

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def sample_images(
    model: nn.Module,
    conditions: Tensor,
    shape: tuple[int, ...],
    generator: torch.Generator,
    fabric: "Fabric",
    *,
    task: Generate,
    steps: int = 25,
    batch_size: int | None = None,
    progress: Progress = silent,
) -> Tensor:
    """One image per class in `conditions`, int64 `(N,)`; uint8 `(N, *shape)` on the CPU.

    The noise that they start from is drawn for all at once by `generator`, on the CPU, so that
    every model gets the same. DDIM without further noise (Song, Meng and Ermon 2021, equation 12
    with sigma 0), in float32; estimates of the image are clipped to -1..1.

    Raises:
        DivergedError: a pixel is not finite.
    """
    scheduler = task.scheduler("DDIMScheduler", timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    noise = torch.randn((len(conditions), *shape), generator=generator)
    size = batch_size or (125 if fabric.device.type == "cpu" else 1000)
    made: list[Tensor] = []
    with at_work(model, fabric.device, training=False), full_float32(), torch.inference_mode():
        for start in range(0, len(conditions), size):
            images = noise[start : start + size].to(fabric.device)
            condition = conditions[start : start + size].to(fabric.device)
            for step in scheduler.timesteps.tolist():
                at = torch.full_like(condition, step)
                found = model({NOISY: images, STEP: at, CONDITION: condition})
                images = scheduler.step(found, step, images).prev_sample
            made.append(images.cpu())
            progress("sample", len(made), -(-len(conditions) // size), start + len(images))
    whole = torch.cat(made)
    broken = int((~whole.isfinite()).flatten(1).any(1).sum())
    if broken:
        raise DivergedError(f"{broken} of {len(whole)} images are not finite")
    return ((whole.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
