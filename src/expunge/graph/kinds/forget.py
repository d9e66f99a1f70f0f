"""The kind `forget`: the ids of the training samples that a scenario chooses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.errors import ForgetError, some
from expunge.graph.kind import Inputs, Kind
from expunge.graph.lineage import forgotten_by, remaining
from expunge.runs import checked, read_object, write_json
from expunge.scenarios import ByEdit, ByIds, Scenario, check_scenario, parse
from expunge.settings import derive_seed

if TYPE_CHECKING:
    from expunge.data.facts import Facts, Part
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node

CHOSEN = "forget.json"


def add_forget(
    graph: Graph, model_id: str, scenario: str, *, facts: Facts, anew: bool = True
) -> str:
    """The samples that `scenario` chooses from the training samples of `model_id`, data `facts`.

    It does not choose what the model and its ancestors have forgotten, unless `anew` is false:
    then it repeats an earlier request.

    Raises:
        ConfigError: the text is not a scenario, or `model_id` is not a model.
        ForgetError: the scenario does not fit the data.
    """
    graph.model(model_id)
    seed = derive_seed(graph.seed_of(model_id), "scenario")
    chosen = parse(scenario, seed=seed)
    parents = {"data": graph.data_of(model_id)}
    last = graph.last_forgetting(model_id) if anew else None
    forgotten: tuple[str, ...] = ()
    if last is not None:
        parents["model"] = last
        if graph.store.has(last):
            forgotten = forgotten_by(graph.store.path(last))
    if isinstance(chosen, ByEdit):
        _check_edit(chosen, facts.train, graph.node(parents["data"]).params.get("edits", {}))
    _check(chosen, facts, forgotten)
    params: dict[str, Any] = {"scenario": scenario}
    if isinstance(chosen, ByIds):
        params = {"scenario": "ids", "ids": _digest(chosen.ids)}
    elif scenario.startswith("random:"):
        params["seed"] = seed
    where = {"scenario": scenario}
    return graph.add("forget", params, parents, where=where, label=f"choose {scenario}")


def load_forget(folder: Path) -> dict[str, Any]:
    """`ids`, `classes` and `scenario` of the forget set in this folder."""
    return read_object(checked(folder, CHOSEN))


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Draw, look up or read the ids, and write them."""
    facts = runtime.facts(inputs["data"])
    forgotten = forgotten_by(inputs["model"]) if "model" in inputs else ()
    scenario = str(runtime.where(node)["scenario"])
    chosen = parse(scenario, seed=node.params.get("seed", 0))
    if isinstance(chosen, ByIds) and _digest(chosen.ids) != node.params["ids"]:
        raise ForgetError(
            f"the list of ids {chosen.source} has changed since this was planned: run the command "
            "again"
        )
    part = remaining(facts.train, forgotten)
    _check(chosen, facts, forgotten)
    rows, classes = chosen.select(part)
    write_json(
        out / CHOSEN,
        {
            "scenario": scenario,
            "classes": list(classes),
            "ids": [part.ids[row] for row in rows.tolist()],
        },
    )


def _check(scenario: Scenario, facts: Facts, forgotten: Collection[str]) -> None:
    """Refuse a scenario that does not fit the samples that are left."""
    if isinstance(scenario, ByIds):
        _check_ids(scenario, facts, forgotten)
    if isinstance(scenario, ByEdit) and not facts.train.touched:
        return  # which samples an edit changes is known once the data node is made
    check_scenario(scenario, remaining(facts.train, forgotten))


def _check_ids(scenario: ByIds, facts: Facts, forgotten: Collection[str]) -> None:
    """Say of ids that were forgotten before, or were never trained on, that they are such."""
    asked = set(scenario.ids)
    known = {"were already forgotten": asked & set(forgotten)}
    for role, part in facts.parts.items():
        if role != "train":
            known[f"are {role} samples"] = asked & set(part.ids) - set(facts.train.ids)
    for what, ids in known.items():
        if ids:
            raise ForgetError(
                f"{len(ids)} of the {len(scenario.ids)} ids in {scenario.source!r} {what} "
                f"({some(sorted(ids))}): leave them out"
            )


def _check_edit(scenario: ByEdit, train: Part, edits: Mapping[str, Any]) -> None:
    """Refuse an edit that the data do not have; its samples need not be known yet."""
    known = {name: train.touched.get(name, ()) for name in edits}
    scenario.count(replace(train, touched=known))


def _digest(ids: Collection[str]) -> str:
    """Hex digest of a set of ids."""
    return hashlib.blake2b(json.dumps(sorted(ids)).encode(), digest_size=16).hexdigest()


KIND = Kind(name="forget", version=1, run=run, minor=True)
