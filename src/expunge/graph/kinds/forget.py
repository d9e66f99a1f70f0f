"""The kind `forget`: the ids of the training samples that a scenario chooses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.data.corrections import labels_digest
from expunge.errors import ForgetError
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.suspect import add_suspect, how, load_suspects
from expunge.graph.lineage import forgotten_by, remaining
from expunge.graph.runtime import read_facts
from expunge.runs import checked, read_object, write_json
from expunge.scenarios import (
    ByCorrection,
    ByEdit,
    ByIds,
    ByMemorisation,
    BySuspicion,
    Scenario,
    check_scenario,
    parse,
)
from expunge.settings import derive_seed

if TYPE_CHECKING:
    from expunge.data.facts import Facts, Part
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node

CHOSEN = "forget.json"


def add_forget(
    graph: Graph,
    model_id: str,
    scenario: str,
    *,
    facts: Facts,
    anew: bool = True,
    suspects: str | None = None,
    shown: bool = True,
) -> str:
    """The samples that `scenario` chooses from the training samples of `model_id`, data `facts`.

    It does not choose what the model and its ancestors have forgotten, unless `anew` is false:
    then it repeats an earlier request. `suspects` is the node of the samples that a detector
    suspects; without it, such a scenario looks for them with the detector's defaults, in the model
    that last forgot something or else the original one, so that all models sparsified from it
    forget the same samples. Unless `shown` is false, people are told how many samples they are.

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
    known = last is None or graph.store.has(last)
    if last is not None:
        parents["model"] = last
        if known:
            forgotten = forgotten_by(graph.store.path(last))
    edits = graph.node(parents["data"]).params.get("edits", {})
    if isinstance(chosen, ByEdit):
        _check_edit(chosen, facts.train, edits)
    if isinstance(chosen, ByCorrection) and not chosen.is_file:
        _check_edit(ByEdit(chosen.source), facts.train, edits)
    count = None
    if not (isinstance(chosen, ByCorrection) and edits.keys() - facts.train.touched.keys()):
        count = _check(chosen, facts, forgotten)
    params: dict[str, Any] = {"scenario": scenario}
    if isinstance(chosen, ByCorrection) and chosen.is_file:
        params = {"scenario": "corrected", "labels": labels_digest(chosen.source)}
    elif isinstance(chosen, ByIds):
        params = {"scenario": "ids", "ids": _digest(chosen.ids)}
    elif isinstance(chosen, BySuspicion):
        looked = last or graph.origin_of(model_id)
        parents["suspects"] = suspects or add_suspect(graph, looked, chosen.detector)
    elif scenario.startswith("random:") or (isinstance(chosen, ByEdit) and chosen.share < 1):
        params["seed"] = seed
    if isinstance(chosen, ByMemorisation):
        from expunge.graph.kinds.memorisation import add_memorisation

        # Models for the estimate are not trained on what was forgotten before, either.
        base = graph.origin_of(model_id) if last is None else last
        parents["memorisation"] = add_memorisation(graph, base, chosen.models, facts=facts)
    where = {"scenario": scenario}
    added = graph.add("forget", params, parents, where=where, label=f"choose {scenario}")
    if not known or count is None or edits.keys() - facts.train.touched.keys():
        graph.uncounted.add(added)  # edits change labels, too, and so which samples a class has
    elif shown and (said := _said(scenario, count, facts, forgotten)) not in graph.notes:
        graph.notes.append(said)
    return added


def is_correction(graph: Graph, forget_id: str) -> bool:
    """Whether the samples of a forget set are to be corrected instead of deleted."""
    scenario = str(graph.node(forget_id).where["scenario"])
    return scenario.startswith("corrected:")


def refuse_correction(graph: Graph, forget_id: str) -> None:
    """Refuse to delete what is to be corrected.

    Raises:
        ForgetError: the forget set is a correction.
    """
    if is_correction(graph, forget_id):
        raise ForgetError(
            f"{graph.node(forget_id).where['scenario']!r} corrects samples, and this deletes them: "
            "expected a scenario that forgets; expunge correct, unlearn and bench correct"
        )


def load_forget(folder: Path) -> dict[str, Any]:
    """`ids`, `classes` and `scenario` of the forget set in this folder."""
    return read_object(checked(folder, CHOSEN))


def count_line(graph: Graph, forget_id: str) -> str:
    """How many samples are in a forget set that was made, for people."""
    node, path = graph.node(forget_id), graph.store.path
    facts = read_facts(path(node.parents["data"]))
    forgotten = forgotten_by(path(node.parents["model"])) if "model" in node.parents else ()
    count = len(load_forget(path(forget_id))["ids"])
    line = _said(str(node.where["scenario"]), count, facts, forgotten)
    if "suspects" not in node.parents:
        return line
    return f"{line} ({how(load_suspects(path(node.parents['suspects'])))})"


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
    if "labels" in node.params and isinstance(chosen, ByCorrection):
        _check_labels(chosen.source, node.params["labels"])
    if isinstance(chosen, BySuspicion):
        chosen = replace(chosen, ids=tuple(load_suspects(inputs["suspects"])["suspected"]))
    part = remaining(facts.train, forgotten)
    _check(chosen, facts, forgotten)
    if isinstance(chosen, ByMemorisation):
        from expunge.graph.kinds.memorisation import load_order

        chosen = chosen.ranked(load_order(inputs["memorisation"], facts))
    rows, classes = chosen.select(part)
    write_json(
        out / CHOSEN,
        {
            "scenario": scenario,
            "classes": list(classes),
            "ids": [part.ids[row] for row in rows.tolist()],
        },
    )


def _check(scenario: Scenario, facts: Facts, forgotten: Collection[str]) -> int | None:
    """Refuse a scenario that does not fit the samples that are left; how many it chooses.

    None if only edits or lists of suspects that are still to be made decide that.
    """
    left = remaining(facts.train, forgotten)
    if isinstance(scenario, ByIds):
        others = {"are test samples": facts.parts["test"].ids, "were already forgotten": forgotten}
        if "validation" in facts.parts:
            others["are validation samples"] = facts.parts["validation"].ids
        scenario.check(left, others)
    if isinstance(scenario, ByEdit) and not facts.train.touched:
        return None
    if isinstance(scenario, BySuspicion) and scenario.ids is None:
        return None
    return check_scenario(scenario, left)


def _said(scenario: str, count: int, facts: Facts, forgotten: Collection[str]) -> str:
    left = len(remaining(facts.train, forgotten).ids)
    what = "correct" if scenario.startswith("corrected:") else "forget"
    return f"{scenario}: {count} of {left} training samples to {what}"


def _check_edit(scenario: ByEdit, train: Part, edits: Mapping[str, Any]) -> None:
    """Refuse an edit that the data do not have; its samples need not be known yet."""
    known = {name: train.touched.get(name, ()) for name in edits}
    scenario.count(replace(train, touched=known))


def _check_labels(path: str, digest: str) -> None:
    """Refuse a file of labels that has changed.

    Raises:
        ForgetError: it is not the one that was planned with.
    """
    if labels_digest(path) != digest:
        raise ForgetError(f"the labels in {path} have changed since this was planned: run it again")


def _digest(ids: Collection[str]) -> str:
    """Hex digest of a set of ids."""
    return hashlib.blake2b(json.dumps(sorted(ids)).encode(), digest_size=16).hexdigest()


KIND = Kind(name="forget", version=1, run=run, minor=True)
