"""Golden numbers of what stands around models: data, forget sets, edits, metrics, theory."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from expunge.data.edits import EDITS
from expunge.data.facts import resolve
from expunge.data.places import default_cache
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.engines import Engine, run
from expunge.graph.graph import Graph
from expunge.graph.kinds import KINDS
from expunge.graph.kinds.data import add_data
from expunge.graph.kinds.forget import add_forget, load_forget
from expunge.graph.kinds.generate import load_images
from expunge.graph.kinds.judge import Judging, add_judged, add_judged_real
from expunge.graph.kinds.nearest import add_nearest, load_distances
from expunge.graph.kinds.path import add_path, load_facts
from expunge.graph.kinds.predict import load_predictions
from expunge.graph.kinds.sharpness import add_sharpness
from expunge.graph.kinds.theorem import add_theorem
from expunge.graph.kinds.train import Origin, add_train
from expunge.graph.runtime import Place, read_facts
from expunge.methods import get_method
from expunge.metrics import METRICS
from expunge.metrics.example import example_evidence
from expunge.metrics.metric import measure
from expunge.models.spec import NetworkSettings
from expunge.runs import Store
from expunge.settings import Training
from expunge.theory.config import HessianConfig

SPEC = DataSpec(source="digits", train_limit=100, test_limit=50)
PLAIN = Training(
    epochs=2, batch_size=25, lr=0.01, momentum=0.0, weight_decay=0.0, schedule="constant"
)
BY_NAME = {"train", "prune", "unlearn", "predict", "empty"}
"""Kinds whose numbers are recorded in `golden.py`, entry by entry, and the one that has none."""


def entries():
    """What has golden numbers here: by name, the version it has now, and how they are computed."""
    found = {
        name: (kind.version, lambda name=name: {**theorem(), **generation()}[name])
        for name, kind in KINDS.items()
        if name not in BY_NAME and name != "measure"
    }
    for metric in METRICS:
        found[f"measure:{metric.name}"] = (
            metric.version,
            lambda metric=metric: measured(metric),
        )
    for edit in EDITS:
        found[f"edit:{edit.name}"] = (edit.version, lambda edit=edit: edited(edit))
    return found


def measured(metric):
    evidence = (metric.example or example_evidence)()
    return flat(measure(metric, evidence).value)


def edited(edit):
    samples = load(SPEC).train
    found = edit.run(samples, edit.example or edit.config(), 7)
    rows = [row for row, name in enumerate(samples.ids) if name in set(found.touched)]
    return {
        "touched": len(found.touched),
        "rows": sum(rows),
        "labels": int(found.samples.labels[rows].sum()),
        "content": as_number(found.samples.fingerprint),
    }


@cache
def theorem():
    """Every kind of a tiny graph, made once."""
    store = Store(Path(tempfile.mkdtemp()) / "runs")
    graph = Graph(store)
    facts = resolve(SPEC, default_cache())
    data = add_data(graph, SPEC, facts)
    network = NetworkSettings(name="resnet8", width=0.25)
    original = add_train(graph, data, Origin(network=network, training=PLAIN, seed=3))
    forget = add_forget(graph, original, "random:0.2", facts=facts)
    path = add_path(graph, original)
    config = HessianConfig(samples=20, tolerance=1e-3)
    sharpness = add_sharpness(graph, path, config)
    theorem = add_theorem(graph, path, forget, {"ft": get_method("ft").config(epochs=1)})
    run(graph, Engine(), Place(device="cpu"))
    frozen = read_facts(store.path(data))
    ids = load_forget(store.path(forget))["ids"]
    rows = [row for row, name in enumerate(frozen.train.ids) if name in set(ids)]
    return {
        "data": {
            "content": as_number(frozen.fingerprint),
            "samples": len(frozen.train.ids),
            "mean": frozen.mean[0],
        },
        "forget": {"samples": len(ids), "rows": sum(rows)},
        "sgd_path": flat(load_facts(store.path(path))),
        "sharpness": {
            name: value
            for name, value in load_facts(store.path(sharpness)).items()
            if name != "departures"
        },
        "theorem": load_facts(store.path(theorem))["distances"],
    }


@cache
def generation():
    """The kinds around images of a tiny diffusion model, made once."""
    store = Store(Path(tempfile.mkdtemp()) / "runs")
    graph = Graph(store)
    facts = resolve(SPEC, default_cache())
    data = add_data(graph, SPEC, facts)
    training = Training(epochs=1, batch_size=50, optimizer="adamw", lr=1e-3)
    network = NetworkSettings(name="unet", width=0.5)
    original = add_train(graph, data, Origin(network=network, training=training, seed=3))
    small = NetworkSettings(name="resnet8", width=0.25)
    judging = Judging(per_class=2, steps=3, network=small, training=PLAIN)
    judged = add_judged(graph, original, judging)
    real = add_judged_real(graph, data, judging)
    near = add_nearest(
        graph, original, add_forget(graph, original, "class:3", facts=facts), judging
    )
    run(graph, Engine(), Place(device="cpu"))
    images = load_images(store.path(graph.node(judged).parents["images"]))["images"]
    found = {
        name: load_predictions(store.path(node))
        for name, node in (("generated", judged), ("real", real))
    }
    return {
        "generate": {"mean": float(images.mean()), "spread": float(images.std())},
        "judge": {
            f"{name} {key}": float(np.linalg.norm(each[key].astype(np.float64)))
            for name, each in found.items()
            for key in ("logits", "features")
        },
        "nearest": {
            name: float(load_distances(store.path(near))[name].mean())
            for name in ("generated", "held_out")
        },
    }


def as_number(digest):
    """A hex digest as a number that JSON holds exactly."""
    return int(digest[:8], 16)


def flat(value, name="value"):
    """Every number of a value, by the keys that lead to it."""
    if isinstance(value, dict):
        parts = [flat(part, f"{name} {key}") for key, part in value.items()]
    elif isinstance(value, list):
        parts = [flat(part, f"{name} {place}") for place, part in enumerate(value)]
    else:
        return {} if value is None else {name: float(value)}
    return {key: number for part in parts for key, number in part.items()}
