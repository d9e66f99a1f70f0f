"""The document of the attribution study, read from the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean, stdev
from typing import Any

from expunge.config import to_mapping
from expunge.graph.kinds.lds import load_lds
from expunge.graph.kinds.memorisation import RETAINED, load_memorisation
from expunge.graph.kinds.weight_influence import load_curves
from expunge.graph.runtime import read_facts
from expunge.runs import Store
from expunge.statistics.intervals import paired_t
from expunge.studies.attribution import Seed
from expunge.studies.attribution_recipe import CHANCE, RANDOM, AttributionSettings, Contrast
from expunge.studies.contrasts import judged
from expunge.studies.folder import plain, recipe_of
from expunge.studies.made import Makers
from expunge.studies.recipe import Experiment

ATTRIBUTION = "attribution.json"
MEMORISED = 0.25
"""Feldman and Zhang call a sample memorised from this estimate on."""
MOST = 12
"""How many of the most memorised samples a document names."""


def settings_of(experiment: Experiment, settings: AttributionSettings) -> dict[str, Any]:
    """All settings of the study as JSON values."""
    return {**plain(experiment), "attribution": to_mapping(settings)}


def collect_attribution(
    store: Store,
    experiment: Experiment,
    settings: AttributionSettings,
    seeds: list[Seed],
    reproduce: str,
) -> dict[str, Any]:
    """The study's document, from nodes that are all in the store.

    Raises:
        StoreError: an artefact is missing or damaged.
    """
    makers = Makers()
    scores = [
        {
            "seed": each.seed,
            "retained": retained,
            "attributor": label,
            **load_lds(store.path(node)),
            "run": node,
            # What computed: the attributor, or for the ceiling the training.
            "made_by": makers.of(store.path(each.attributions.get(label, each.model_id))),
        }
        for each in seeds
        for (retained, label), node in each.lds.items()
    ]
    points: list[dict[str, Any]] = []
    overlaps: list[dict[str, Any]] = []
    left_out: list[dict[str, Any]] = []
    for each in seeds:
        for scenario, node in each.weights.items():
            curves = load_curves(store.path(node))
            made_by = makers.of(store.path(node))
            place = {"seed": each.seed, "scenario": scenario, "made_by": made_by}
            if each.forgets[scenario] != scenario:
                place["forgets"] = each.forgets[scenario]
            points += [{**place, **point} for point in _over_draws(curves["points"])]
            overlaps += [{**place, **overlap} for overlap in curves["overlaps"]]
            left_out += [{**place, **each} for each in curves["left_out"]]
    document: dict[str, Any] = {
        "schema": 1,
        "title": experiment.title,
        "makers": makers.listed,
        "settings": settings_of(experiment, settings),
        "reproduce": reproduce,
        **recipe_of(experiment, settings_of(experiment, settings)),
        "scores": scores,
        "weights": points,
        "overlaps": overlaps,
        "left_out": left_out,
        "memorisation": _memorisation(store, seeds),
        "summary": {
            "lds": _summed(scores, ("retained", "attributor"), ("mean",)),
            "weights": _summed(points, ("scenario", "rule", "share"), ("ua", "ra", "ta", "asr")),
            "overlaps": _summed(
                overlaps, ("scenario", "rule", "share", "sparsity"), ("kept", "chance")
            ),
        },
    }
    document["claims"] = [judge_claim(document, claim) for claim in settings.claims]
    return document


def judge_claim(document: Mapping[str, Any], claim: Contrast) -> dict[str, Any]:
    """A claim with its verdict, and the difference over seeds with its interval."""
    first, second = (_by_seed(document, claim, side) for side in (claim.first, claim.second))
    return {**to_mapping(claim), **judged(first, second, claim.direction, claim.effect)}


def _by_seed(document: Mapping[str, Any], claim: Contrast, side: str) -> dict[int, float]:
    """The measure of one side of a claim by seed; seeds without it are left out."""
    if claim.measure == "lds":
        rows = [
            (row["seed"], row["mean"])
            for row in document["scores"]
            if (row["retained"], row["attributor"]) == (claim.retained, side)
        ]
    elif claim.measure == "kept":
        # What chance would keep is the same whatever the rule.
        place = (claim.scenario, claim.share, claim.sparsity)
        rule, key = side, "kept"
        if side == CHANCE:
            rule, key = claim.second if claim.first == CHANCE else claim.first, "chance"
        rows = [
            (row["seed"], 100 * row[key])
            for row in document["overlaps"]
            if (row["scenario"], row["share"], row["sparsity"]) == place and row["rule"] == rule
        ]
    else:
        rows = [
            (row["seed"], row.get(claim.measure))
            for row in document["weights"]
            if (row["scenario"], row["share"], row["rule"]) == (claim.scenario, claim.share, side)
        ]
    return {seed: value for seed, value in rows if value is not None}


def _over_draws(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The points of a curve, those by chance as means over their draws."""
    found = [
        {key: value for key, value in each.items() if key != "draw"}
        for each in points
        if each["rule"] != RANDOM
    ]
    shares = dict.fromkeys(each["share"] for each in points if each["rule"] == RANDOM)
    for share in shares:
        draws = [each for each in points if (each["rule"], each["share"]) == (RANDOM, share)]
        means = {
            name: fmean(each[name] for each in draws)
            for name in draws[0]
            if name not in ("rule", "share", "draw")
        }
        found.append({"rule": RANDOM, "share": share, **means})
    return found


def _summed(
    rows: list[dict[str, Any]], keys: tuple[str, ...], values: tuple[str, ...]
) -> list[dict[str, Any]]:
    """For each combination of `keys`: n seeds, and how each value that there is spreads over them.

    That is the mean, the sample deviation `sd`, and `low` and `high` of the 95 % t-interval; all
    but the mean are null for one seed.
    """
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    found = []
    for place, members in groups.items():
        row = {**dict(zip(keys, place, strict=True)), "n": len(members)}
        for name in values:
            known = [each[name] for each in members if each.get(name) is not None]
            if known:
                row[name] = _spread(known)
        found.append(row)
    return found


def _spread(values: list[float]) -> dict[str, float | None]:
    if len(values) < 2:
        return {"mean": values[0], "sd": None, "low": None, "high": None}
    found = paired_t(values)
    low, high = found.bounds
    return {"mean": found.estimate, "sd": stdev(values), "low": low, "high": high}


def _memorisation(store: Store, seeds: Iterable[Seed]) -> list[dict[str, Any]]:
    """Of each seed: how many samples are memorised, and the ids of those that are most."""
    found = []
    for each in seeds:
        if each.memorisation is None:
            continue
        estimates = load_memorisation(store.path(each.memorisation))
        data = store.node(each.model_id).parents["data"]
        facts = read_facts(store.path(data))
        part, names = facts.train, facts.class_names
        order = estimates["order"]
        values = estimates["estimate"][order]
        rows = estimates["rows"][order[:MOST]].tolist()
        found.append(
            {
                "seed": each.seed,
                "run": each.memorisation,
                "retained": RETAINED,
                "samples": len(values),
                "memorised": int((values >= MEMORISED).sum()),
                "mean": float(values.mean()) if len(values) else None,
                "most": [
                    {
                        "id": part.ids[row],
                        "class": names[part.labels[row]],
                        "estimate": float(value),
                    }
                    for row, value in zip(rows, values[:MOST].tolist(), strict=True)
                ],
            }
        )
    return found
