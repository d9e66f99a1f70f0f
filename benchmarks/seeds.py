"""Several seeds of one stage at the same time, in the ways that there are, against one by one.

In one pass, as grouped convolutions or under `vmap`, and in processes that share the threads.
Every way takes the same steps of the same networks on the same batches.
"""

import copy
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F

from benchmarks.timing import Figure, figure, in_turn, over
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.runs import available_cores

SEEDS = 4
CLASSES = 10
RECIPE = {"lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "fused": True}


def figures(rounds: int, batch: int = 64, steps: int = 40) -> list[Figure]:
    """Of the demo's network and batch: `resnet8`, 8x8."""
    threads = min(torch.get_num_threads(), available_cores())
    torch.set_num_threads(threads)
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(threads, spawning, torch.set_num_threads, (1,)) as pool:
        jobs = [(seed, batch, steps) for seed in range(SEEDS)]
        sides: dict[str, Callable[[], object]] = {
            "one by one": lambda: [train_one(job) for job in jobs],
            "grouped convolutions": grouped(batch, steps),
            "vmap": stacked(batch, steps),
            f"{threads} processes": lambda: list(pool.map(train_one, jobs)),
        }
        times = in_turn(sides, rounds)
    alone = times.pop("one by one")
    return [
        figure(
            f"{SEEDS} seeds by {way} over one by one: resnet8, 8x8, batches of {batch}",
            over(alone, found),
            floor=float(threads) if "processes" in way else None,
        )
        for way, found in times.items()
    ]


def networks() -> list[nn.Module]:
    return [network(seed) for seed in range(SEEDS)]


def network(seed: int) -> nn.Module:
    spec = ModelSpec(name="resnet8", num_classes=CLASSES, in_channels=1)
    return build(spec, seed=seed).train()


def batch_of(seed: int, size: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(size, 1, 8, 8, generator=generator)
    return images, torch.randint(0, CLASSES, (size,), generator=generator)


def train_one(job: tuple[int, int, int]) -> None:
    seed, size, steps = job
    model = network(seed).to(memory_format=torch.channels_last)
    images, labels = batch_of(seed, size)
    train(model, lambda: F.cross_entropy(model(images), labels), steps)


def train(model: nn.Module, loss: Callable[[], Tensor], steps: int) -> None:
    optimizer = torch.optim.SGD(model.parameters(), **RECIPE)
    for _ in range(steps):
        loss().backward()
        optimizer.step()
        optimizer.zero_grad()


def batches(size: int) -> tuple[Tensor, Tensor]:
    """All seeds' images `(S, B, C, H, W)` and labels `(S, B)`."""
    images, labels = zip(*(batch_of(seed, size) for seed in range(SEEDS)), strict=True)
    return torch.stack(images), torch.stack(labels)


def summed_losses(logits: Tensor, labels: Tensor) -> Tensor:
    """The sum over seeds of the mean loss, of logits `(S, B, classes)`: seeds do not mix."""
    losses = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")
    return losses.view(labels.shape).mean(1).sum()


def stacked(size: int, steps: int) -> Callable[[], None]:
    models = networks()
    images, labels = batches(size)
    skeleton = copy.deepcopy(models[0]).to("meta")

    def run() -> None:
        weights, buffers = stack_module_state(models)
        together = nn.ParameterList(nn.Parameter(one.detach()) for one in weights.values())
        named = dict(zip(weights, together, strict=True))
        forward = vmap(lambda w, b, x: functional_call(skeleton, (w, b), (x,)))
        train(together, lambda: summed_losses(forward(named, buffers, images), labels), steps)

    return run


def grouped(size: int, steps: int) -> Callable[[], None]:
    images, labels = batches(size)
    # Channels of one seed after those of the other.
    side_by_side = images.transpose(0, 1).flatten(1, 2)

    def run() -> None:
        model = side_by_side_network(networks()).to(memory_format=torch.channels_last)
        train(model, lambda: summed_losses(model(side_by_side), labels), steps)

    return run


def side_by_side_network(models: list[nn.Module]) -> nn.Module:
    """One network of all seeds' channels: every layer is replaced by one that keeps seeds apart."""
    whole = copy.deepcopy(models[0])
    for name, module in list(whole.named_modules()):
        same = [model.get_submodule(name) for model in models]
        new: nn.Module | None = None
        if isinstance(module, nn.Conv2d):
            new = _Convolutions(same)
        elif isinstance(module, nn.BatchNorm2d):
            # Its statistics are a channel's own already, and weights begin at 1 and 0.
            new = nn.BatchNorm2d(SEEDS * module.num_features)
        elif isinstance(module, nn.Linear):
            new = _Heads(same)
        elif name and not any(True for _ in module.children()) and not _is_pointwise(module):
            new = _Apart(module)
        if new is not None:
            parent, _, last = name.rpartition(".")
            setattr(whole.get_submodule(parent), last, new)
    return whole


def _is_pointwise(module: nn.Module) -> bool:
    return isinstance(module, nn.ReLU | nn.Identity | nn.AdaptiveAvgPool2d | nn.Flatten)


class _Convolutions(nn.Module):
    def __init__(self, same: list[nn.Module]) -> None:
        super().__init__()
        self.one = same[0]
        self.weight = nn.Parameter(torch.cat([each.weight.detach() for each in same]))
        del self.one.weight

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(
            x, self.weight, None, self.one.stride, self.one.padding, self.one.dilation, SEEDS
        )


class _Heads(nn.Module):
    def __init__(self, same: list[nn.Module]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([each.weight.detach() for each in same]))
        self.bias = nn.Parameter(torch.stack([each.bias.detach() for each in same]))

    def forward(self, x: Tensor) -> Tensor:
        features = x.unflatten(1, (SEEDS, -1)).transpose(0, 1)
        return torch.baddbmm(self.bias[:, None], features, self.weight.transpose(1, 2))


class _Apart(nn.Module):
    """Any layer, applied to each seed's channels."""

    def __init__(self, one: nn.Module) -> None:
        super().__init__()
        self.one = one

    def forward(self, x: Tensor) -> Tensor:
        seeds = x.unflatten(1, (SEEDS, -1)).transpose(0, 1).flatten(0, 1)
        done = self.one(seeds)
        return done.unflatten(0, (SEEDS, len(x))).transpose(0, 1).flatten(1, 2)
