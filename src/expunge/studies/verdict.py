"""Measure one model of the store, and compare it with a retrained one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from expunge.errors import ConfigError
from expunge.graph.graph import Graph
from expunge.graph.kinds.forget import add_forget, is_correction
from expunge.graph.kinds.measure import add_measure, load_measured
from expunge.graph.kinds.predict import add_predict, has_groups
from expunge.graph.lineage import forgotten_by
from expunge.graph.runtime import read_facts
from expunge.metrics import DEFAULTS, GROUP_METRICS
from expunge.runs import Store
from expunge.studies.counts import against, counts_of
from expunge.studies.doubts import doubts, not_converged
from expunge.studies.grid import gap_to, note_groups, read_measures
from expunge.studies.made import Makers


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The measurements of a model, and of the retrained model to compare it with."""

    run_id: str
    base_id: str
    scenario: str
    measures: Mapping[str, str]
    """By metric: the node that measures the model."""
    reference: Mapping[str, str] | None
    """The same for the retrained model; None if none was given."""
    reference_base: str | None
    reference_base_ra: str | None = None
    """The node that measures RA of the model that the reference was retrained from."""
    doubts: tuple[str, ...] = ()
    """How the reference may have been made otherwise than the model."""


def plan_verdict(
    graph: Graph,
    run_id: str,
    reference_id: str | None,
    forget: str | None,
    metrics: tuple[str, ...] | None = None,
    groups: str | None = None,
) -> Verdict:
    """Plan the metrics of a model, by default those of its task, and of `reference_id` if given.

    `forget` is the scenario to measure on; by default, what the model has unlearned. `metrics` are
    by default those of every grid, and accuracy by group where the data have groups; `groups` is a
    file of the test samples' groups.

    Raises:
        ConfigError: a run is not a model, or the reference was retrained in another scenario.
        ForgetError: the scenario does not fit the data.
        DataError: the file of groups does not fit the test samples.
    """
    model = graph.model(run_id)
    if groups is not None:
        note_groups(graph, groups, read_facts(graph.store.path(graph.data_of(run_id))))
    base_id, forget_id = run_id, model.parents.get("forget")
    if model.kind in ("unlearn", "correct"):
        base_id = model.parents["model"]
    if forget is not None:
        facts = read_facts(graph.store.path(graph.data_of(run_id)))
        # Measure an earlier request unchanged, whatever has been forgotten since.
        forget_id = add_forget(graph, run_id, forget, facts=facts, anew=False)
    if forget_id is None:
        raise ConfigError(f"{run_id} has unlearned nothing: add --forget")
    scenario = str(graph.node(forget_id).where["scenario"])
    if metrics is None:
        there = groups is not None or has_groups(graph.node(graph.data_of(base_id)))
        metrics = (
            *DEFAULTS[graph.task_of(run_id)],
            *(GROUP_METRICS if there else ()),
            *(("old_label",) if is_correction(graph, forget_id) else ()),
        )
    other_base = None
    if reference_id is not None:
        _check_reference(graph, reference_id, forget_id, scenario)
        other_base = graph.node(reference_id).parents["model"]

    # The data may lack what this model has forgotten, though the base model has not forgotten it.
    gone = _forgotten(graph, run_id)

    def measured(model_id: str) -> dict[str, str]:
        return {
            metric: add_measure(
                graph,
                metric,
                model_id,
                base_id,
                forget_id,
                reference_id,
                gone=gone,
                groups=groups,
            )
            for metric in metrics
        }

    before = None
    doubted: list[str] = []
    if reference_id is not None and other_base is not None:
        doubted = doubts(graph, run_id, reference_id)
        if "ra" in metrics:
            # The data may lack what the reference has forgotten.
            add_predict(graph, other_base, "train", gone=(*gone, *_forgotten(graph, reference_id)))
            before = add_measure(graph, "ra", other_base, other_base, forget_id)
    return Verdict(
        run_id=run_id,
        base_id=base_id,
        scenario=scenario,
        measures=measured(run_id),
        reference=None if reference_id is None else measured(reference_id),
        reference_base=other_base,
        reference_base_ra=before,
        doubts=tuple(doubted),
    )


def _forgotten(graph: Graph, run_id: str) -> tuple[str, ...]:
    return forgotten_by(graph.store.path(run_id))


def collect_verdict(store: Store, verdict: Verdict) -> dict[str, Any]:
    """The measured values, what they count, and the gap to the reference if given.

    `samples` holds counts and intervals of single models, `against_reference` the difference of the
    two models' TA on the same test samples. A `gap_note` tells how the reference may have been made
    otherwise, and whether it has converged.
    """
    found = read_measures(store, verdict.measures)
    makers = Makers()
    makers.of(store.path(verdict.run_id))
    result: dict[str, Any] = {
        "run": verdict.run_id,
        "scenario": verdict.scenario,
        **found,
        "samples": counts_of(store, verdict.measures),
        "made_by": makers.listed[0],
        "gap": None,
        "gap_reason": "no retrained model was given: pass --reference",
    }
    if verdict.reference is not None:
        reference = read_measures(store, verdict.reference)
        result["gap"], result["gap_reason"] = gap_to(reference, found)
        if None not in (found["metrics"].get("ta"), reference["metrics"].get("ta")):
            pair = verdict.measures["ta"], verdict.reference["ta"]
            result["against_reference"] = against(store, *pair)
        if notes := _notes(store, verdict, reference["metrics"].get("ra")):
            result["gap_note"] = "; ".join(notes)
    return result


def _notes(store: Store, verdict: Verdict, reference_ra: float | None) -> list[str]:
    """What to know of the gap."""
    notes = []
    if verdict.reference_base != verdict.base_id:
        notes.append(
            f"the reference was retrained from {verdict.reference_base}, the model unlearned "
            f"from {verdict.base_id}: the gap may not be at the same sparsity"
        )
    notes += verdict.doubts
    if verdict.reference_base_ra is not None:
        before = load_measured(store.path(verdict.reference_base_ra))["value"]
        notes += [note for note in [not_converged(reference_ra, before)] if note]
    return notes


def _check_reference(graph: Graph, reference_id: str, forget_id: str, scenario: str) -> None:
    reference = graph.model(reference_id)
    if reference.params.get("method") != "retrain":
        raise ConfigError(f"reference {reference_id} is not a retrained model")
    if reference.parents["forget"] != forget_id:
        other = graph.node(reference.parents["forget"])
        raise ConfigError(
            f"reference {reference_id} was retrained without {other.where['scenario']!r}, "
            f"expected {scenario!r}: the forget sets differ"
        )
