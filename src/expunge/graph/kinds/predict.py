"""The kind `predict`: logits of one model on one population, so that metrics need no model."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.data.by_id import digest_of
from expunge.data.facts import ROLES
from expunge.data.groups import GROUPS, no_groups, read_groups
from expunge.errors import ConfigError, DataError, DivergedError
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.data import edit_params, settings_of, spec_at
from expunge.graph.kinds.train import Together
from expunge.graph.lineage import forgotten_by
from expunge.graph.model_files import load_model
from expunge.graph.outcome import check_diverged, passed_on, write_divergence
from expunge.methods import get_method
from expunge.runs import checked, read_arrays, read_object, write_arrays, write_json
from expunge.tasks import check_task

if TYPE_CHECKING:
    from torch import Tensor

    from expunge.data.edits.apply import Edits
    from expunge.data.groups import Grouped
    from expunge.data.spec import DataSpec
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node
    from expunge.types import Samples

PREDICTIONS = "predictions.safetensors"
NAMED = "groups.json"
"""What the groups are, of predictions on the population `groups`."""


def add_predict(
    graph: Graph,
    model_id: str,
    population: str,
    together: Together | None = None,
    gone: Collection[str] = (),
    groups: str | None = None,
    trigger: Edits | None = None,
    data_id: str | None = None,
) -> str:
    """The logits of `model_id` on `population`: one of `POPULATIONS`, or `groups`.

    `gone` are ids that a later model has forgotten: the data may lack them, too. `groups` is a file
    of groups to take instead of the one that the data name. `trigger` is the settings of an edit by
    its name; test samples carry its trigger instead of that of the data's own edit. `data_id` is
    other data with the same samples, to take instead of those of the model.

    Raises:
        ConfigError: `model_id` is not a model that classifies, or its data have no triggered
            samples or groups.
        DataError: the file of groups cannot be read.
    """
    graph.model(model_id)
    check_task("a prediction", {"classify"}, graph.task_of(model_id))
    data = graph.node(graph.data_of(model_id) if data_id is None else data_id)
    if population == "triggered" and trigger is None:
        _check_trigger(data)
    origin = graph.node(graph.origin_of(model_id))
    # Evaluation is never compiled.
    devices = {
        name: value
        for name, value in (together or Together()).params().items()
        if name != "compiled"
    }
    params = {"population": population, "threads": origin.params["threads"], **devices}
    where: dict[str, Any] = {"gone": list(gone)} if gone else {}
    if population == GROUPS:
        file = _groups_file(data, groups)
        if file is not None:
            params["groups"] = digest_of(read_groups(file))
            where["groups"] = file
    if population == "triggered" and trigger is not None:
        params["trigger"] = edit_params(trigger)
    parents = {"model": model_id, "data": data.id}
    label = f"predict {population} with {model_id}"
    return graph.add("predict", params, parents, where=where, label=label)


def has_groups(data: Node) -> bool:
    """Whether a data node names a file of groups, or has an edit with marks."""
    return data.where.get("groups") is not None or has_marks(data)


def has_marks(data: Node) -> bool:
    """Whether marks make the groups of a data node."""
    from expunge.data.edits.apply import marking

    edits = settings_of(data.params.get("edits", {}))
    return data.where.get("groups") is None and marking(edits) is not None


def _groups_file(data: Node, given: str | None) -> str | None:
    """The file of groups that is given, or that the data name; None if marks make the groups."""
    if given is not None:
        return given
    if not has_groups(data):
        raise ConfigError(no_groups(str(data.where.get("source", "the data"))))
    file: str | None = data.where.get("groups")
    return file


def _check_trigger(data: Node) -> None:
    from expunge.data.edits.apply import triggering

    if triggering(settings_of(data.params.get("edits", {}))) is None:
        raise ConfigError(
            "the data have no triggered samples: add an edit that has a trigger, such as "
            "[data.edits.badnets]"
        )


def load_predictions(folder: Path) -> dict[str, Any]:
    """`logits` `(N, classes)`, `labels` `(N,)` and `rows` `(N,)` of the predictions in a folder.

    `rows` are ascending positions in the data node's list of ids; samples that the data lack have
    none. With the population `groups` there is `groups` `(N,)`, too: the numbers of the groups.

    Raises:
        DivergedError: the folder holds the reason why there are no predictions.
    """
    check_diverged(folder)
    return dict(read_arrays(checked(folder, PREDICTIONS)))


def load_groups(folder: Path) -> dict[str, Any]:
    """`names` of the groups by number, and whether they are `marks` of the class of this number."""
    return read_object(checked(folder, NAMED))


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Every sample of the population once, without augmentation, in float32.

    If the model has diverged, the reason stands in place of the predictions.

    Raises:
        DivergedError: the outputs of an original model are not finite.
    """
    import numpy as np
    import torch

    from expunge.data.groups import Grouped, group_names, grouped, groups_are_marks
    from expunge.data.populations import population_of
    from expunge.runs import read_artefact
    from expunge.training.predict import predict

    if passed_on(inputs["model"], out):
        return
    population = str(node.params["population"])
    forgotten = (*forgotten_by(inputs["model"]), *runtime.where(node).get("gone", ()))
    dataset = runtime.dataset(inputs["data"], forgotten)
    spec = spec_at(runtime.where(read_artefact(inputs["data"]).node))
    if "trigger" in node.params:
        spec = replace(spec, edits=settings_of(node.params["trigger"]))
    parts: Iterable[Samples | Grouped]
    if population == GROUPS:
        spec = _with_groups(spec, node, runtime)
        parts = grouped(dataset.test, spec)
    else:
        parts = [population_of(dataset, population, spec)]
    model, _, _ = load_model(inputs["model"])
    label = f"predict {population}"
    outputs: list[Tensor] = []
    labels: list[Tensor] = []
    groups: list[Tensor] = []
    ids: list[str] = []
    for part in parts:
        samples = part.samples if isinstance(part, Grouped) else part
        groups += [part.groups] if isinstance(part, Grouped) else []
        outputs.append(
            predict(model, samples, runtime.evaluator, label=label, progress=runtime.progress)
        )
        labels.append(samples.labels)
        ids += samples.ids
    logits = torch.cat(outputs)
    broken = int((~logits.isfinite()).flatten(1).any(1).sum())
    if broken:
        made = read_artefact(inputs["model"]).node
        reason = _diverged(made, f"{broken} of {len(logits)} {population} samples")
        if "origin" not in made.parents:
            raise DivergedError(reason)
        write_divergence(out, reason)
        return
    own = population if population in ROLES else "test"
    place = {name: row for row, name in enumerate(runtime.facts(inputs["data"]).parts[own].ids)}
    arrays = {
        "logits": logits.numpy(),
        "labels": torch.cat(labels).numpy(),
        "rows": np.array([place[name] for name in ids], dtype=np.int64),
    }
    if groups:
        arrays["groups"] = torch.cat(groups).numpy()
        names = group_names(spec, dataset.test.class_names)
        write_json(out / NAMED, {"names": list(names), "marks": groups_are_marks(spec)})
    write_arrays(out / PREDICTIONS, arrays)


def _with_groups(spec: DataSpec, node: Node, runtime: Runtime) -> DataSpec:
    """The specification with the file of groups that was planned, or with none.

    Raises:
        DataError: the file has changed since.
    """
    file = runtime.where(node).get("groups")
    if file is not None and digest_of(read_groups(file)) != node.params["groups"]:
        raise DataError(f"the groups in {file} have changed since this was planned: run it again")
    return replace(spec, groups=file)


def _diverged(made: Node, samples: str) -> str:
    """The reason why a model has no predictions."""
    if "method" in made.params:
        method = get_method(made.params["method"])
        what, milder = method.name, method.milder
    else:
        what, milder = made.kind, "lower the learning rate of the training"
    return f"diverged: {made.id} ({what}: the outputs for {samples} are not finite: {milder})"


KIND = Kind(name="predict", version=1, run=run, minor=True)
