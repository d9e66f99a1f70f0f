"""The kind `forget`: the ids of the training samples that a scenario chooses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.errors import ForgetError
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.suspect import add_suspect, how, load_suspects
from expunge.graph.lineage import forgotten_by, remaining
from expunge.graph.runtime import read_facts
from expunge.runs import checked, read_object, write_json
from expunge.scenarios import ByMemorisation, BySuspicion, Parsed, check_scenario, corrects, parse
from expunge.settings import derive_seed

if TYPE_CHECKING:
    from expunge.data.facts import Facts
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
    pending = edits.keys() - facts.train.touched.keys()
    chosen.check_edits(edits)
    count = _check(chosen, facts, forgotten, pending)
    looked = last or graph.origin_of(model_id)
    if isinstance(chosen, BySuspicion):
        parents["suspects"] = suspects or add_suspect(graph, looked, chosen.detector)
    if isinstance(chosen, ByMemorisation):
        from expunge.graph.kinds.memorisation import add_memorisation

        # Models for the estimate are not trained on what was forgotten before, either.
        parents["memorisation"] = add_memorisation(graph, looked, chosen.models, facts=facts)
    params = {"scenario": scenario, **chosen.identity}
    where = {"scenario": scenario}
    added = graph.add("forget", params, parents, where=where, label=f"choose {scenario}")
    if not known or count is None or pending:
        graph.uncounted.add(added)  # edits change labels, too, and so which samples a class has
    elif shown and (said := _said(scenario, count, facts, forgotten)) not in graph.notes:
        graph.notes.append(said)
    return added


def is_correction(graph: Graph, forget_id: str) -> bool:
    """Whether the samples of a forget set are to be corrected instead of deleted."""
    return corrects(str(graph.node(forget_id).where["scenario"]))


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
    if {"scenario": scenario, **chosen.identity} != node.params:
        raise ForgetError(
            f"what {scenario!r} names has changed since this was planned: run the command again"
        )
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


def _check(
    scenario: Parsed, facts: Facts, forgotten: Collection[str], pending: Collection[str] = ()
) -> int | None:
    """Refuse a scenario that does not fit the samples that are left; how many it chooses.

    None if only edits in `pending`, or models that are still to be made, decide that.
    """
    left = remaining(facts.train, forgotten)
    others = {"are test samples": facts.parts["test"].ids, "were already forgotten": forgotten}
    if "validation" in facts.parts:
        others["are validation samples"] = facts.parts["validation"].ids
    scenario.check(left, others)
    return None if scenario.undecided(pending) else check_scenario(scenario, left)


def _said(scenario: str, count: int, facts: Facts, forgotten: Collection[str]) -> str:
    left = len(remaining(facts.train, forgotten).ids)
    what = "correct" if corrects(scenario) else "forget"
    return f"{scenario}: {count} of {left} training samples to {what}"


KIND = Kind(name="forget", version=1, run=run, minor=True)
