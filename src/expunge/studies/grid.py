"""The grid: every seed, scenario, sparsity and method of a recipe, each measured in full."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from expunge.config import to_mapping
from expunge.data.facts import Facts, resolve
from expunge.data.groups import check_groups, read_groups
from expunge.data.places import default_cache
from expunge.graph.graph import Graph
from expunge.graph.kinds.correct import add_answer
from expunge.graph.kinds.data import add_data
from expunge.graph.kinds.forget import add_forget
from expunge.graph.kinds.measure import add_measure, load_measured
from expunge.graph.kinds.pictures import add_pictures
from expunge.graph.kinds.predict import has_marks
from expunge.graph.kinds.prune import add_prune
from expunge.graph.kinds.train import Origin, Together, add_train, check_training
from expunge.graph.record import load_record
from expunge.metrics import GROUP_METRICS, all_metrics, get_metric
from expunge.metrics.gap import gap
from expunge.models.networks import task_of
from expunge.runs import Store
from expunge.scenarios import of_seed
from expunge.studies.counts import counts_of
from expunge.studies.made import Makers
from expunge.studies.recipe import Experiment
from expunge.studies.searching import Place, config_at
from expunge.tasks import check_task

REFERENCE = "retrain"
REFERENCE_AGAIN = "retrain_again"
"""Retrain by another seed: its gap is the floor below which a gap means nothing."""
ORIGINAL = "original"
NOT_COMPARED = "none of the metrics that a gap is over was asked for"
NOTHING: Mapping[Place, Mapping[str, Any]] = MappingProxyType({})
NO_REFERENCE = "the grid has no retrain at this sparsity to compare with"


@dataclass(frozen=True)
class Base:
    """A model to unlearn from."""

    pruner: str
    sparsity: float
    model_id: str


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One row of the results: a model in a scenario, and the nodes that measure it."""

    scenario: str
    base: Base
    method: str
    seed: int
    config: Mapping[str, Any]
    chosen_by: str | None
    model_id: str
    of: str | None = None
    """The method's name, where `method` is a label."""
    title: str | None = None
    """What tables call the method, where the recipe says so."""
    forgets: str | None = None
    """The scenario of its seed, where seeds forget different ones."""
    measures: Mapping[str, str] = field(default_factory=dict)
    """By metric: the node that measures it."""
    gap_note: str | None = None
    """What to know of its gap: how its reference is trained otherwise."""
    pictures: str | None = None
    """The node of images to show it on, if it is measured with a trigger or marks."""


def plan_data(graph: Graph, experiment: Experiment, cache: Path | None) -> tuple[str, Facts]:
    """The data node of a recipe, and the facts of its data, which planning needs.

    Raises:
        DataError: the data cannot be read.
        ModelError, ConfigError: the network or its training does not fit the data, or the judging
            of images does not fit the network.
    """
    if (chosen := experiment.recipe) is not None and chosen.left_out:
        graph.notes.append(f"--only {chosen.only} leaves out {'; '.join(chosen.left_out)}")
    facts = resolve(experiment.data, cache or default_cache())
    check_training(experiment.network, experiment.training, facts)
    if experiment.judging is not None:
        task = task_of(experiment.network.name, experiment.network.task)
        check_task("judging of images", {"generate"}, task)
    note_groups(graph, experiment.data.groups, facts)
    return add_data(graph, experiment.data, facts), facts


def note_groups(graph: Graph, file: str | None, facts: Facts) -> None:
    """Refuse a file of groups that does not fit the test samples, and note what it covers.

    Raises:
        DataError: it cannot be read, or does not fit.
    """
    if file is None:
        return
    said = check_groups(read_groups(file), facts.parts["test"].ids, file)
    if said not in graph.notes:
        graph.notes.append(said)


def plan_original(
    graph: Graph, experiment: Experiment, data_id: str, seed: int, together: Together | None = None
) -> str:
    """The dense original model of a seed."""
    origin = Origin(
        network=experiment.network,
        training=experiment.training,
        seed=seed,
        precision=experiment.precision,
    )
    return add_train(graph, data_id, origin, together, experiment.data.source)


def plan_bases(
    graph: Graph, experiment: Experiment, data_id: str, seed: int, together: Together | None = None
) -> list[Base]:
    """The dense original model of a seed, and every sparse one.

    Raises:
        ConfigError: a pruner or setting is unknown.
    """
    dense = plan_original(graph, experiment, data_id, seed, together)
    bases = [Base("none", 0.0, dense)]
    for pruner in experiment.pruners:
        for config in experiment.pruner_configs(pruner):
            sparse = add_prune(graph, dense, pruner, config, together)
            bases.append(Base(pruner, config.sparsity, sparse))
    return bases


def plan_grid(
    graph: Graph,
    experiment: Experiment,
    cache: Path | None = None,
    together: Together | None = None,
    found: Mapping[Place, Mapping[str, Any]] = NOTHING,
) -> list[Cell]:
    """The cells of `experiment`, in the order of its seeds, scenarios, sparsities and methods.

    `found` are its searches; without them, their methods have the settings that are given.

    Raises:
        DataError: the data cannot be read.
        ForgetError: a scenario does not fit the data.
    """
    data_id, facts = plan_data(graph, experiment, cache)
    cells: list[Cell] = []
    for seed in experiment.seeds:
        bases = plan_bases(graph, experiment, data_id, seed, together)
        for scenario in experiment.scenarios:
            for base in bases:
                forgets = of_seed(scenario, seed, facts.class_names)
                forget = add_forget(graph, base.model_id, forgets, facts=facts)
                of_base = _cells_of_base(
                    graph, experiment, scenario, base, seed, forget, together, found
                )
                cells += [
                    cell if forgets == scenario else replace(cell, forgets=forgets)
                    for cell in of_base
                ]
    return cells


def _cells_of_base(
    graph: Graph,
    experiment: Experiment,
    scenario: str,
    base: Base,
    seed: int,
    forget: str,
    together: Together | None,
    found: Mapping[Place, Mapping[str, Any]],
) -> Iterator[Cell]:
    shown = None
    metrics, data = set(experiment.metrics), graph.data_of(base.model_id)
    if {"asr", "ta"} <= metrics:
        shown = add_pictures(graph, data)
    elif "ta" in metrics and metrics & set(GROUP_METRICS) and has_marks(graph.node(data)):
        shown = add_pictures(graph, data, marks=True)
    configs = {
        label: config_at(experiment, (label, scenario, base.pruner, base.sparsity), found)
        for label in experiment.methods
        if experiment.runs_at(label, base.sparsity)
    }
    models = {
        label: add_answer(
            graph, base.model_id, forget, experiment.method_of(label), config, together
        )
        for label, config in configs.items()
    }
    if experiment.retrain_again and REFERENCE in configs:
        configs[REFERENCE_AGAIN] = configs[REFERENCE]
        models[REFERENCE_AGAIN] = add_answer(
            graph, base.model_id, forget, REFERENCE, configs[REFERENCE], together, another_seed=True
        )
    for method, model_id in {ORIGINAL: base.model_id, **models}.items():
        asked = method in experiment.methods
        name = experiment.method_of(method) if asked else method
        yield Cell(
            scenario=scenario,
            base=base,
            method=method,
            seed=seed,
            config=to_mapping(configs[method]) if method in configs else {},
            chosen_by=experiment.chosen_by(method, scenario) if asked else None,
            of=name if name != method else None,
            title=experiment.title_of(method) if asked else None,
            model_id=model_id,
            gap_note=_trained_otherwise(experiment, scenario),
            pictures=shown,
            measures={
                metric: add_measure(
                    graph,
                    metric,
                    model_id,
                    base.model_id,
                    forget,
                    models.get(REFERENCE),
                    together,
                    judging=experiment.judging,
                )
                for metric in experiment.metrics
            },
        )


def _trained_otherwise(experiment: Experiment, scenario: str) -> str | None:
    """How Retrain is trained otherwise than the original models; None if it is not."""
    if REFERENCE not in experiment.methods:
        return None
    own = experiment.training.epochs
    epochs = experiment.method_config(REFERENCE, scenario).epochs or own
    if epochs == own:
        return None
    return (
        f"Retrain is trained for {epochs} epoch{'s' * (epochs > 1)}, the original for {own}: a gap "
        "is also to what that changes"
    )


def collect_cells(store: Store, cells: list[Cell], makers: Makers) -> list[dict[str, Any]]:
    """The rows of the results document, read from the store.

    Raises:
        StoreError: an artefact is missing or damaged.
    """
    rows = [_row(store, cell, makers) for cell in cells]
    references = {
        (row["seed"], row["scenario"], row["pruner"], row["sparsity"]): row
        for row in rows
        if row["method"] == REFERENCE
    }
    for row in rows:
        place = (row["seed"], row["scenario"])
        reference = references.get((*place, row["pruner"], row["sparsity"]))
        dense = references.get((*place, "none", 0.0))
        row["gap"], row["gap_reason"] = (
            (None, NO_REFERENCE) if reference is None else gap_to(reference, row)
        )
        if row["failed"] is not None:
            row["gap_reason"] = row["failed"]
        row["gap_dense"] = None if dense is None else gap_to(dense, row)[0]
    return rows


def gap_to(
    reference: Mapping[str, Any], found: Mapping[str, Any]
) -> tuple[dict[str, float] | None, str | None]:
    """The gap over those requested metrics that are compared, or None and the reason.

    Both arguments come from `read_measures`.
    """
    compared = [
        name
        for name, metric in all_metrics().items()
        if metric.compared and name in found["metrics"]
    ]
    if not compared:
        return None, NOT_COMPARED
    for each in (found, reference):
        for name in compared:
            if each["metrics"][name] is None:
                whose = "the reference has" if each is reference else "there is"
                return None, f"{whose} no {name} to compare: {each['reasons'][name]}"
    return gap(found["metrics"], reference["metrics"], compared), None


def _row(store: Store, cell: Cell, makers: Makers) -> dict[str, Any]:
    folder = store.path(cell.model_id)
    record = load_record(folder)
    return {
        "scenario": cell.scenario,
        "pruner": cell.base.pruner,
        "sparsity": cell.base.sparsity,
        "method": cell.method,
        **{
            name: said
            for name in ("of", "title", "forgets")
            if (said := getattr(cell, name)) is not None
        },
        "seed": cell.seed,
        "config": dict(cell.config),
        "chosen_by": cell.chosen_by,
        **read_measures(store, cell.measures),
        "samples": counts_of(store, cell.measures),
        "rte_s": record["seconds"] if cell.method != ORIGINAL else None,
        "failed": failure(store, cell.measures),
        "notes": record.get("notes", []),
        "gap_note": cell.gap_note,
        "run": cell.model_id,
        "made_by": makers.of(folder),
    }


def failure(store: Store, measures: Mapping[str, str]) -> str | None:
    """Why a model has no measurements: it has diverged, or what it was made from; else None.

    Raises:
        StoreError: a measurement is missing or damaged.
    """
    found = (load_measured(store.path(node_id)) for node_id in measures.values())
    return next((each["diverged"] for each in found if "diverged" in each), None)


def read_measures(store: Store, measures: Mapping[str, str]) -> dict[str, Any]:
    """Measurements: numbers under `metrics`, objects under their names, `reasons` for nulls.

    `draws` says of those that are means over draws how many there were and how they spread.

    Raises:
        StoreError: a measurement is missing or damaged.
    """
    metrics: dict[str, Any] = {}
    details: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    draws: dict[str, Any] = {}
    for name, node_id in measures.items():
        found = load_measured(store.path(node_id))
        (details if get_metric(name).detailed else metrics)[name] = found["value"]
        if found["reason"] is not None:
            reasons[name] = found["reason"]
        if "draws" in found:
            draws[name] = {key: value for key, value in found["draws"].items() if key != "values"}
    return {"metrics": metrics, **details, "reasons": reasons, "draws": draws}
