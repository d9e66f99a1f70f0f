"""The kind `data`: freezes ids, roles, classes and shape, with the edits that come before training.

Its id depends on the content only. Where the content is stored may change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.callables import working_directory_last
from expunge.config import from_mapping, to_mapping
from expunge.data.corrections import labels_digest, read_labels
from expunge.data.facts import Facts, facts_of
from expunge.data.spec import DataSpec
from expunge.data.summary import summary
from expunge.errors import DataError
from expunge.graph.kind import Inputs, Kind
from expunge.graph.runtime import FACTS
from expunge.runs import syntax_digest, write_json

if TYPE_CHECKING:
    from expunge.data.edits.apply import Edits
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node


def add_data(graph: Graph, spec: DataSpec, facts: Facts) -> str:
    """The data that `spec` names, whose content `facts` describes.

    Raises:
        ConfigError, DataError: an edit does not fit the data.
    """
    params: dict[str, Any] = {"fingerprint": facts.fingerprint}
    edits: dict[str, Any] = {}
    if spec.edits:
        from expunge.data.edits.apply import check_fit

        check_fit(spec.edits, facts)
        params["edits"] = edit_params(spec.edits)
        params["seed"] = spec.seed
        edits = settings_of(params["edits"])
    if spec.labels:
        params["labels"] = [labels_digest(path) for path in spec.labels]
    # One text: with several data, lines that they share would leave others without their head.
    if (said := "\n".join(summary(facts, edits))) not in graph.notes:
        graph.notes.append(said)
    return graph.add("data", params, where=to_mapping(spec), label=f"data {facts.name}")


def edit_params(edits: Edits) -> dict[str, Any]:
    """The settings of edits in full, with what identifies them, as nodes keep them.

    Raises:
        ConfigError: as `edit_configs`.
    """
    from expunge.data.edits import get_edit
    from expunge.data.edits.apply import edit_configs

    return {
        name: {"version": get_edit(name).version, "config": to_mapping(config), **_code(name)}
        for name, config in edit_configs(edits).items()
    }


def settings_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of edits by name, from what `edit_params` gave."""
    return {name: edit["config"] for name, edit in params.items()}


def spec_at(where: Mapping[str, Any]) -> DataSpec:
    """The data's specification, from a data node's places."""
    return from_mapping(DataSpec, where, "data")


def check_edits(node: Node) -> None:
    """Refuse edits of one's own whose code is not that of the data node.

    Raises:
        DataError: names the edit.
    """
    for name, edit in node.params.get("edits", {}).items():
        if "code" in edit and _code(name)["code"] != edit["code"]:
            raise DataError(
                f"the code of the edit {name!r} has changed since these data were planned or made: "
                "put it back, or run the command again"
            )


def _code(edit: str) -> dict[str, str]:
    """What identifies an edit of one's own beside its name; nothing for others."""
    from expunge.data.edits.own import is_own

    if not is_own(edit):
        return {}
    with working_directory_last():
        return {"code": syntax_digest(edit)}


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Read the data once, and record its facts."""
    from expunge.data.sources import load

    spec = spec_at(runtime.where(node))
    dataset = load(spec, cache_dir=runtime.place.cache_dir)
    facts = facts_of(dataset)
    if facts.fingerprint != node.params["fingerprint"]:
        raise DataError(
            f"the data at {spec.source} has changed since this was planned (fingerprint "
            f"{node.params['fingerprint']} then, {facts.fingerprint} now): run the command again"
        )
    if spec.edits:
        from expunge.data.edits.apply import apply_edits

        check_edits(node)
        dataset, touched = apply_edits(dataset, spec)
        edited = facts_of(dataset)
        # Keep the source's digests: they are compared when it is read again.
        added = len(edited.train.ids) - len(facts.train.ids)
        train = replace(
            facts.train,
            ids=edited.train.ids,
            labels=edited.train.labels,
            digests=(*facts.train.digests, *edited.train.digests[len(facts.train.digests) :]),
            touched=touched,
            added=added,
        )
        facts = replace(
            facts, parts={**facts.parts, "train": train}, mean=edited.mean, std=edited.std
        )
    for path, digest in zip(spec.labels or (), node.params.get("labels", ()), strict=True):
        if labels_digest(path) != digest:
            raise DataError(
                f"the labels in {path} have changed since this was planned: run it again"
            )
        train = facts.train
        right = read_labels(path, train.ids, train.labels, train.class_names)
        labels = (right.get(name, had) for name, had in zip(train.ids, train.labels, strict=True))
        facts = replace(facts, parts={**facts.parts, "train": replace(train, labels=tuple(labels))})
    write_json(out / FACTS, facts.to_json())


KIND = Kind(name="data", version=1, run=run)
