"""Curvature against loops over samples: gradients, the Fisher diagonal, influence unlearning."""

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from expunge.curvature.coordinates import Coordinates
from expunge.curvature.fisher import exact_fisher
from expunge.curvature.per_sample import per_sample_gradients
from expunge.data import as_samples
from expunge.methods.influence import InfluenceConfig, influence_unlearning
from expunge.models import ModelSpec, build
from expunge.scenarios import at_random, make_split
from expunge.types import Context
from timing import Figure, figure, ratios

CLASSES = 10
BATCH = 32


def figures(rounds: int) -> list[Figure]:
    return [_gradients(rounds), _fisher(rounds), _influence(min(rounds, 2))]


def _noise(count: int, size: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 3, size, size), generator=generator, dtype=torch.uint8)
    return images, torch.randint(0, CLASSES, (count,), generator=generator)


def _resnet20s() -> nn.Module:
    return build(ModelSpec(name="resnet20s", num_classes=CLASSES), seed=0).eval()


def _gradients(rounds: int) -> Figure:
    model = _resnet20s()
    pixels, labels = _noise(2 * BATCH, 32)
    images = pixels.float() / 255

    def ours() -> None:
        for part in range(0, len(images), BATCH):
            per_sample_gradients(model, images[part : part + BATCH], labels[part : part + BATCH])

    return figure(
        "per-sample gradients over a loop: resnet20s, 32x32",
        ratios(ours, lambda: _loop(model, images, labels), rounds),
        target=4.0,
    )


def _fisher(rounds: int) -> Figure:
    model = _resnet20s()
    pixels, labels = _noise(BATCH // 2, 32)
    images = pixels.float() / 255
    coordinates = Coordinates(model)
    parameters = list(model.parameters())

    def ours() -> None:
        exact_fisher(model, coordinates, lambda: iter([(images, labels)]))

    def loop() -> None:
        total = [torch.zeros_like(p) for p in parameters]
        for image in images:
            log_probabilities = model(image[None]).log_softmax(1)[0]
            for log_p in log_probabilities:
                weight = log_p.detach().exp()
                found = torch.autograd.grad(log_p, parameters, retain_graph=True)
                for into, gradient in zip(total, found, strict=True):
                    into.addcmul_(gradient, gradient * weight)

    return figure(
        "exact Fisher diagonal of 10 classes over a loop: resnet20s, 32x32",
        ratios(ours, loop, rounds),
        target=4.0,
    )


def _influence(rounds: int) -> Figure:
    """Both sides in full: the gradients of all samples, then the inverse of 1,000 of them."""
    pixels, labels = _noise(1100, 16)
    samples = as_samples((pixels, labels), name="noise")
    split = make_split(samples, at_random(0.05, seed=0))
    model = build(ModelSpec(name="resnet8", num_classes=CLASSES, width=0.5), seed=0).eval()
    context = Context(fabric=Fabric(accelerator="cpu", devices=1))
    config = InfluenceConfig(samples=1000)
    images = pixels.float() / 255

    def ours() -> None:
        influence_unlearning(model, split, config, context)

    def loop() -> None:
        forget, retain = len(split.forget), len(split.retain)
        vector = _total(model, images[split.forget], labels[split.forget]) / len(samples)
        kept = _total(model, images[split.retain], labels[split.retain])
        vector -= forget / (len(samples) * retain) * kept
        drawn = split.retain[: config.samples]
        gradients = _loop(model, images[drawn], labels[drawn])
        _recursion(gradients, vector, config.damping)

    return figure(
        "influence unlearning over the recursion sample by sample: 1,000 samples, resnet8, 16x16",
        ratios(ours, loop, rounds),
        target=5.0,
    )


def _loop(model: nn.Module, images: Tensor, labels: Tensor) -> list[Tensor]:
    parameters = list(model.parameters())
    found = []
    for image, label in zip(images, labels, strict=True):
        loss = F.cross_entropy(model(image[None]), label[None])
        gradients = torch.autograd.grad(loss, parameters)
        found.append(torch.cat([each.flatten() for each in gradients]))
    return found


def _total(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    parameters = list(model.parameters())
    total = torch.zeros(sum(p.numel() for p in parameters))
    for part, named in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        loss = F.cross_entropy(model(part), named, reduction="sum")
        gradients = torch.autograd.grad(loss, parameters)
        total += torch.cat([each.flatten() for each in gradients])
    return total


def _recursion(gradients: list[Tensor], vector: Tensor, damping: float) -> Tensor:
    """WoodFisher's, with each F_n⁻¹g_n made from the ones before."""
    count = len(gradients)
    steps = torch.empty((count, len(vector)))
    scales = torch.empty(count)
    found = vector / damping
    for n, g in enumerate(gradients):
        before = steps[:n]
        steps[n] = g / damping - (before @ g * scales[:n]) @ before
        scales[n] = 1 / (count + g @ steps[n])
        found = found - (g @ found) * scales[n] * steps[n]
    return found


if __name__ == "__main__":
    for item in figures(3):
        print(item)
