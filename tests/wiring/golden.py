"""Numbers that tiny computations gave when they were recorded, in `golden.json`.

They say nothing about what is right: oracles do. They notice that numbers have changed, so that
whoever changes them raises the version of the entry that did. `python -m tests.wiring.golden`
records what is new or has changed, and prints it.
"""

import copy
import json
import math
import sys
from dataclasses import fields, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from tests.wiring import golden_kinds
from torch.nn import functional as F

from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.data.statistics import input_statistics
from expunge.graph.kinds import KINDS
from expunge.methods import METHODS
from expunge.methods.run import run_method
from expunge.metrics.membership.audit import run_attacks
from expunge.metrics.membership.features import true_class_confidence
from expunge.metrics.membership.protocol import mia_efficacy, mia_privacy
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.scenarios import by_class, make_split
from expunge.settings import Training
from expunge.sparsity import PRUNERS
from expunge.training.fit import fit
from expunge.training.predict import predict
from expunge.training.sparsify import sparsify
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context

PATH = Path(__file__).with_name("golden.json")
COMMAND = "python -m tests.wiring.golden"
TOLERANCE = 5e-4
"""Relative: processors add up in other orders. It moved these numbers by less than 1e-6 to use
another instruction set or two threads, and by 1.1e-4 to do without oneDNN."""
RECIPE = Training(
    epochs=2, batch_size=32, lr=0.02, schedule="cosine", label_smoothing=0.1, crop_padding=1
)


def entries():
    """What has golden numbers: by name, the version it has now, and how they are computed."""
    kinds = {"train": train, "predict": predictions, "measure": measure}
    found = {name: (KINDS[name].version, compute) for name, compute in kinds.items()}
    for pruner in PRUNERS:
        found[f"prune:{pruner.name}"] = (version(pruner), lambda pruner=pruner: prune(pruner))
    for method in METHODS:
        found[f"unlearn:{method.name}"] = (version(method), lambda method=method: unlearn(method))
    return {**found, **golden_kinds.entries()}


def version(entry):
    return getattr(entry, "version", 1)


@cache
def samples():
    return load(DataSpec(source="digits", train_limit=120, test_limit=60)).train


def fresh(seed):
    mean, std = input_statistics(samples())
    spec = ModelSpec(name="resnet8", width=0.25, num_classes=10, in_channels=1, mean=mean, std=std)
    return build(spec, seed=seed)


def fabric():
    return Fabric(accelerator="cpu", devices=1)


def context(seed):
    return Context(
        fabric=fabric(),
        seed=seed,
        rebuild=fresh,
        training=RECIPE,
        augmentation=RECIPE.augmentation,
    )


@cache
def original():
    """The trained network that the others begin with, and its weights after the first epoch."""
    model, states = fresh(1), []
    fit(
        model,
        Stream(samples(), torch.arange(120)),
        task_loss,
        RECIPE,
        context(1),
        after_epoch=lambda _: states.append(copy.deepcopy(model.state_dict())),
    )
    return model, states[1]


def train():
    return described(original()[0], fresh(1))


def predictions():
    logits = predict(original()[0], samples(), fabric()).double()
    return {
        "norm": float(logits.norm()),
        "first": float(logits[0].norm()),
        "last": float(logits[-1].norm()),
    }


def prune(pruner):
    model, rewind = original()
    config = pruner.config(sparsity=0.5)
    sparse, _ = sparsify(model, samples(), pruner, config, context(2), rewind)
    return described(sparse, model)


def unlearn(method):
    """By the method's own settings, in one epoch if it has any."""
    model, _ = original()
    config = method.config()
    if "epochs" in {field.name for field in fields(config)}:
        config = replace(config, epochs=1)
    split = make_split(samples(), by_class(3))
    return described(run_method(method, model, split, config, context(3))[0], model)


def measure():
    """Membership attacks on logits that are drawn, not computed."""
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 5
    logits = rng.normal(size=(300, 5)).astype(np.float32)
    logits[np.arange(300), labels] += np.where(np.arange(300) < 200, 2.0, 1.0)
    member, forget = np.arange(300) < 160, (np.arange(300) >= 160) & (np.arange(300) < 200)
    found = run_attacks(logits, labels, member, forget, seed=0)
    confidence = true_class_confidence(logits, labels)
    retain, unseen = confidence[member], confidence[200:]
    return {
        "mia_efficacy": mia_efficacy(retain, unseen, confidence[forget], 0),
        "mia_privacy": mia_privacy(retain, unseen, 0),
        **{f"{name} auc": values["auc"] for name, values in found.items()},
    }


def described(model, before):
    """Some numbers of a model, in float64; `moved` is how far it has come from `before`."""
    pairs = list(zip(model.parameters(), before.parameters(), strict=True))
    weights, others = (torch.cat([p.detach().double().flatten() for p in each])
                       for each in zip(*pairs, strict=True))  # fmt: skip
    logits = predict(model, samples(), fabric()).double()
    parameters = list(model.parameters())
    return {
        "loss": float(F.cross_entropy(logits, samples().labels)),
        "norm": float(weights.norm()),
        "moved": float((weights - others).norm()),
        "first": float(parameters[0].detach().double().norm()),
        "last": float(parameters[-1].detach().double().norm()),
    }


def recorded():
    return json.loads(PATH.read_text(encoding="utf-8")) if PATH.exists() else {}


def differences(values, golden):
    """Where computed values differ from recorded ones, in words."""
    return [
        f"{key}: {golden.get(key)} was recorded, now {values.get(key)}"
        for key in {**golden, **values}
        if not math.isclose(
            golden.get(key, math.nan), values.get(key, math.nan), rel_tol=TOLERANCE, abs_tol=1e-12
        )
    ]


def main():
    """Record what is new or has changed; what agrees within the tolerance stays as it was."""
    torch.set_num_threads(1)
    there, now = recorded(), {}
    for name, (number, compute) in entries().items():
        values = {key: float(f"{value:.9g}") for key, value in compute().items()}
        golden = there.get(name)
        changed = differences(values, golden["values"]) if golden else ["new"]
        now[name] = {"version": number, "values": values if changed else golden["values"]}
        if changed and golden and golden["version"] == number:
            changed.append("raise its version, if this was meant")
        for line in changed:
            sys.stdout.write(f"{name}: {line}\n")
    for name in there.keys() - now.keys():
        sys.stdout.write(f"{name}: gone\n")
    PATH.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
