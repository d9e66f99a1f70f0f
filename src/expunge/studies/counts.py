"""What a model gets right, sample by sample: counts, intervals, and the difference of two models.

Claims about one model rest on its samples. Test samples are drawn from a population, so that their
share has an interval; the forget set and the retained samples are fixed lists, whose counts have
none.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.graph.kinds.forget import load_forget
from expunge.graph.kinds.measure import divided, load_measured, target_in
from expunge.graph.kinds.predict import load_predictions
from expunge.graph.runtime import read_facts
from expunge.runs import Store
from expunge.settings import derive_seed
from expunge.statistics.intervals import wilson

if TYPE_CHECKING:
    from expunge.statistics.same_samples import Right


def counts_of(store: Store, measures: Mapping[str, str]) -> dict[str, Any]:
    """By metric, `count` of `n` samples, and for test samples the bounds `low` and `high`.

    `count` is of what the metric counts: for UA the samples that the model gets wrong, for ASR the
    triggered ones that it calls the target. `measures`
    are the nodes by metric; metrics of other kinds, and those without a value, are left out.

    Raises:
        StoreError: an artefact is missing or damaged.
    """
    measures = {
        name: node
        for name, node in measures.items()
        if load_measured(store.path(node))["value"] is not None
    }
    found: dict[str, Any] = {}
    for name in ("ua", "ra"):
        if name in measures:
            listed = _of_training(store, measures[name], name)
            count = int((~listed if name == "ua" else listed).sum())
            found[name] = {"count": count, "n": len(listed)}
    for name in ("ta", "ta_forgotten"):
        right = _of_test(store, measures[name], name) if name in measures else ()
        if len(right):
            count = int(sum(right))
            interval = wilson(count, len(right))
            found[name] = {"count": count, "n": len(right)}
            found[name] |= {"low": interval.low, "high": interval.high}
    for name in ("asr", "asr_all"):
        if name in measures:
            called = _called_target(store, measures[name], everywhere=name == "asr_all")
            count = int(called.sum())
            interval = wilson(count, len(called))
            found[name] = {"count": count, "n": len(called)}
            found[name] |= {"low": interval.low, "high": interval.high}
    return found


def against(store: Store, measure: str, reference: str) -> dict[str, Any]:
    """How two models' testing accuracies differ, from their measurements of TA.

    Test samples that `only_model` and `only_reference` gets right, `p` of the exact McNemar test,
    and the `difference` in points with the bounds of a paired bootstrap, `low` and `high`; None
    where there are none, as when the models get the same samples right.

    Raises:
        StoreError: an artefact is missing or damaged.
    """
    from expunge.statistics.same_samples import bootstrap, mcnemar

    one, other = (_of_test(store, node, "ta") for node in (measure, reference))
    test = mcnemar(one, other)
    seed = derive_seed(int(store.node(measure).params["seed"]), "bootstrap")
    interval = bootstrap(one, other, seed)
    low, high = interval.bounds
    return {
        "only_model": test.only_one,
        "only_reference": test.only_other,
        "p": test.p,
        "difference": interval.estimate,
        "low": low,
        "high": high,
        "n": interval.n,
    }


def _called_target(store: Store, measure: str, *, everywhere: bool) -> Right:
    """Which triggered samples a model calls the target: those of other classes, or all."""
    parents = {role: store.path(parent) for role, parent in store.node(measure).parents.items()}
    predictions, target = load_predictions(parents["triggered"]), target_in(parents)
    called = predictions["logits"].argmax(axis=1) == target
    found: Right = called if everywhere else called[predictions["labels"] != target]
    return found


def _of_training(store: Store, measure: str, name: str) -> Right:
    """Which samples of the forget set (UA) or of the retained ones (RA) a model gets right."""
    parents = {role: store.path(parent) for role, parent in store.node(measure).parents.items()}
    predictions, chosen = load_predictions(parents["train"]), load_forget(parents["forget"])
    ids = _training_ids(parents["data"])
    there = [ids[row] for row in predictions["rows"].tolist()]
    forget, retain = divided(there, chosen["ids"], parents["model"])
    right = predictions["logits"].argmax(axis=1) == predictions["labels"]
    found: Right = right[forget if name == "ua" else retain]
    return found


@lru_cache(maxsize=1)
def _training_ids(data: Path) -> tuple[str, ...]:
    """Of the data node in a folder; a grid's cells share it, and it is long."""
    return tuple(read_facts(data).train.ids)


def _of_test(store: Store, measure: str, name: str) -> Right:
    """Which test samples a model gets right: of the remaining classes, or of the forgotten ones."""
    import numpy as np

    parents = {role: store.path(parent) for role, parent in store.node(measure).parents.items()}
    predictions, chosen = load_predictions(parents["test"]), load_forget(parents["forget"])
    gone = np.isin(predictions["labels"], list(chosen["classes"]))
    right = predictions["logits"].argmax(axis=1) == predictions["labels"]
    found: Right = right[gone if name == "ta_forgotten" else ~gone]
    return found
