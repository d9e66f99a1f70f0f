"""Data influence and model influence: what predictions rest on, and which weights carry it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from expunge.graph.graph import Graph
from expunge.graph.kinds.attribution import add_attribution
from expunge.graph.kinds.forget import add_forget
from expunge.graph.kinds.lds import add_ceiling, add_lds
from expunge.graph.kinds.memorisation import add_memorisation
from expunge.graph.kinds.subsets import add_subsets
from expunge.graph.kinds.train import Together
from expunge.graph.kinds.weight_influence import add_weight_influence
from expunge.graph.targets import parse_targets
from expunge.methods import get_method
from expunge.scenarios import of_seed
from expunge.studies.attribution_recipe import AttributionSettings
from expunge.studies.grid import plan_data, plan_original
from expunge.studies.recipe import Experiment

CEILING = "another seed"


@dataclass(frozen=True, kw_only=True)
class Seed:
    """The nodes of one seed."""

    seed: int
    model_id: str
    attributions: Mapping[str, str]
    """By label of the attributor."""
    lds: Mapping[tuple[float, str], str]
    """By retained share and label; the ceiling's label is `another seed`."""
    weights: Mapping[str, str]
    """By scenario."""
    forgets: Mapping[str, str]
    """By scenario: that of this seed; another one where seeds forget different ones."""
    memorisation: str | None


def plan_attribution(
    graph: Graph,
    experiment: Experiment,
    settings: AttributionSettings,
    cache: Path | None = None,
    together: Together | None = None,
) -> list[Seed]:
    """The nodes of a study, by seed.

    Raises:
        ConfigError: the targets do not fit the data.
        DataError: the data cannot be read.
        ForgetError: a scenario does not fit the data.
    """
    data_id, facts = plan_data(graph, experiment, cache)
    targets = parse_targets(settings.targets)
    retrain = get_method("retrain").config()
    if "retrain" in experiment.methods:
        retrain = experiment.method_config("retrain", "draw:0.5:0")
    found = []
    for seed in experiment.seeds:
        model = plan_original(graph, experiment, data_id, seed, together)
        attributions = {
            label: add_attribution(
                graph,
                model,
                settings.attributor(label),
                settings.config(label),
                targets,
                facts=facts,
                together=together,
            )
            for label in settings.attributors
        }
        lds: dict[tuple[float, str], str] = {}
        for retained in settings.retained:
            subsets, *again = (
                add_subsets(
                    graph,
                    model,
                    retained=retained,
                    count=settings.subsets,
                    population="test",
                    facts=facts,
                    config=retrain,
                    together=together,
                    another_seed=another,
                )
                for another in ((False, True) if settings.again else (False,))
            )
            for label, attribution in attributions.items():
                lds[retained, label] = add_lds(graph, attribution, subsets)
            for each in again:
                first = next(iter(attributions.values()))
                lds[retained, CEILING] = add_ceiling(graph, first, subsets, each)
        memorisation = None
        if settings.memorisation:
            memorisation = add_memorisation(
                graph, model, settings.subsets, facts=facts, config=retrain, together=together
            )
        forgets = {
            scenario: of_seed(scenario, seed, facts.class_names)
            for scenario in experiment.scenarios
        }
        weights = {
            scenario: add_weight_influence(
                graph,
                model,
                add_forget(graph, model, chosen, facts=facts),
                settings.weights,
            )
            for scenario, chosen in forgets.items()
        }
        found.append(
            Seed(
                seed=seed,
                model_id=model,
                attributions=attributions,
                lds=lds,
                weights=weights,
                forgets=forgets,
                memorisation=memorisation,
            )
        )
    return found
