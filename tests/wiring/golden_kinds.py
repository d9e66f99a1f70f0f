"""Golden numbers of what stands around models: data, edits, suspects, metrics, attribution."""

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from lightning_fabric import Fabric
from tests.wiring.golden_images import images

from expunge.attribution import ATTRIBUTORS, get_attributor
from expunge.attribution.weights import WeightsConfig
from expunge.config import from_mapping
from expunge.data.edits import EDITS
from expunge.data.facts import resolve
from expunge.data.places import default_cache
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.data.splits import subset
from expunge.detectors import DETECTORS
from expunge.detectors.detector import score
from expunge.detectors.example import example_evidence as example_of_samples
from expunge.engines import Engine, run
from expunge.graph.graph import Graph
from expunge.graph.kinds import KINDS
from expunge.graph.kinds.attribution import add_attribution, load_scores
from expunge.graph.kinds.correct import add_correct
from expunge.graph.kinds.data import add_data
from expunge.graph.kinds.forget import add_forget, load_forget
from expunge.graph.kinds.lds import add_lds, load_lds
from expunge.graph.kinds.memorisation import add_memorisation, load_memorisation
from expunge.graph.kinds.path import add_path, load_facts
from expunge.graph.kinds.pictures import add_pictures, load_pictures
from expunge.graph.kinds.sharpness import add_sharpness
from expunge.graph.kinds.similarity import add_similarity, load_similarity
from expunge.graph.kinds.subsets import add_subsets, load_subsets
from expunge.graph.kinds.suspect import add_suspect, load_suspects
from expunge.graph.kinds.suspect import load_scores as load_suspicion
from expunge.graph.kinds.theorem import add_theorem
from expunge.graph.kinds.train import Origin, add_train
from expunge.graph.kinds.transfer import add_transfer, load_transfer
from expunge.graph.kinds.weight_influence import add_weight_influence, load_curves
from expunge.graph.model_files import load_model
from expunge.graph.runtime import Place, read_facts
from expunge.graph.targets import parse_targets
from expunge.methods import get_method
from expunge.metrics import METRICS
from expunge.metrics.example import example_evidence
from expunge.metrics.metric import measure
from expunge.models.build import build
from expunge.models.spec import ModelSpec, NetworkSettings
from expunge.runs import Store
from expunge.settings import Training
from expunge.theory.config import HessianConfig
from expunge.transfer.probe import ProbeConfig
from expunge.types import Context

SPEC = DataSpec(source="digits", train_limit=100, test_limit=50)
PLAIN = Training(
    epochs=2, batch_size=25, lr=0.01, momentum=0.0, weight_decay=0.0, schedule="constant"
)
BY_NAME = {"train", "prune", "unlearn", "predict", "empty"}
"""Kinds whose numbers are recorded in `golden.py`, entry by entry, and the one that has none."""


def entries():
    """What has golden numbers here: by name, the version it has now, and how they are computed."""
    found = {
        name: (
            kind.version,
            lambda name=name: (theorem() | influence() | images() | transferred())[name],
        )
        for name, kind in KINDS.items()
        if name not in BY_NAME and name != "measure"
    }
    for attributor in ATTRIBUTORS:
        found[f"attributor:{attributor.name}"] = (
            attributor.version,
            lambda attributor=attributor: attributed(attributor),
        )
    for metric in METRICS:
        found[f"measure:{metric.name}"] = (
            metric.version,
            lambda metric=metric: measured(metric),
        )
    for detector in DETECTORS:
        found[f"detector:{detector.name}"] = (
            detector.version,
            lambda detector=detector: scored(detector),
        )
    for edit in EDITS:
        found[f"edit:{edit.name}"] = (edit.version, lambda edit=edit: edited(edit))
    return found


def measured(metric):
    evidence = (metric.example or example_evidence)()
    return flat(measure(metric, evidence).value)


def scored(detector):
    scores = score(detector, example_of_samples(), detector.example or detector.config())
    return {"first": scores[0], "mean": scores.mean(), "largest": scores.max()}


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
    suspect = add_suspect(graph, original, "spectral_signatures")
    poisoned = replace(SPEC, edits={"badnets": {"size": 2}})
    shown = add_pictures(graph, add_data(graph, poisoned, facts))
    wrong = replace(SPEC, edits={"relabel": {"share": 0.2}})
    origin = Origin(network=network, training=PLAIN, seed=3)
    mislabelled = add_train(graph, add_data(graph, wrong, facts), origin)
    correction = add_forget(graph, mislabelled, "corrected:relabel", facts=facts)
    ft = get_method("ft").config(epochs=1)
    corrected = add_correct(graph, mislabelled, correction, "ft", ft)
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
        "suspect": suspected(store.path(suspect)),
        "correct": norms(store.path(corrected)),
        "pictures": {
            name: float(array.mean()) for name, array in load_pictures(store.path(shown)).items()
        },
        "sgd_path": flat(load_facts(store.path(path))),
        "sharpness": {
            name: value
            for name, value in load_facts(store.path(sharpness)).items()
            if name != "departures"
        },
        "theorem": load_facts(store.path(theorem))["distances"],
    }


def norms(folder):
    model, _, _ = load_model(folder)
    weights = [each.detach().double() for each in model.parameters()]
    return {"first": float(weights[0].norm()), "last": float(weights[-1].norm())}


def suspected(folder):
    found, scores = load_suspects(folder), load_suspicion(folder)
    return {
        "suspects": len(found["suspected"]),
        "threshold": found["threshold"],
        "mean": scores["scores"].mean(),
        "rows": int(scores["rows"].sum()),
    }


@cache
def influence():
    """Data influence and model influence of a tiny model, made once."""
    store = Store(Path(tempfile.mkdtemp()) / "runs")
    graph = Graph(store)
    facts = resolve(SPEC, default_cache())
    data = add_data(graph, SPEC, facts)
    network = NetworkSettings(name="resnet8", width=0.25)
    original = add_train(graph, data, Origin(network=network, training=PLAIN, seed=3))
    config = get_attributor("gradient_similarity").config()
    scores = add_attribution(
        graph, original, "gradient_similarity", config, parse_targets("draw:3"), facts=facts
    )
    subsets = add_subsets(graph, original, retained=0.5, count=3, population="test", facts=facts)
    lds = add_lds(graph, scores, subsets)
    memorisation = add_memorisation(graph, original, 3, facts=facts)
    group = add_forget(graph, original, "class:1", facts=facts)
    few = WeightsConfig(shares=(0.1,), draws=1, sparsities=(0.5,))
    weights = add_weight_influence(graph, original, group, few)
    run(graph, Engine(), Place(device="cpu"))
    answers, estimates = (
        load_subsets(store.path(subsets)),
        load_memorisation(store.path(memorisation)),
    )
    return {
        "attribution": {"size": size(load_scores(store.path(scores))["scores"])},
        "subsets": {"margin": size(answers["margin"]), "kept": float(answers["kept"].sum())},
        "lds": {name: load_lds(store.path(lds))[name] for name in ("mean", "low", "high")},
        "memorisation": {
            "margin": size(estimates["margin"][estimates["order"]]),
            "samples": len(estimates["order"]),
        },
        "weight_influence": {
            "overlap": load_curves(store.path(weights))["overlaps"][0]["kept"],
            "ra": load_curves(store.path(weights))["points"][1]["ra"],
        },
    }


@cache
def transferred():
    """How a tiny model serves other digits, made once."""
    store = Store(Path(tempfile.mkdtemp()) / "runs")
    graph = Graph(store)
    facts = resolve(SPEC, default_cache())
    data = add_data(graph, SPEC, facts)
    network = NetworkSettings(name="resnet8", width=0.25)
    original = add_train(graph, data, Origin(network=network, training=PLAIN, seed=3))
    other = DataSpec(source="digits", seed=5, train_limit=60, validation_fraction=0.2)
    target = add_data(graph, other, resolve(other, default_cache()))
    probed = add_transfer(graph, original, target, ProbeConfig())
    tuned = add_transfer(graph, original, target, PLAIN)
    similarity = add_similarity(graph, original, target)
    run(graph, Engine(), Place(device="cpu"))
    found = load_similarity(store.path(similarity))
    return {
        "transfer": {
            "probe": load_transfer(store.path(probed))["accuracy"]["test"],
            "fine_tuning": load_transfer(store.path(tuned))["accuracy"]["test"],
        },
        "similarity": {"first": found[0], "largest": max(found)},
    }


def attributed(attributor):
    samples = load(SPEC).train
    model = build(ModelSpec(name="resnet8", num_classes=10, in_channels=1, width=0.25), seed=3)
    config = from_mapping(attributor.config, attributor.example, attributor.name)
    context = Context(fabric=Fabric(accelerator="cpu", devices=1), seed=7)
    targets = subset(samples, torch.tensor([0, 1]))
    scores = attributor.run(model, samples, targets, config, context).scores.numpy()
    return {"size": size(scores), "first": float(scores[0, 0])}


def size(values):
    return float((values.astype("float64") ** 2).sum() ** 0.5)


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
