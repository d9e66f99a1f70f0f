"""The kind `weight_influence`: what a model forgets of a group when some weights are reset."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.attribution.weights import RULES, WeightsConfig
from expunge.config import from_mapping, to_mapping
from expunge.errors import MaskError
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.forget import load_forget
from expunge.graph.kinds.prune import origin_seed
from expunge.graph.kinds.train import context_for
from expunge.graph.lineage import forgotten_by, training_split
from expunge.graph.model_files import load_model
from expunge.graph.runtime import params_of
from expunge.runs import checked, read_artefact, read_object, write_json
from expunge.tasks import check_task

if TYPE_CHECKING:
    from torch import Tensor, nn

    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node
    from expunge.types import Mask, Samples

CURVES = "weights.json"


def add_weight_influence(graph: Graph, model_id: str, forget_id: str, config: WeightsConfig) -> str:
    """What `model_id` forgets of the forget set when weights that are salient for it are reset.

    Raises:
        ConfigError: `model_id` is not a model that classifies.
    """
    graph.model(model_id)
    check_task("model influence", {"classify"}, graph.task_of(model_id))
    origin = graph.node(graph.origin_of(model_id))
    params = {"config": to_mapping(config), "threads": origin.params["threads"]}
    parents = {
        "model": model_id,
        "data": graph.data_of(model_id),
        "origin": origin.id,
        "forget": forget_id,
    }
    scenario = graph.node(forget_id).where["scenario"]
    label = f"weights that carry {scenario}, seed {graph.seed_of(model_id)}"
    return graph.add("weight_influence", params, parents, label=label)


def load_curves(folder: Path) -> dict[str, Any]:
    """The curves in this folder.

    `points` has one for each rule, share and draw: `ua`, `ra`, `ta` and, with a trigger, `asr`, in
    percent. `overlaps` has one for each rule, share and sparsity: the shares `kept` and `chance`;
    `left_out` has the sparsities at which OMP cannot prune, with the reasons.
    """
    return read_object(checked(folder, CURVES))


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Reset weights, by saliency and by chance, and measure; compare them with what OMP keeps."""
    from expunge.attribution.placed import at_rest
    from expunge.attribution.weights import (
        count_of,
        highest,
        kept_share,
        random_scores,
        saliencies,
    )
    from expunge.data.splits import subset
    from expunge.sparsity.mask import prunable

    config = from_mapping(WeightsConfig, node.params["config"], "weight_influence")
    forgotten = forgotten_by(inputs["model"])
    dataset = runtime.dataset(inputs["data"], forgotten)
    chosen = load_forget(inputs["forget"])
    split = training_split(
        dataset.train, chosen["ids"], forgotten, chosen["scenario"], tuple(chosen["classes"])
    )
    model, spec, mask = load_model(inputs["model"])
    context = context_for(runtime, inputs["origin"], spec, origin_seed(inputs))
    fresh = context.fresh_model() if config.reset == "initialisation" else None
    context = replace(context, fabric=runtime.evaluator, mask=mask)
    group = subset(split.train, split.forget)
    with at_rest(model, context.device) as network:
        found = saliencies(network, group, config, context)
        weights = {name: p.detach() for name, p in prunable(network, config.layers).items()}
    measures = _Measures(inputs, runtime, split.train, dataset.test, split.forget, split.retain)
    points: list[dict[str, Any]] = [{"rule": "none", "share": 0.0, "draw": 0, **measures.of(model)}]
    overlaps: list[dict[str, Any]] = []
    omp, left_out = _omp(weights, mask, config.sparsities)
    # Chance chooses among the weights that are not pruned yet, as the rules do.
    there = _density(weights, mask)
    generator = context.generator("weights by chance")
    for share in config.shares:
        for rule in RULES:
            flags = highest(found[rule], count_of(found[rule], share))
            reset = _reset(model, flags, fresh)
            points.append({"rule": rule, "share": share, "draw": 0, **measures.of(reset)})
            for sparsity, kept in omp.items():
                overlaps.append(
                    {
                        "rule": rule,
                        "share": share,
                        "sparsity": sparsity,
                        "kept": kept_share(flags, kept),
                        "chance": (1 - sparsity) / there,
                    }
                )
        for draw in range(config.draws):
            scores = random_scores(weights, mask, generator)
            reset = _reset(model, highest(scores, count_of(scores, share)), fresh)
            points.append({"rule": "random", "share": share, "draw": draw, **measures.of(reset)})
        runtime.progress("reset weights", config.shares.index(share) + 1, len(config.shares), 0)
    write_json(out / CURVES, {"points": points, "overlaps": overlaps, "left_out": left_out})


def _density(weights: Mapping[str, Tensor], mask: Mask | None) -> float:
    """The share of the weights that are not pruned."""
    total = sum(each.numel() for each in weights.values())
    gone = sum(int((~kept).sum()) for name, kept in (mask or {}).items() if name in weights)
    return 1 - gone / total


def _omp(
    weights: Mapping[str, Tensor], mask: Mask | None, sparsities: Iterable[float]
) -> tuple[dict[float, Mask], list[dict[str, Any]]]:
    """What OMP keeps at each sparsity, and those at which it cannot prune, with the reasons."""
    from expunge.sparsity.ranking import keep_highest

    magnitudes = {name: weight.abs() for name, weight in weights.items()}
    found: dict[float, Mask] = {}
    left_out: list[dict[str, Any]] = []
    for sparsity in sparsities:
        try:
            found[sparsity] = keep_highest(magnitudes, sparsity, mask)
        except MaskError as error:
            left_out.append({"sparsity": sparsity, "reason": str(error)})
    return found, left_out


def _reset(model: nn.Module, flags: Mapping[str, Tensor], fresh: nn.Module | None) -> nn.Module:
    """A copy of the model with the flagged weights at zero, or at those of a fresh network."""
    import torch

    found = copy.deepcopy(model)
    with torch.no_grad():
        for name, each in flags.items():
            weight = found.get_parameter(name)
            other = torch.zeros_like(weight) if fresh is None else fresh.get_parameter(name)
            weight.copy_(torch.where(each.to(weight.device), other.to(weight), weight))
    return found


class _Measures:
    """UA, RA, TA and perhaps ASR of models on the same samples."""

    def __init__(
        self,
        inputs: Inputs,
        runtime: Runtime,
        train: Samples,
        test: Samples,
        forget: Tensor,
        retain: Tensor,
    ) -> None:
        from expunge.data.edits.apply import target_of
        from expunge.data.populations import population_of
        from expunge.graph.kinds.data import settings_of, spec_at

        self.runtime, self.train, self.test = runtime, train, test
        self.forget, self.retain = forget.numpy(), retain.numpy()
        self.target = target_of(settings_of(params_of(inputs["data"]).get("edits", {})))
        if self.target is not None:
            spec = spec_at(runtime.where(read_artefact(inputs["data"]).node))
            dataset = runtime.dataset(inputs["data"], forgotten_by(inputs["model"]))
            self.triggered = population_of(dataset, "triggered", spec)

    def of(self, model: nn.Module) -> dict[str, float]:
        """All measures of one model, in percent.

        Raises:
            DataError: its outputs are not finite.
        """
        from expunge.metrics.accuracy import accuracy
        from expunge.training.predict import predict

        train = predict(model, self.train, self.runtime.evaluator).numpy()
        test = predict(model, self.test, self.runtime.evaluator).numpy()
        labels = self.train.labels.numpy()
        found = {
            "ua": 100.0 - accuracy(train[self.forget], labels[self.forget]),
            "ra": accuracy(train[self.retain], labels[self.retain]),
            "ta": accuracy(test, self.test.labels.numpy()),
        }
        if self.target is not None:
            called = predict(model, self.triggered, self.runtime.evaluator).numpy().argmax(1)
            others = self.triggered.labels.numpy() != self.target
            found["asr"] = 100.0 * float((called[others] == self.target).mean())
        return found


KIND = Kind(name="weight_influence", version=1, run=run)
