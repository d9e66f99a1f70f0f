"""Forget harmful, helpful or random source classes, and see what the target gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from expunge.config import to_mapping
from expunge.data.facts import Facts
from expunge.graph.graph import Graph
from expunge.graph.kinds.forget import add_forget
from expunge.graph.kinds.transfer import add_transfer, load_transfer
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.outcome import divergence
from expunge.graph.record import load_record
from expunge.runs import Store
from expunge.settings import Training, derive_seed
from expunge.studies.grid import Base
from expunge.studies.transfer.settings import SELECTIONS
from expunge.transfer.probe import ProbeConfig

NOTHING = "nothing"
"""The selection of the source model as it is."""


@dataclass(frozen=True, kw_only=True)
class Removal:
    """One model that forgot some source classes, or the source model, and its transfers."""

    selection: str
    number: int
    method: str
    base: Base
    seed: int
    classes: tuple[int, ...]
    model_id: str
    transfers: Mapping[str, str]
    """By `probe` and `fine_tuning`: the node that measures it."""
    config: Mapping[str, Any]


def plan_removal(
    graph: Graph,
    bases: Sequence[tuple[int, Base]],
    source: Facts,
    target_id: str,
    ranking: Sequence[int],
    numbers: Sequence[int],
    methods: Mapping[str, Any],
    ways: Mapping[str, ProbeConfig | Training],
) -> list[Removal]:
    """For every base, number and selection of classes: each method's result, on the target.

    Args:
        graph: gets the nodes.
        bases: source models with their seeds.
        source: facts of the source data.
        target_id: the data node of the target.
        ranking: indices of the source classes, the most harmful first.
        numbers: how many classes to forget.
        methods: settings by method.
        ways: how to bring a model to the target, by name.
    """

    def transfers(model: str) -> dict[str, str]:
        return {way: add_transfer(graph, model, target_id, ways[way]) for way in ways}

    found = []
    for seed, base in bases:
        found.append(
            Removal(
                selection=NOTHING,
                number=0,
                method="original",
                base=base,
                seed=seed,
                classes=(),
                model_id=base.model_id,
                transfers=transfers(base.model_id),
                config={},
            )
        )
        for number in numbers:
            for selection in SELECTIONS:
                classes = selected(ranking, selection, number, seed)
                scenario = "class:" + ",".join(map(str, classes))
                forget = add_forget(graph, base.model_id, scenario, facts=source)
                for method, config in methods.items():
                    model = add_unlearn(graph, base.model_id, forget, method, config)
                    found.append(
                        Removal(
                            selection=selection,
                            number=number,
                            method=method,
                            base=base,
                            seed=seed,
                            classes=classes,
                            model_id=model,
                            transfers=transfers(model),
                            config=to_mapping(config),
                        )
                    )
    return found


def selected(ranking: Sequence[int], selection: str, number: int, seed: int) -> tuple[int, ...]:
    """The classes of a selection, ascending; random ones are drawn by the seed, the few among many.

    >>> selected([4, 0, 2, 1, 3], "harmful", 2, 0), selected([4, 0, 2, 1, 3], "helpful", 1, 0)
    ((0, 4), (3,))
    """
    order = list(ranking)
    if selection == "helpful":
        order.reverse()
    elif selection == "random":
        order = sorted(order)
        Random(derive_seed(seed, "random classes")).shuffle(order)
    return tuple(sorted(order[:number]))


def collect_removal(
    store: Store, removals: Sequence[Removal], names: Sequence[str]
) -> list[dict[str, Any]]:
    """A row for every model: target accuracies in percent, and what it cost.

    Raises:
        StoreError: an artefact is missing or damaged.
    """
    rows = []
    for each in removals:
        folder = store.path(each.model_id)
        measured = {way: load_transfer(store.path(node)) for way, node in each.transfers.items()}
        failed = divergence(folder) or next(
            (one["diverged"] for one in measured.values() if "diverged" in one), None
        )
        rows.append(
            {
                "selection": each.selection,
                "number": each.number,
                "method": each.method,
                "pruner": each.base.pruner,
                "sparsity": each.base.sparsity,
                "seed": each.seed,
                "classes": [names[index] for index in each.classes],
                "config": dict(each.config),
                "accuracy": {
                    way: one["accuracy"]["test"]
                    for way, one in measured.items()
                    if "accuracy" in one
                },
                "seconds": load_record(folder).get("seconds"),
                "failed": failed,
                "run": each.model_id,
            }
        )
    return rows
