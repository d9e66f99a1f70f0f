"""Curvature against loops over samples: gradients, the Fisher diagonal, influence unlearning."""

from statistics import median

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import floors
from benchmarks.timing import Figure, figure, in_turn, over
from benchmarks.workload import CLASSES, Workload
from expunge.curvature.coordinates import Coordinates
from expunge.curvature.fisher import batch_mean_fisher, exact_fisher, signed_fisher
from expunge.curvature.per_sample import Network
from expunge.methods.influence import InfluenceConfig, influence_unlearning
from expunge.scenarios import at_random, make_split
from expunge.tasks.classify import TASK
from expunge.types import Context

RESNET20S = Workload("resnet20s", (3, 32, 32), 32)
RESNET8 = Workload("resnet8", (3, 16, 16), 64, width=0.5)


def figures(
    rounds: int,
    work: Workload = RESNET20S,
    small: Workload = RESNET8,
    drawn: int = 1000,
    long_rounds: int = 2,
) -> list[Figure]:
    return [
        _gradients(work, rounds),
        _fisher(work, rounds),
        *_published_fisher(work, rounds),
        *_published_fisher(small, rounds),
        _influence(small, drawn, min(rounds, long_rounds)),
    ]


def _gradients(work: Workload, rounds: int) -> Figure:
    model = work.build().eval()
    pixels, labels = work.tensors(2 * work.batch)
    images = pixels.float() / 255

    def ours() -> None:
        # A network is checked once, whatever the number of batches.
        network = Network(model, [name for name, _ in model.named_parameters()], images)
        for part, named in zip(images.split(work.batch), labels.split(work.batch), strict=True):
            done = network.run(part)
            for _ in done.gradients(TASK.cotangents(done.logits, named)[:, None]):
                pass

    times = in_turn({"ours": ours, "loop": lambda: _loop(model, images, labels)}, rounds)
    return figure(
        f"per-sample gradients over a loop: {work.name}",
        over(times["loop"], times["ours"]),
        floor=median(times["loop"]) / floors.step_seconds(work, len(images)),
        target=4.0,
    )


def _fisher(work: Workload, rounds: int) -> Figure:
    model = work.build().eval()
    pixels, labels = work.tensors(max(2, work.batch // 2))
    images = pixels.float() / 255
    coordinates = Coordinates(model)
    parameters = list(model.parameters())

    def ours() -> None:
        exact_fisher(model, coordinates, lambda: iter([(images, labels)]), TASK)

    def loop() -> None:
        total = [torch.zeros_like(p) for p in parameters]
        for image in images:
            log_probabilities = model(image[None]).log_softmax(1)[0]
            for log_p in log_probabilities:
                weight = log_p.detach().exp()
                found = torch.autograd.grad(log_p, parameters, retain_graph=True)
                for into, gradient in zip(total, found, strict=True):
                    into.addcmul_(gradient, gradient * weight)

    times = in_turn({"ours": ours, "loop": loop}, rounds)
    # The Fisher information of C classes has rank C - 1.
    least = floors.forward_seconds(work, len(images))
    least += (CLASSES - 1) * floors.backward_seconds(work, len(images))
    return figure(
        f"exact Fisher diagonal of {CLASSES} classes over a loop: {work.name}",
        over(times["loop"], times["ours"]),
        floor=median(times["loop"]) / least,
        target=4.0,
    )


def _published_fisher(work: Workload, rounds: int) -> list[Figure]:
    """The published form, which squares the gradients of batch means, over ours per sample."""
    size = 32
    model = work.build().eval()
    pixels, labels = work.tensors(4 * size)
    images = pixels.float() / 255
    coordinates = Coordinates(model)
    batches = list(zip(images.split(size), labels.split(size), strict=True))
    signs = torch.ones((len(images), 1, CLASSES - 1), dtype=torch.int8)

    def published() -> None:
        batch_mean_fisher(model, coordinates, lambda: iter(batches), TASK)

    def exact() -> None:
        exact_fisher(model, coordinates, lambda: iter(batches), TASK)

    def signed() -> None:
        signed_fisher(model, coordinates, lambda: iter(batches), signs, TASK)

    times = in_turn({"published": published, "exact": exact, "signed": signed}, rounds)
    forward = floors.forward_seconds(work, len(images))
    backward = floors.backward_seconds(work, len(images))
    spent = median(times["published"])
    return [
        figure(
            f"published Fisher over the exact one, {CLASSES} classes: {work.name}",
            over(times["published"], times["exact"]),
            floor=spent / (forward + (CLASSES - 1) * backward),
            target=1.0,
        ),
        figure(
            f"published Fisher over one draw of random signs, {CLASSES} classes: {work.name}",
            over(times["published"], times["signed"]),
            floor=spent / (forward + backward),
            target=1.0,
        ),
    ]


def _influence(work: Workload, drawn: int, rounds: int) -> Figure:
    """Both sides in full: the gradients of all samples, then the inverse of those drawn."""
    samples = work.samples(drawn + drawn // 10)
    split = make_split(samples, at_random(0.05, seed=0))
    model = work.build().eval()
    context = Context(fabric=work.fabric())
    config = InfluenceConfig(samples=drawn)
    images, labels = work.tensors(len(samples))
    images = images.float() / 255

    def loop() -> None:
        forget, retain = len(split.forget), len(split.retain)
        vector = _total(model, images[split.forget], labels[split.forget]) / len(samples)
        kept = _total(model, images[split.retain], labels[split.retain])
        vector -= forget / (len(samples) * retain) * kept
        chosen = split.retain[:drawn]
        gradients = _loop(model, images[chosen], labels[chosen])
        _recursion(gradients, vector, config.damping)

    times = in_turn(
        {"ours": lambda: influence_unlearning(model, split, config, context), "loop": loop}, rounds
    )
    # A pass over all samples and two over those drawn; their gradients' products, each once.
    weights = sum(p.numel() for p in model.parameters())
    least = floors.step_seconds(work, len(samples) + 2 * drawn)
    least += floors.product_seconds(drawn**2 * weights)
    return figure(
        f"influence unlearning over the recursion sample by sample, {drawn:,} samples: {work.name}",
        over(times["loop"], times["ours"]),
        floor=median(times["loop"]) / least,
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
    for part, named in zip(images.split(64), labels.split(64), strict=True):
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
