"""Cleanse a model of a Trojan: forget what poisoned it, and measure it before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from expunge.errors import ConfigError
from expunge.graph.graph import Graph
from expunge.graph.kinds.data import settings_of
from expunge.graph.kinds.forget import add_forget, load_forget
from expunge.graph.kinds.measure import add_measure
from expunge.graph.kinds.prune import add_prune
from expunge.graph.kinds.suspect import add_suspect, how, load_suspects
from expunge.graph.kinds.train import Together
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.record import load_record
from expunge.graph.runtime import read_facts
from expunge.methods import get_method
from expunge.metrics.attack_success import BACKDOOR
from expunge.runs import Store
from expunge.settings import check_range
from expunge.studies.counts import counts_of
from expunge.studies.grid import failure, read_measures

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to forget, how, and by which trigger to judge."""

    scenario: str
    """The poisoned samples: `edited:badnets`, `ids:FILE`, `suspected:DETECTOR`."""
    method: str
    config: Any
    """The method's settings."""
    pruner: str | None = None
    """Prune first, by this pruner."""
    pruning: Any = None
    """The pruner's settings."""
    trigger: Mapping[str, Mapping[str, Any]] | None = None
    """Settings of an edit by its name, whose trigger test images get; None: the data's own."""
    known: tuple[float, ...] = ()
    """Shares of the poison to forget besides all of it, as if only they were known."""
    retrain: bool = False
    """Also retrain without all of it, from where the method starts, to compare with."""
    suspecting: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of `add_suspect` other than its defaults, for a scenario of suspects."""


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A model on the way, and the nodes that measure it."""

    name: str
    """`given`, `pruned`, `retrained` or `cleansed`."""
    share: float | None
    """Of the poison that was forgotten; None before anything is."""
    model_id: str
    forget_id: str
    measures: Mapping[str, str]
    """By metric."""


@dataclass(frozen=True, kw_only=True)
class Cleanse:
    """All stages: given, pruned and retrained if asked for, cleansed by each share, all last."""

    request: Request
    stages: tuple[Stage, ...]
    suspects: str | None
    """The node of the suspects, if a detector chose what to forget."""

    @property
    def model_id(self) -> str:
        """The model that has forgotten all of it."""
        return self.stages[-1].model_id


def plan_cleanse(
    graph: Graph, run_id: str, request: Request, together: Together | None = None
) -> Cleanse:
    """Plan to cleanse the model `run_id`.

    Raises:
        ConfigError: not a model, no such method, a trigger that does not fit the data, or shares of
            what is not known as an edit.
        ForgetError: the scenario does not fit the data.
    """
    from expunge.data.edits.apply import check_trigger

    data_id = graph.data_of(graph.model(run_id).id)
    facts = read_facts(graph.store.path(data_id))
    if request.trigger is not None:
        check_trigger(request.trigger, facts)
    scenarios = _shares(request)
    suspects = None
    kind, _, detector = request.scenario.partition(":")
    if kind == "suspected":
        looked = graph.last_forgetting(run_id) or graph.origin_of(run_id)
        suspects = add_suspect(graph, looked, detector, **request.suspecting, together=together)
    forgets = {
        share: add_forget(graph, run_id, scenario, facts=facts, suspects=suspects)
        for share, scenario in scenarios.items()
    }
    metrics = ["ua", "ra", "ta"]
    if request.trigger is not None or _triggered(graph, data_id):
        metrics += ["asr", "asr_all"]

    def stage(name: str, share: float | None, model_id: str, base_id: str) -> Stage:
        forget_id = forgets[1.0 if share is None else share]
        measures = {
            metric: add_measure(
                graph,
                metric,
                model_id,
                base_id,
                forget_id,
                together=together,
                trigger=request.trigger,
            )
            for metric in metrics
        }
        return Stage(
            name=name, share=share, model_id=model_id, forget_id=forget_id, measures=measures
        )

    stages, base_id = [stage("given", None, run_id, run_id)], run_id
    if request.pruner is not None:
        base_id = add_prune(graph, run_id, request.pruner, request.pruning, together)
        stages.append(stage("pruned", None, base_id, base_id))
    if request.retrain:
        config = get_method("retrain").config()
        model_id = add_unlearn(graph, base_id, forgets[1.0], "retrain", config, together)
        stages.append(stage("retrained", 1.0, model_id, base_id))
    for share, forget_id in forgets.items():
        model_id = add_unlearn(graph, base_id, forget_id, request.method, request.config, together)
        stages.append(stage("cleansed", share, model_id, base_id))
    return Cleanse(request=request, stages=tuple(stages), suspects=suspects)


def _shares(request: Request) -> dict[float, str]:
    """By share of the poison, ascending, the scenario that forgets it; all of it is the last."""
    for share in request.known:
        check_range("a known share", share, 0, 1)
        if share == 0:
            raise ConfigError("a known share must be above 0, got 0: nothing would be forgotten")
    if len(set(request.known)) < len(request.known):
        raise ConfigError(f"known shares must be different, got {list(request.known)}")
    parts = {share: f"{request.scenario}:{share:g}" for share in sorted(request.known) if share < 1}
    if parts and not request.scenario.startswith("edited:"):
        raise ConfigError(
            "shares of the poison can be forgotten only where all of it is known, by an edit of "
            f"the data: expected edited:EDIT, got {request.scenario!r}"
        )
    return {**parts, 1.0: request.scenario}


def _triggered(graph: Graph, data_id: str) -> bool:
    """Whether the data's own edits have a trigger."""
    from expunge.data.edits.apply import triggering

    return triggering(settings_of(graph.node(data_id).params.get("edits", {}))) is not None


def own_scenario(graph: Graph, run_id: str) -> str | None:
    """The scenario of the data's own poisoned samples; None if no edit of theirs has a trigger."""
    from expunge.data.edits import get_edit

    edits = graph.node(graph.data_of(graph.model(run_id).id)).params.get("edits", {})
    names = [name for name in edits if get_edit(name).trigger is not None]
    return f"edited:{names[0]}" if names else None


def collect_cleanse(store: Store, cleanse: Cleanse) -> dict[str, Any]:
    """What was measured of every stage, as a document; null with a reason where there is nothing.

    Raises:
        StoreError: an artefact is missing or damaged.
    """
    request = cleanse.request
    rows = [_row(store, stage) for stage in cleanse.stages]
    given = rows[0]["metrics"].get("asr")
    found = {
        "schema": SCHEMA,
        "run": cleanse.model_id,
        "cleansed_from": cleanse.stages[0].model_id,
        "scenario": request.scenario,
        "method": request.method,
        "pruner": request.pruner,
        "forgotten": rows[-1]["forgotten"],
        "verdict": _verdict(given),
        "stages": rows,
        "suspects": None,
    }
    if cleanse.suspects is not None:
        found["suspects"] = how(load_suspects(store.path(cleanse.suspects)))
    return found


def _row(store: Store, stage: Stage) -> dict[str, Any]:
    forgot = stage.name in ("retrained", "cleansed")
    seconds = load_record(store.path(stage.model_id)).get("seconds")
    return {
        "stage": stage.name,
        "share": stage.share,
        "run": stage.model_id,
        "forgotten": len(load_forget(store.path(stage.forget_id))["ids"]) if forgot else 0,
        **read_measures(store, stage.measures),
        "samples": counts_of(store, stage.measures),
        "seconds": seconds if forgot else None,
        "failed": failure(store, stage.measures),
    }


def _verdict(asr: float | None) -> str | None:
    """Why the ASR after cleansing says nothing; None if it does."""
    if asr is None:
        return "no trigger is known, so that attack success cannot be measured"
    if asr < BACKDOOR:
        return (
            f"no cleanse verdict: the given model's ASR is {asr:.2f}, below {BACKDOOR:g}, so there "
            "is too little of this Trojan to remove"
        )
    return None
