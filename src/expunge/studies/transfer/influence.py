"""Which source classes harm or help a target: subset models, and one model's similarity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from expunge.data.facts import Facts
from expunge.errors import DataError
from expunge.graph.graph import Graph
from expunge.graph.kinds.forget import add_forget
from expunge.graph.kinds.similarity import add_similarity, load_similarity
from expunge.graph.kinds.transfer import add_transfer, load_transfer
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.record import load_record
from expunge.methods import get_method
from expunge.runs import Store
from expunge.scenarios.by_class_draw import by_class_draw, drawn_classes
from expunge.settings import derive_seed
from expunge.studies.transfer.settings import InfluenceSettings
from expunge.transfer.probe import ProbeConfig


@dataclass(frozen=True, kw_only=True)
class InfluencePlan:
    """The nodes that influences are estimated from."""

    settings: InfluenceSettings
    model_id: str
    """The source model, trained on all classes."""
    base_id: str
    """How well it serves the target."""
    class_names: tuple[str, ...]
    seed: int
    subsets: Mapping[int, tuple[str, str]]
    """By the number of a draw: the model trained without these classes, and its transfer."""
    similarity_id: str


def plan_influence(
    graph: Graph,
    model_id: str,
    source: Facts,
    target_id: str,
    settings: InfluenceSettings,
    probe: ProbeConfig,
) -> InfluencePlan:
    """Retrain `model_id` without each draw of classes, and probe every result on the target.

    Raises:
        ForgetError: the share is of no class, or of all.
    """
    retrain = get_method("retrain").config(epochs=settings.epochs)
    subsets = {}
    for number in range(settings.subsets):
        scenario = by_class_draw(settings.share, number).name
        forget = add_forget(graph, model_id, scenario, facts=source, shown=False)
        model = add_unlearn(graph, model_id, forget, "retrain", retrain)
        subsets[number] = model, add_transfer(graph, model, target_id, probe)
    graph.notes.append(
        f"influence: {settings.subsets} models of {source.name}, each without "
        f"{100 * settings.share:g} % of its {len(source.class_names)} classes"
    )
    return InfluencePlan(
        settings=settings,
        model_id=model_id,
        base_id=add_transfer(graph, model_id, target_id, probe),
        class_names=source.class_names,
        seed=graph.seed_of(model_id),
        subsets=subsets,
        similarity_id=add_similarity(graph, model_id, target_id),
    )


def collect_influence(store: Store, plan: InfluencePlan) -> dict[str, Any]:
    """The influence of every class on the target's validation samples, from the store.

    `classes` are in the order of the source's classes; `ranking` are their indices, the most
    harmful first; `on_test` is how well that ranking agrees with influences on the test samples.

    Raises:
        DataError: too few of the subset models are usable.
    """
    import numpy as np
    from scipy.stats import spearmanr

    from expunge.transfer.influence import class_influences, split_half

    names = plan.class_names
    there, found, seconds, diverged = [], [], 0.0, 0
    for number, (model, transfer) in plan.subsets.items():
        measured = load_transfer(store.path(transfer))
        if "diverged" in measured:
            diverged += 1
            continue
        gone = drawn_classes(names, plan.settings.share, number)
        there.append([index not in gone for index in range(len(names))])
        found.append([measured["accuracy"][part] for part in ("validation", "test")])
        seconds += float(load_record(store.path(model))["seconds"]) + measured["seconds"]
    if not found:
        raise DataError(f"all {diverged} subset models have diverged: train them more gently")
    trained_on, accuracy = np.array(there), np.array(found)
    classes = class_influences(trained_on, accuracy[:, 0])
    influences = np.array([each.influence for each in classes])
    on_test = np.array([each.influence for each in class_influences(trained_on, accuracy[:, 1])])
    ranked = bool(np.ptp(influences) and np.ptp(on_test))
    halves = split_half(trained_on, accuracy[:, 0], derive_seed(plan.seed, "halves"))
    similarity = load_similarity(store.path(plan.similarity_id))
    base = load_transfer(store.path(plan.base_id))
    return {
        "subsets": len(found),
        "diverged": diverged,
        "share": plan.settings.share,
        "seconds": seconds,
        "base": base.get("accuracy"),
        "samples": base.get("samples"),
        "accuracy": {
            part: {"mean": float(column.mean()), "sd": float(column.std(ddof=1))}
            for part, column in zip(("validation", "test"), accuracy.T, strict=True)
        },
        "classes": [
            {**asdict(each), "name": names[each.index], "verdict": each.verdict} for each in classes
        ],
        "ranking": [int(index) for index in np.argsort(influences, kind="stable")],
        "harmful": [names[each.index] for each in classes if each.verdict == "harmful"],
        "helpful": [names[each.index] for each in classes if each.verdict == "helpful"],
        "on_test": float(spearmanr(influences, on_test).statistic) if ranked else None,
        "split_half": {
            "mean": float(np.mean(halves)) if halves else None,
            "low": float(np.quantile(halves, 0.025)) if halves else None,
            "high": float(np.quantile(halves, 0.975)) if halves else None,
            "halvings": len(halves),
        },
        "similarity": {
            "values": similarity,
            **_agreement(np.array(similarity), influences, derive_seed(plan.seed, "classes")),
        },
    }


def _agreement(guess: Any, influences: Any, seed: int) -> dict[str, Any]:
    """Spearman's correlation of a guess with influences, and its interval over classes."""
    import numpy as np
    from scipy.stats import spearmanr

    if not (np.ptp(guess) and np.ptp(influences)):
        return {"correlation": None, "low": None, "high": None, "n": len(guess)}
    generator = np.random.default_rng(seed)
    drawn: list[float] = []
    while len(drawn) < 1000:
        rows = generator.integers(0, len(guess), len(guess))
        if np.ptp(guess[rows]) and np.ptp(influences[rows]):
            drawn.append(spearmanr(guess[rows], influences[rows]).statistic)
    return {
        "correlation": float(spearmanr(guess, influences).statistic),
        "low": float(np.quantile(drawn, 0.025)),
        "high": float(np.quantile(drawn, 0.975)),
        "n": len(guess),
    }
