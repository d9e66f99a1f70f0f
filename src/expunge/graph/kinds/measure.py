"""The kind `measure`: one metric of one model in one scenario."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.data.groups import GROUPS
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.correct import corrected_data
from expunge.graph.kinds.forget import is_correction, load_forget
from expunge.graph.kinds.judge import Judging, add_judged, add_judged_real
from expunge.graph.kinds.nearest import add_nearest, load_distances
from expunge.graph.kinds.predict import add_predict, load_groups, load_predictions
from expunge.graph.kinds.train import Together
from expunge.graph.lineage import forgotten_by
from expunge.graph.model_files import WEIGHTS, load_model
from expunge.graph.outcome import divergence
from expunge.metrics import all_metrics, get_metric, metric_of_a_model
from expunge.metrics.metric import COPIES, GENERATED, PREDICTIONS, REAL
from expunge.runs import checked, read_object, write_json
from expunge.settings import derive_seed
from expunge.tasks import check_task

if TYPE_CHECKING:
    from torch import Tensor

    from expunge.data.edits.apply import Edits
    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.metrics.arrays import Flags
    from expunge.metrics.evidence import Evidence
    from expunge.runs import Node

MEASURED = "measured.json"


def add_measure(
    graph: Graph,
    metric: str,
    model_id: str,
    base_id: str,
    forget_id: str,
    reference_id: str | None = None,
    together: Together | None = None,
    gone: Collection[str] = (),
    groups: str | None = None,
    trigger: Edits | None = None,
    judging: Judging | None = None,
) -> str:
    """Metric `metric` of `model_id`, unlearned from `base_id`, on the forget set `forget_id`.

    `reference_id` is the retrained model to compare weights with. `gone` are ids that `model_id`
    has forgotten, so that predictions of `base_id` may lack them. `groups` is a file of
    groups to take instead of the one that the data name. `trigger` is the settings of an edit by
    its name, whose trigger test samples carry instead of that of the data's own edit. `judging`
    says how images that a model makes are judged. If the forget set is a correction, training
    samples are measured by their right labels and inputs.

    Raises:
        ConfigError: no metric has this name, it is for another task or for many models, or an id
            is not a model's.
    """
    entry, task = metric_of_a_model(metric), graph.task_of(model_id)
    fitting = (each.name for each in all_metrics().values() if task in each.tasks)
    check_task(f"metric {metric}", entry.tasks, task, fitting)
    judging = judging or Judging()
    parents = {
        "model": model_id,
        "data": graph.data_of(base_id),
        "forget": forget_id,
    }
    shown = {}
    if is_correction(graph, forget_id):
        shown["train"] = corrected_data(graph, base_id, forget_id)
    for need in sorted(entry.needs):
        if need == "base":
            parents["base"] = base_id
        elif need == "reference":
            if reference_id is not None:
                parents["reference"] = reference_id
        elif need.startswith("base_"):
            name = need.removeprefix("base_")
            parents[need] = add_predict(graph, base_id, name, together, gone, groups, trigger)
        elif need == GENERATED:
            parents[need] = add_judged(graph, model_id, judging)
        elif need == REAL:
            parents[need] = add_judged_real(graph, parents["data"], judging)
        elif need == COPIES:
            parents[need] = add_nearest(graph, model_id, forget_id, judging)
        elif need not in ("model", "forget"):
            by = shown.get(need, parents["data"])
            parents[need] = add_predict(
                graph, model_id, need, together, groups=groups, trigger=trigger, data_id=by
            )
    params = {
        "metric": metric,
        "version": entry.version,
        "seed": derive_seed(graph.seed_of(base_id), "attack"),
    }
    return graph.add("measure", params, parents, label=f"measure {metric} of {model_id}")


def load_measured(folder: Path) -> dict[str, Any]:
    """`value` of the measurement in this folder, or null and the `reason`; `draws`, if any.

    If the model has diverged, the reason also stands under `diverged`.
    """
    return read_object(checked(folder, MEASURED))


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Give the metric what it needs, and write the result."""
    from expunge.metrics.metric import measure

    metric = get_metric(node.params["metric"])
    reason = next((why for role in inputs if (why := _diverged(inputs, role)) is not None), None)
    if reason is not None:
        write_json(out / MEASURED, {"value": None, "reason": reason, "diverged": reason})
        return
    found = measure(metric, _evidence(node, inputs, runtime, metric.needs))
    document: dict[str, Any] = {"value": found.value, "reason": found.reason}
    if found.draws is not None:
        document["draws"] = {**found.draws.summary(), "values": list(found.draws.values)}
    write_json(out / MEASURED, document)


def _diverged(inputs: Inputs, role: str) -> str | None:
    """Why the model of a role, other than the reference, or its predictions are not there."""
    return None if role == "reference" else divergence(inputs[role])


def _evidence(node: Node, inputs: Inputs, runtime: Runtime, needs: frozenset[str]) -> Evidence:
    from expunge.metrics.evidence import Evidence, Predictions
    from expunge.models.weights import read_tensors

    chosen = load_forget(inputs["forget"])
    arrays = {
        need: load_predictions(inputs[need]) for need in PREDICTIONS if need in needs & set(inputs)
    }
    missing: dict[str, str] = {}
    forget = retain = None
    rows, there = _common_rows(arrays), None
    if rows is not None:
        ids = runtime.facts(inputs["data"]).train.ids
        there = [ids[row] for row in rows]
        forget, retain = divided(there, chosen["ids"], inputs["model"])
        if gone := len(chosen["ids"]) - int(forget.sum()):
            total = len(chosen["ids"])
            missing["forget"] = f"{gone} of {total} samples to forget are no longer in the data"
            forget = None
    if "reference" in needs:
        reason: str | None = "no retrained model to compare with"
        if "reference" in inputs:
            reason = divergence(inputs["reference"])
        missing |= {} if reason is None else {"reference": reason}
    copies = None
    if COPIES in inputs:
        from expunge.metrics.near_copies import Copies

        near = load_distances(inputs[COPIES])
        if gone := int(near["missing"]):
            total = len(chosen["ids"])
            missing[COPIES] = f"{gone} of {total} samples to forget are no longer in the data"
        else:
            copies = Copies(near["generated"], near["held_out"])
    weights: dict[str, Callable[[], Mapping[str, Tensor]]] = {
        role: partial(read_tensors, checked(inputs[role], WEIGHTS))
        for role in ("base", "reference")
        if role in inputs and role in needs and role not in missing
    }
    mask = None
    counted: tuple[str, ...] = ()
    if "model" in needs:
        from expunge.sparsity.thresholds import counted_weights

        model, _, mask = load_model(inputs["model"])
        counts = counted_weights(model, mask)
        own = {name: p.detach() for name, p in model.named_parameters()} | counts
        weights["model"] = lambda: own
        counted = tuple(counts)
    groups = _groups(inputs)
    return Evidence(
        predictions={
            need: Predictions(
                each["logits"], each["labels"], each.get("groups"), each.get("features")
            )
            for need, each in arrays.items()
        },
        forget=forget,
        retain=retain,
        classes=tuple(chosen["classes"]),
        ids=there,
        seed=node.params["seed"],
        target=target_in(inputs),
        class_names=runtime.facts(inputs["data"]).class_names if groups else (),
        group_names=tuple(groups.get("names", ())),
        groups_are_marks=bool(groups.get("marks")),
        weights=weights,
        mask=mask,
        counted=counted,
        copies=copies,
        missing=missing,
    )


def _common_rows(arrays: dict[str, dict[str, Any]]) -> list[int] | None:
    """The training samples that every prediction has; others are left out.

    Predictions made before a forgotten sample left the data still have it.
    """
    import numpy as np

    divided = [name for name in ("train", "base_train", REAL) if name in arrays]
    if not divided:
        return None
    rows = set.intersection(*(set(arrays[name]["rows"].tolist()) for name in divided))
    for name in divided:
        kept = np.isin(arrays[name]["rows"], list(rows))
        arrays[name] = {key: values[kept] for key, values in arrays[name].items()}
    return sorted(rows)


def divided(there: list[str], chosen: Collection[str], model: Path) -> tuple[Flags, Flags]:
    """Flags of the training samples `there` to forget, those `chosen`, and of those to retain.

    A sample that the model or an ancestor of it has forgotten is not retained.
    """
    import numpy as np

    now = set(chosen)
    out = now | set(forgotten_by(model))
    return np.array([name in now for name in there]), np.array([name not in out for name in there])


def _groups(inputs: Inputs) -> dict[str, Any]:
    """What the groups are, if there are predictions of groups."""
    for need in (GROUPS, f"base_{GROUPS}"):
        if need in inputs:
            return load_groups(inputs[need])
    return {}


def target_in(inputs: Inputs) -> int | None:
    """The target class of triggered samples: of the trigger that they carry, or the data's."""
    from expunge.data.edits.apply import target_of
    from expunge.graph.kinds.data import settings_of
    from expunge.graph.runtime import params_of

    for need in ("triggered", "base_triggered"):
        if need in inputs and "trigger" in params_of(inputs[need]):
            return target_of(settings_of(params_of(inputs[need])["trigger"]))
    return target_of(settings_of(params_of(inputs["data"]).get("edits", {})))


KIND = Kind(name="measure", version=1, run=run, minor=True)
