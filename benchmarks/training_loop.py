"""The training loop against a bare forward, backward and step on one resident batch."""

import torch
from lightning_fabric import Fabric
from torch.nn import functional as F

from expunge.bench.workspace import precision_on
from expunge.data import as_samples
from expunge.models import ModelSpec, build
from expunge.training.fit import fit
from expunge.types import Context, Recipe
from timing import Figure, figure, ratios

BATCH = 256
STEPS = 4


def figures(rounds: int) -> list[Figure]:
    # Emulated, bf16 is ten times slower than float32, and nobody would train so.
    precisions = {"32-true", precision_on("cpu", "auto")}
    return [
        *(
            _loop(f"resnet20s, 32x32, {precision}", "resnet20s", (3, 32, 32), precision, rounds)
            for precision in sorted(precisions)
        ),
        _loop("resnet8, 8x8, float32", "resnet8", (1, 8, 8), "32-true", rounds, steps=40),
    ]


def _loop(
    name: str,
    network: str,
    shape: tuple[int, int, int],
    precision: str,
    rounds: int,
    steps: int = STEPS,
) -> Figure:
    generator = torch.Generator().manual_seed(0)
    count = BATCH * steps
    images = torch.randint(0, 256, (count, *shape), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 10, (count,), generator=generator)
    samples = as_samples((images, labels), name="noise")
    spec = ModelSpec(name=network, num_classes=10, in_channels=shape[0])
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    crop = {"crop_padding": 4, "flip": True} if shape[1] == 32 else {}
    recipe = Recipe(epochs=1, batch_size=BATCH, lr=1e-3, schedule="constant", **crop)
    context = Context(fabric=fabric, augmentation=recipe.augmentation)
    model = build(spec, seed=0)
    everything = torch.arange(count)

    bare = build(spec, seed=0).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        bare.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4, fused=True
    )
    pixels = (images[:BATCH].float() / 255).contiguous(memory_format=torch.channels_last)

    def ours() -> None:
        fit(model, samples, everything, recipe, context)

    def floor() -> None:
        bare.train()
        for _ in range(steps):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "bf16-mixed"):
                loss = F.cross_entropy(bare(pixels), labels[:BATCH])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return figure(
        f"training loop over the bare step: {name}",
        ratios(ours, floor, rounds),
        unit="of the bare step's images per second",
        floor=1.0,
        target=0.9,
    )
