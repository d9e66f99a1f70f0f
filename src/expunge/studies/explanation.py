"""Which training samples some predictions of one model rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from expunge.config import to_mapping
from expunge.data.facts import Facts
from expunge.errors import ConfigError
from expunge.graph.graph import Graph
from expunge.graph.kinds.attribution import add_attribution, load_about, load_scores
from expunge.graph.kinds.predict import add_predict, load_predictions
from expunge.graph.runtime import read_facts
from expunge.graph.targets import Targets
from expunge.runs import Store


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """The nodes that explain predictions of a model."""

    model_id: str
    attributor: str
    config: Any
    attribution_id: str
    predict_id: str
    """The model's answers on the targets' population."""


def plan_explanation(
    graph: Graph, model_id: str, attributor: str, config: Any, targets: Targets, facts: Facts
) -> Explanation:
    """The nodes that explain the predictions of `model_id` for `targets`.

    Raises:
        ConfigError: `model_id` is not a model, or the targets do not fit the data of `facts`.
    """
    graph.model(model_id)
    population = "test" if targets.rule != "ids" else targets.rows(facts)[0]
    attribution = add_attribution(graph, model_id, attributor, config, targets, facts=facts)
    return Explanation(
        model_id=model_id,
        attributor=attributor,
        config=config,
        attribution_id=attribution,
        predict_id=add_predict(graph, model_id, population),
    )


def collect_explanation(store: Store, explanation: Explanation, top: int) -> dict[str, Any]:
    """Each target with the `top` most helpful and most harmful training samples.

    Raises:
        ConfigError: `top` is below 1.
        StoreError: an artefact is missing or damaged.
    """
    if top < 1:
        raise ConfigError(f"top must be 1 or more, got {top}")
    folder = store.path(explanation.attribution_id)
    found, about = load_scores(folder), load_about(folder)
    facts = read_facts(store.path(store.node(explanation.model_id).parents["data"]))
    part = facts.parts[about["population"]]
    predictions = load_predictions(store.path(explanation.predict_id))
    called = dict(
        zip(predictions["rows"].tolist(), predictions["logits"].argmax(1).tolist(), strict=True)
    )
    targets = []
    for row, scores in zip(found["targets"].tolist(), found["scores"], strict=True):
        order = scores.argsort(kind="stable")
        helpful = [int(place) for place in order[::-1][:top] if scores[place] > 0]
        harmful = [int(place) for place in order[:top] if scores[place] < 0]
        targets.append(
            {
                "id": part.ids[row],
                "class": facts.class_names[part.labels[row]],
                "called": facts.class_names[called[row]],
                "helpful": [_sample(facts, found, place, scores) for place in helpful],
                "harmful": [_sample(facts, found, place, scores) for place in harmful],
            }
        )
    return {
        "run": explanation.model_id,
        "attributor": explanation.attributor,
        "config": to_mapping(explanation.config),
        "population": about["population"],
        "samples": len(found["samples"]),
        "scores": explanation.attribution_id,
        "notes": about["notes"],
        "targets": targets,
    }


def _sample(facts: Facts, found: dict[str, Any], place: int, scores: Any) -> dict[str, Any]:
    row = int(found["samples"][place])
    return {
        "id": facts.train.ids[row],
        "class": facts.class_names[facts.train.labels[row]],
        "score": float(scores[place]),
    }
