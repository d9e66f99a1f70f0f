"""Measure a model, and compare it with a retrained one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from expunge.api.given import fabric_on, samples_in
from expunge.api.results import Evaluation
from expunge.graph.runtime import FLOAT32
from expunge.metrics import COMPARED, get_metric
from expunge.metrics.distance import weight_distance
from expunge.metrics.evidence import Evidence, Predictions, flags_of
from expunge.metrics.gap import gap
from expunge.metrics.metric import Measured, measure
from expunge.models.check import check_outputs
from expunge.settings import derive_seed
from expunge.statistics.intervals import Interval, wilson
from expunge.training.predict import predict
from expunge.types import Samples, Split

_MEASURED = ("ua", "ra", "ta", "ta_forgotten", "mia_efficacy", "mia_privacy")


def evaluate(
    model: nn.Module,
    split: Split,
    test: Any,
    *,
    reference: nn.Module | None = None,
    seed: int = 0,
    device: str = "auto",
) -> Evaluation:
    """The metrics of `model` on `split` and `test`, and their gaps from the retrained `reference`.

    `test` is anything that `split` takes as `train`; of a `Dataset`, the test samples are taken.
    What so few samples cannot give is None, with the reason in `reasons`.

    Raises:
        DataError: the test data cannot be read.
        ModelError: the model does not fit the data.
    """
    # Use the training data's class names: a class missing from the test data shifts no others.
    samples = samples_in(test, "test", class_names=split.train.class_names)
    found = _measured(model, split, samples, seed, device)
    metrics = _numbers(found)
    reasons = {name: each.reason for name, each in found.items() if each.reason}
    alone = Evaluation(
        metrics=metrics,
        gap=None,
        gap_reason="no retrained model was given as reference",
        reasons=reasons,
        draws={name: each.draws for name, each in found.items() if each.draws is not None},
        intervals=_intervals(metrics, split, samples),
    )
    if reference is None:
        return alone
    weights, others = dict(model.named_parameters()), dict(reference.named_parameters())
    if {n: p.shape for n, p in weights.items()} == {n: p.shape for n, p in others.items()}:
        metrics["weight_distance"] = weight_distance(
            {n: p.detach() for n, p in weights.items()}, {n: p.detach() for n, p in others.items()}
        )
    lacking = [name for name in COMPARED if name in reasons]
    if lacking:
        reason = f"there is no {lacking[0]} to compare: {reasons[lacking[0]]}"
        return replace(alone, gap_reason=reason)
    retrained = _numbers(_measured(reference, split, samples, seed, device))
    return replace(alone, gap=gap(metrics, retrained), gap_reason=None)


def _intervals(
    metrics: Mapping[str, float | None], split: Split, test: Samples
) -> dict[str, Interval]:
    """Wilson's intervals of accuracies, from their values and the numbers of test samples."""
    gone = sum(int((test.labels == label).sum()) for label in split.classes)
    counts = {"ta": len(test) - gone, "ta_forgotten": gone}
    values = {name: metrics.get(name) for name in counts}
    return {
        name: wilson(round(value * counts[name] / 100), counts[name])
        for name, value in values.items()
        if value is not None
    }


def _numbers(found: Mapping[str, Measured]) -> dict[str, float | None]:
    return {
        name: each.value for name, each in found.items() if not isinstance(each.value, dict | list)
    }


def _measured(
    model: nn.Module, split: Split, test: Samples, seed: int, device: str
) -> dict[str, Measured]:
    """The metrics that are numbers."""
    inputs = split.train.inputs
    check_outputs(model, inputs.shape, split.train.num_classes, inputs.kind)
    fabric = fabric_on(device, FLOAT32)
    evidence = Evidence(
        predictions={
            name: Predictions(predict(model, each, fabric).numpy(), each.labels.numpy())
            for name, each in (("train", split.train), ("test", test))
        },
        forget=flags_of(split.forget.numpy(), len(split.train)),
        retain=flags_of(split.retain.numpy(), len(split.train)),
        classes=split.classes,
        ids=split.train.ids,
        seed=derive_seed(seed, "attack"),
    )
    return {
        name: each
        for name in _MEASURED
        if not isinstance((each := measure(get_metric(name), evidence)).value, dict | list)
    }
