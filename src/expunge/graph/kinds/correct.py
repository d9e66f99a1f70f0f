"""The kind `correct`: a model that unlearns what is wrong while it learns what is right.

It is the model of one data node, continued on another with the same samples, some of them
corrected. Its descendants stand on the corrected data.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.errors import DataError, ForgetError
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.forget import is_correction, load_forget
from expunge.graph.kinds.train import Together
from expunge.graph.kinds.unlearn import add_unlearn, made_by_method, unlearn_label, unlearn_params
from expunge.graph.lineage import forgotten_by, write_forgotten
from expunge.scenarios import ByCorrection, parse

if TYPE_CHECKING:
    from collections.abc import Collection

    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node
    from expunge.types import Samples, Split


def add_correct(
    graph: Graph,
    model_id: str,
    forget_id: str,
    method: str,
    config: Any,
    together: Together | None = None,
    *,
    another_seed: bool = False,
) -> str:
    """The model `model_id` after `method` has unlearned what is wrong, and learned what is right.

    `forget_id` is a forget set whose scenario is a correction. Of the method's two sets, the wrong
    samples are the one to forget; all samples, the right ones among them, are the one to retain. So
    Retrain is training from scratch on corrected data.

    Raises:
        ConfigError: `model_id` is not a model, or no method has this name.
        ForgetError: the forget set is no correction.
    """
    parents = {
        "model": model_id,
        "data": corrected_data(graph, model_id, forget_id),
        "before": graph.data_of(model_id),
        "origin": graph.origin_of(model_id),
        "forget": forget_id,
    }
    params = unlearn_params(graph, model_id, method, config, together, another_seed=another_seed)
    label = unlearn_label(graph, model_id, forget_id, method, another_seed=another_seed)
    return graph.add("correct", params, parents, label=label)


def add_answer(
    graph: Graph,
    model_id: str,
    forget_id: str,
    method: str,
    config: Any,
    together: Together | None = None,
    *,
    another_seed: bool = False,
) -> str:
    """The model after a request: corrected if the forget set is a correction, else unlearned.

    Raises:
        ConfigError: as `add_correct`.
    """
    add = add_correct if is_correction(graph, forget_id) else add_unlearn
    return add(graph, model_id, forget_id, method, config, together, another_seed=another_seed)


def corrected_data(graph: Graph, model_id: str, forget_id: str) -> str:
    """The data of `model_id` with the correction of a forget set: right labels, or one edit less.

    A file of labels is not read again: it is the one that the forget set was planned with.

    Raises:
        ForgetError: the forget set is no correction.
    """
    data, forget = graph.node(graph.data_of(model_id)), graph.node(forget_id)
    chosen = parse(str(forget.where["scenario"]))
    if not isinstance(chosen, ByCorrection):
        raise ForgetError(f"{chosen.name!r} corrects nothing: expected corrected:labels.csv")
    params, where = dict(data.params), dict(data.where)
    if chosen.is_file:
        params["labels"] = [*params.get("labels", ()), forget.params["labels"]]
        where["labels"] = [*(where.get("labels") or ()), chosen.source]
    else:
        for place in (params, where):
            edits = {name: edit for name, edit in place["edits"].items() if name != chosen.source}
            place["edits"] = edits
        if not params["edits"]:
            del params["edits"], params["seed"]
    return graph.add("data", params, where=where, label=f"data, {chosen.name}")


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Run the method on both versions of the samples, without what was forgotten earlier."""
    forgotten = forgotten_by(inputs["model"])
    write_forgotten(out, forgotten)
    chosen = load_forget(inputs["forget"])

    def split() -> Split:
        before = runtime.dataset(inputs["before"], forgotten).train
        after = runtime.dataset(inputs["data"], forgotten).train
        return correction_split(before, after, chosen["ids"], forgotten, chosen["scenario"])

    made_by_method(node, inputs, out, runtime, split)


def correction_split(
    before: Samples,
    after: Samples,
    wrong: Collection[str],
    forgotten: Collection[str],
    scenario: str,
) -> Split:
    """The `wrong` samples as they were, to forget; all samples as they are now, to retain.

    Raises:
        DataError: the two have other samples.
    """
    import torch

    from expunge.data.inputs.joined import JoinedInputs
    from expunge.data.splits import subset
    from expunge.types import Split

    if before.ids != after.ids:
        raise DataError(
            f"{scenario!r} leaves other samples ({len(before)} before, {len(after)} after): a "
            "correction keeps them; forget samples that an edit has added instead"
        )
    ids, gone = set(wrong), set(forgotten)
    old = subset(before, torch.tensor([i for i, name in enumerate(before.ids) if name in ids]))
    count = len(old)
    joined = replace(
        after,
        inputs=JoinedInputs(old.inputs, after.inputs),
        labels=torch.cat([old.labels, after.labels]),
        ids=(*(f"{name}, before" for name in old.ids), *after.ids),
        fingerprint=f"{old.fingerprint} {after.fingerprint}",
    )
    return Split(
        train=joined,
        forget=torch.arange(count),
        scenario=scenario,
        forgotten=torch.tensor(
            [count + row for row, name in enumerate(after.ids) if name in gone], dtype=torch.int64
        ),
    )


KIND = Kind(name="correct", version=1, run=run, is_model=True)
