"""Why fine-tuning leaves a Trojan in digits: what vanishes, what moves, and what carries it.

A ResNet-8 learns digits of which a tenth carry a white 2x2 patch and the label 0. Three questions:

- Does the loss on retained samples leave anything to learn from? FT by epochs and rates, beside
  more weight decay and the ℓ1 penalty, which move weights that the loss does not ask to move.
- Does it matter how a model was made sparse? Pruned and trained again on the poisoned data, under
  their mask or that of a clean model; or pruned alone.
- Which weights carry the trigger, and does OMP keep them?
"""

import argparse
import copy
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import expunge
from benchmarks.results import write
from expunge.api.given import fabric_on
from expunge.api.results import Sparse
from expunge.data.edits import get_edit
from expunge.data.edits.apply import apply_edits
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.data.statistics import input_statistics
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.scenarios import by_ids
from expunge.settings import Training
from expunge.sparsity import get_pruner
from expunge.sparsity.mask import apply_mask, prunable
from expunge.training.fit import fit
from expunge.training.predict import predict
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context, Mask, Samples

PATCH = {"share": 0.1, "target": 0, "size": 2, "row": -2, "column": -2, "value": 255}
TRAINING = Training(epochs=20, batch_size=32, lr=0.1, schedule="one_cycle", warmup_epochs=4)
SPARSITIES = (0.75, 0.9, 0.95, 0.99)
FT = {"epochs": 10, "lr": 0.1, "batch_size": 32}
SHRINKING = {"ft": {"weight_decay": 5e-3}, "l1_sparse": {"gamma": 2e-3}}
"""More of a pull to zero than the FT has that is compared with them."""
SHARES = (0.001, 0.002, 0.005, 0.01)
"""Of the convolutions' weights, to set to zero."""
RANDOM_DRAWS = 5

Row = dict[str, Any]


@dataclass(frozen=True)
class Poisoned:
    """The data of all seeds."""

    @cached_property
    def train(self) -> Samples:
        return self._edited[0].train

    @cached_property
    def test(self) -> Samples:
        return self._edited[0].test

    @cached_property
    def triggered(self) -> Samples:
        edit = get_edit("badnets")
        trigger = edit.trigger
        assert trigger is not None
        return trigger.show(self.test, edit.config(**PATCH))

    @cached_property
    def split(self) -> expunge.Split:
        return expunge.split(self.train, forget=by_ids(self._edited[1]["badnets"]))

    @cached_property
    def _edited(self) -> Any:
        spec = DataSpec(source="digits", edits={"badnets": PATCH})
        return apply_edits(load(spec), spec)


DATA = Poisoned()


def context(seed: int, mask: Mask | None = None) -> Context:
    return Context(fabric=fabric_on("cpu", "32-true"), seed=seed, mask=mask, training=TRAINING)


def trained(seed: int, index: Tensor, mask: Mask | None = None, start: Any = None) -> nn.Module:
    """A network that learns the samples at `index`, from `start` or from scratch."""
    mean, std = input_statistics(DATA.train)
    spec = ModelSpec(name="resnet8", num_classes=10, in_channels=1, mean=mean, std=std)
    model = build(spec, seed=seed) if start is None else copy.deepcopy(start)
    fit(model, Stream(DATA.train, index), task_loss, TRAINING, context(seed, mask))
    return model


def unlearned(model: Any, method: str, seed: int, **settings: Any) -> nn.Module:
    found = expunge.unlearn(model, DATA.split, method=method, config=FT | settings, seed=seed)
    return found.model


def state(model: nn.Module, since: nn.Module | None = None) -> Row:
    """ASR, SA, mean losses, and how far the weights are from `since`, as a share of their norm."""
    logits = [predict(model, each, context(0).fabric) for each in (DATA.triggered, DATA.test)]
    others = DATA.test.labels != PATCH["target"]
    losses = F.cross_entropy(
        predict(model, DATA.train, context(0).fabric), DATA.train.labels, reduction="none"
    )
    row = {
        "asr": share(logits[0].argmax(1)[others] == PATCH["target"]),
        "sa": share(logits[1].argmax(1) == DATA.test.labels),
        "retain_loss": float(losses[DATA.split.retain].mean()),
        "forget_loss": float(losses[DATA.split.forget].mean()),
    }
    if since is not None:
        old, new = (
            torch.cat([weight.detach().flatten() for weight in each.parameters()])
            for each in (since, model)
        )
        row["moved"] = float((new - old).norm() / old.norm())
    return row


def share(flags: Tensor) -> float:
    return 100 * float(flags.double().mean())


def fading(dense: nn.Module, seed: int) -> list[Row]:
    """FT by epochs and rates, and what pulls to zero besides."""
    rows = [{"method": "original", **state(dense)}]
    for lr in (0.01, 0.1):
        for epochs in (1, 2, 5, 10):
            model = unlearned(dense, "ft", seed, lr=lr, epochs=epochs)
            rows.append({"method": "ft", "lr": lr, "epochs": epochs, **state(model, dense)})
    for method, settings in SHRINKING.items():
        for epochs in (2, 5, 10):
            model = unlearned(dense, method, seed, epochs=epochs, **settings)
            rows.append({"method": method, **settings, "epochs": epochs, **state(model, dense)})
    return rows


def sparse(dense: nn.Module, clean: nn.Module, seed: int) -> list[Row]:
    """FT of models that were made sparse in three ways."""
    pruner, everything = get_pruner("omp"), torch.arange(len(DATA.train))
    rows = []
    for sparsity in SPARSITIES:
        config = pruner.config(sparsity=sparsity)
        masks = {
            of: pruner.run(model, DATA.train, config, context(seed))
            for of, model in (("poisoned", dense), ("clean", clean))
        }
        pruned = copy.deepcopy(dense)
        apply_mask(pruned, masks["poisoned"])
        ways = {
            "poisoned mask, trained again": (dense, masks["poisoned"]),
            "clean mask, trained again": (dense, masks["clean"]),
            "poisoned mask, pruned alone": (pruned, masks["poisoned"]),
        }
        for way, (start, mask) in ways.items():
            model = start if start is pruned else trained(seed, everything, mask, start)
            before = state(model)
            after = state(unlearned(Sparse(model, mask), "ft", seed), model)
            rows.append({"sparsity": sparsity, "way": way, "before": before, "after": after})
    return rows


def carriers(dense: nn.Module, seed: int) -> list[Row]:
    """ASR and SA without the weights that a trigger's effect rests on, and without as many others.

    A weight's share in it is to first order its value times the gradient of the target's logit
    minus the true class's, of triggered images minus of clean ones.
    """
    weights = prunable(dense)
    others = DATA.test.labels != PATCH["target"]
    pull = margins(dense, DATA.triggered, others) - margins(dense, DATA.test, others)
    gradients = torch.autograd.grad(pull, [*weights.values()])
    scores = {
        name: (weight * gradient).detach()
        for (name, weight), gradient in zip(weights.items(), gradients, strict=True)
    }
    flat = torch.cat([each.flatten() for each in scores.values()])
    pruner, rows = get_pruner("omp"), []
    kept = {
        sparsity: torch.cat(
            [
                each.flatten()
                for each in pruner.run(
                    dense, DATA.train, pruner.config(sparsity=sparsity), context(seed)
                ).values()
            ]
        )
        for sparsity in SPARSITIES
    }
    for part in SHARES:
        count = round(part * len(flat))
        chosen = torch.zeros(len(flat), dtype=torch.bool)
        chosen[flat.topk(count).indices] = True
        at_random = [
            state(without(dense, alike(chosen, scores, draw))) for draw in range(RANDOM_DRAWS)
        ]
        rows.append(
            {
                "share": part,
                "carriers": state(without(dense, chosen)),
                "random": {
                    key: sum(each[key] for each in at_random) / RANDOM_DRAWS
                    for key in ("asr", "sa")
                },
                "kept_by_omp": {
                    str(sparsity): share(mask[chosen]) for sparsity, mask in kept.items()
                },
            }
        )
    return rows


def margins(model: nn.Module, samples: Samples, rows: Tensor) -> Tensor:
    """The mean of the target's logit minus the true class's."""
    index = rows.nonzero().flatten()
    (images,) = samples.inputs.batches([index])
    assert isinstance(images, Tensor)
    logits = model.eval()(images.float() / 255)
    true = logits.gather(1, samples.labels[index][:, None])[:, 0]
    return (logits[:, int(PATCH["target"])] - true).mean()


def without(model: nn.Module, gone: Tensor) -> nn.Module:
    """A copy whose prunable weights are zero where the flat `gone` is true."""
    found, place = copy.deepcopy(model), 0
    with torch.no_grad():
        for weight in prunable(found).values():
            weight[gone[place : place + weight.numel()].view_as(weight)] = 0
            place += weight.numel()
    return found


def alike(chosen: Tensor, scores: dict[str, Tensor], draw: int) -> Tensor:
    """As many weights of each layer as are chosen, at random."""
    generator, parts, place = torch.Generator().manual_seed(draw), [], 0
    for each in scores.values():
        part = chosen[place : place + each.numel()]
        parts.append(part[torch.randperm(len(part), generator=generator)])
        place += each.numel()
    return torch.cat(parts)


def measured(seeds: Iterable[int]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {"fading": [], "sparse": [], "carriers": []}
    for seed in seeds:
        dense = trained(seed, torch.arange(len(DATA.train)))
        clean = trained(seed, DATA.split.retain)
        for name, rows in (
            ("fading", fading(dense, seed)),
            ("sparse", sparse(dense, clean, seed)),
            ("carriers", carriers(dense, seed)),
        ):
            found[name] += [{"seed": seed, **row} for row in rows]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("build/trojan-digits.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    write(
        options.out,
        settings={"patch": PATCH, "training": vars(TRAINING), "ft": FT, "shrinking": SHRINKING},
        reproduce=f"python -m benchmarks.trojan_digits --seeds {options.seeds}",
        **measured(range(options.seeds)),
    )


if __name__ == "__main__":
    main()
