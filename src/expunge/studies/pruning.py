"""Pruners by the paper's three criteria: cost, accuracy, and dependence on the forgotten data.

For the third, the mask of a model trained on all samples is compared with those of models trained
from the same initialisation: without D_f, without as many samples drawn by lot, and on all samples
in another order. The last two say how much of a difference is due to D_f.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from expunge.config import to_mapping
from expunge.data.facts import Facts
from expunge.errors import DivergedError, ForgetError
from expunge.graph.graph import Graph
from expunge.graph.kinds.forget import add_forget, refuse_correction
from expunge.graph.kinds.predict import add_predict, load_predictions
from expunge.graph.kinds.prune import add_prune
from expunge.graph.kinds.train import Origin, Variation, add_train
from expunge.graph.model_files import load_model
from expunge.graph.record import load_record
from expunge.runs import Store
from expunge.scenarios import check_scenario, of_seed, parse
from expunge.settings import derive_seed
from expunge.sparsity import get_pruner
from expunge.studies.contrasts import judged
from expunge.studies.folder import plain, recipe_of
from expunge.studies.grid import plan_data, plan_original
from expunge.studies.made import Makers
from expunge.studies.pruning_recipe import (
    Against,
    PruningClaim,
    PruningSettings,
    PruningSide,
)
from expunge.studies.recipe import Experiment

if TYPE_CHECKING:
    from expunge.types import Mask

PRUNING = "pruning.json"


@dataclass(frozen=True, kw_only=True)
class Sparse:
    """A pruned model of a seed, and the same pruner's masks of models trained otherwise."""

    seed: int
    pruner: str
    sparsity: float
    rounds: int
    """How often it trains the network."""
    dense_id: str
    model_id: str
    dense_test: str
    """The node of the dense model's predictions of the test samples."""
    test: str
    others: Mapping[tuple[str, Against], str]
    """By scenario and what it is compared against: the other pruned model."""


def plan_pruning(
    graph: Graph, experiment: Experiment, settings: PruningSettings, cache: Path | None = None
) -> list[Sparse]:
    """The pruned models of a recipe, in the order of its seeds and pruners.

    Raises:
        DataError: the data cannot be read.
        ForgetError: a scenario does not fit the data, or how many samples it forgets is not known
            before models are made.
    """
    data_id, facts = plan_data(graph, experiment, cache)
    found = []
    for seed in experiment.seeds:
        dense = plan_original(graph, experiment, data_id, seed)
        otherwise = {
            (scenario, against): _train_otherwise(graph, experiment, dense, seed, variation)
            for scenario in experiment.scenarios
            for against, variation in _variations(graph, settings, dense, scenario, facts).items()
        }
        dense_test = add_predict(graph, dense, "test")
        for pruner in experiment.pruners:
            for config in experiment.pruner_configs(pruner):
                model = add_prune(graph, dense, pruner, config)
                found.append(
                    Sparse(
                        seed=seed,
                        pruner=pruner,
                        sparsity=config.sparsity,
                        rounds=len(get_pruner(pruner).rounds(config)),
                        dense_id=dense,
                        model_id=model,
                        dense_test=dense_test,
                        test=add_predict(graph, model, "test"),
                        others={
                            place: add_prune(graph, other, pruner, config)
                            for place, other in otherwise.items()
                        },
                    )
                )
    return found


def _variations(
    graph: Graph, settings: PruningSettings, dense: str, scenario: str, facts: Facts
) -> dict[Against, Variation]:
    """How the models are trained whose masks are compared with that of `dense`."""
    seed = graph.seed_of(dense)
    asked = of_seed(scenario, seed, facts.class_names)
    forget = add_forget(graph, dense, asked, facts=facts)
    refuse_correction(graph, forget)
    chosen = parse(asked, seed=derive_seed(seed, "scenario"))
    if forget in graph.uncounted:
        raise ForgetError(
            f"how many samples {scenario!r} forgets is not known before models are made: expected "
            "a scenario that needs none, such as class:3"
        )
    total = len(facts.train.ids)
    share = check_scenario(chosen, facts.train) / total
    by_lot = add_forget(graph, dense, f"draw:{share}:{settings.draw}", facts=facts)
    return {
        "forget": Variation(forget=forget),
        "random": Variation(forget=by_lot),
        "order": Variation(order=settings.order),
    }


def _train_otherwise(
    graph: Graph, experiment: Experiment, dense: str, seed: int, variation: Variation
) -> str:
    origin = Origin(
        network=experiment.network,
        training=experiment.training,
        seed=seed,
        precision=experiment.precision,
    )
    data_id = graph.data_of(dense)
    name = experiment.data.source
    return add_train(graph, data_id, origin, data_name=name, variation=variation)


def collect_pruning(
    store: Store,
    experiment: Experiment,
    settings: PruningSettings,
    sparse: list[Sparse],
    reproduce: str,
) -> dict[str, Any]:
    """The comparison's document, from nodes that are all in the store.

    Raises:
        StoreError: an artefact is missing or damaged.
    """
    makers = Makers()
    rows = [_row(store, each, makers) for each in sparse]
    overlaps = [row for each in sparse for row in _overlaps(store, each)]
    return {
        "schema": 1,
        "title": experiment.title,
        "env": makers.listed[0],
        "makers": makers.listed,
        "settings": settings_of(experiment, settings),
        "reproduce": reproduce,
        **recipe_of(experiment, settings_of(experiment, settings)),
        "pruned": rows,
        "overlaps": overlaps,
        "summary": summarise(rows, overlaps),
        "claims": [judge_claim(claim, rows, overlaps) for claim in settings.claims],
    }


def settings_of(experiment: Experiment, settings: PruningSettings) -> dict[str, Any]:
    """The settings as the document and its folder keep them."""
    return {**plain(experiment), "pruning": to_mapping(settings)}


def _row(store: Store, each: Sparse, makers: Makers) -> dict[str, Any]:
    """Cost and accuracy; without numbers, the reason why there is no such model."""
    folder = store.path(each.model_id)
    row: dict[str, Any] = {
        "seed": each.seed,
        "pruner": each.pruner,
        "sparsity": each.sparsity,
        "rounds": each.rounds,
        "cost": None,
        "accuracy": None,
        "dense_accuracy": _accuracy(store.path(each.dense_test)),
        "failed": None,
        "run": each.model_id,
        "made_by": makers.of(folder),
    }
    try:
        accuracy = _accuracy(store.path(each.test))
    except DivergedError as error:
        return {**row, "failed": str(error)}
    spent = load_record(folder)["seconds"] / load_record(store.path(each.dense_id))["seconds"]
    return {**row, "cost": spent, "accuracy": accuracy - row["dense_accuracy"]}


def _accuracy(predicted: Path) -> float:
    from expunge.metrics.accuracy import accuracy

    found = load_predictions(predicted)
    return accuracy(found["logits"], found["labels"])


def _overlaps(store: Store, each: Sparse) -> Iterable[dict[str, Any]]:
    """One row for each other mask that there is, as far as there is a mask itself."""
    from expunge.sparsity.overlap import mask_overlap

    mask = _mask(store, each.model_id)
    if mask is None:
        return
    for (scenario, against), model_id in each.others.items():
        other = _mask(store, model_id)
        if other is not None:
            yield {
                "seed": each.seed,
                "pruner": each.pruner,
                "sparsity": each.sparsity,
                "scenario": scenario,
                "against": against,
                **asdict(mask_overlap(mask, other)),
                "run": model_id,
            }


def _mask(store: Store, model_id: str) -> Mask | None:
    """The mask of a pruned model; None if there is no such model."""
    try:
        return load_model(store.path(model_id))[2]
    except DivergedError:
        return None


def summarise(rows: list[dict[str, Any]], overlaps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each pruner and sparsity: n, and mean and sample deviation of each measure.

    `overlaps` has them for each scenario and what is compared against. Models that there are not
    are left out, and counted as `failed`.
    """
    found = []
    for pruner, sparsity in dict.fromkeys((row["pruner"], row["sparsity"]) for row in rows):
        here = [row for row in rows if (row["pruner"], row["sparsity"]) == (pruner, sparsity)]
        shared = [row for row in overlaps if (row["pruner"], row["sparsity"]) == (pruner, sparsity)]
        places = dict.fromkeys((row["scenario"], row["against"]) for row in shared)
        found.append(
            {
                "pruner": pruner,
                "sparsity": sparsity,
                "rounds": here[0]["rounds"],
                "n": sum(row["failed"] is None for row in here),
                "failed": sum(row["failed"] is not None for row in here),
                "cost": _spread(row["cost"] for row in here),
                "accuracy": _spread(row["accuracy"] for row in here),
                "overlaps": [
                    {
                        "scenario": scenario,
                        "against": against,
                        **_shared(
                            row
                            for row in shared
                            if (row["scenario"], row["against"]) == (scenario, against)
                        ),
                    }
                    for scenario, against in places
                ],
            }
        )
    return found


def _shared(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    there = list(rows)
    names = ("jaccard", "kept", "chance", "chance_by_layer")
    return {"n": len(there), **{name: _spread(row[name] for row in there) for name in names}}


def _spread(values: Iterable[float | None]) -> dict[str, float | None]:
    known = [value for value in values if value is not None]
    return {
        "mean": fmean(known) if known else None,
        "sd": stdev(known) if len(known) > 1 else None,
    }


def judge_claim(
    claim: PruningClaim, rows: list[dict[str, Any]], overlaps: list[dict[str, Any]]
) -> dict[str, Any]:
    """A claim with its verdict, over the seeds that both sides have."""
    first, second = (_by_seed(claim, side, rows, overlaps) for side in (claim.first, claim.second))
    as_factor = claim.measure == "cost"
    found = judged(first, second, claim.direction, claim.effect, as_factor=as_factor)
    between = "over" if as_factor else "minus"
    sides = [_words(side, claim.measure) for side in (claim.first, claim.second)]
    return {
        **to_mapping(claim),
        **found,
        "what": f"{claim.measure}, {sides[0]} {between} {sides[1]}",
    }


def _words(side: PruningSide, measure: str) -> str:
    """A side of a claim, for people."""
    level = f"{side.sparsity:.0%} {side.pruner}"
    return level if measure in ("cost", "accuracy") else f"{level} against {side.against}"


def _by_seed(
    claim: PruningClaim,
    side: PruningSide,
    rows: list[dict[str, Any]],
    overlaps: list[dict[str, Any]],
) -> dict[int, float]:
    """The measure of one side of a claim by seed; seeds without it are left out."""
    level = (side.pruner, side.sparsity)
    here = [row for row in rows if (row["pruner"], row["sparsity"]) == level]
    if claim.measure in ("cost", "accuracy"):
        return {row["seed"]: row[claim.measure] for row in here if row["failed"] is None}
    if side.against == "itself":
        return {row["seed"]: 1.0 for row in here if row["failed"] is None}
    return {
        row["seed"]: row[claim.measure]
        for row in overlaps
        if (row["pruner"], row["sparsity"]) == level
        and row["against"] == side.against
        and claim.scenario in (None, row["scenario"])
    }
