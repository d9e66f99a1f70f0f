"""Forget poisoned samples, and measure a Trojan before and after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from expunge.api.given import fabric_on, samples_in
from expunge.api.results import Sparse, Unlearned
from expunge.api.work import unlearn
from expunge.data.edits.apply import trigger_for
from expunge.graph.runtime import FLOAT32
from expunge.metrics import get_metric
from expunge.metrics.attack_success import BACKDOOR
from expunge.metrics.evidence import Evidence, Predictions
from expunge.metrics.metric import measure
from expunge.models.check import check_outputs
from expunge.settings import Progress, Training, silent
from expunge.training.predict import predict
from expunge.types import Samples, Split


@dataclass(frozen=True)
class Cleansed:
    """A model that has forgotten what poisoned it."""

    unlearned: Unlearned
    """The model, and what unlearning it took."""
    before: Mapping[str, float]
    """Of the given model, in percent: `asr` on triggered test samples of other classes, `asr_all`
    on all triggered test samples, and `sa`, accuracy on clean test samples."""
    after: Mapping[str, float]
    """The same of the cleansed model."""

    @property
    def model(self) -> nn.Module:
        """The cleansed model."""
        return self.unlearned.model

    @property
    def judged(self) -> bool:
        """Whether the given model's ASR is 90 or more: below, there is too little to remove."""
        return self.before.get("asr", 0.0) >= BACKDOOR


def cleanse(
    model: nn.Module | Sparse,
    split: Split,
    test: Any,
    *,
    trigger: Mapping[str, Mapping[str, Any]],
    method: str = "ft",
    config: Any = None,
    training: Training | None = None,
    rebuild: Callable[[int], nn.Module] | None = None,
    dense: bool = False,
    seed: int = 0,
    device: str = "auto",
    precision: str = "32-true",
    progress: Progress = silent,
) -> Cleansed:
    """A copy of `model` that has forgotten the forget set of `split`, and its Trojan in numbers.

    The forget set is what is known or suspected to be poisoned. `test` are clean test data, as
    `evaluate` takes them; `trigger` is the settings of an edit with a trigger by its name, such as
    `{"badnets": {"size": 3}}`, which is put on them. The other arguments are those of `unlearn`.

    Raises:
        ConfigError: not one edit with a trigger, its target is no class, or as `unlearn`.
        DataError: the test data cannot be read, or cannot carry the trigger.
        DivergedError, ModelError: as `unlearn`.
    """
    samples = samples_in(test, "test", class_names=split.train.class_names)
    edit, settings = trigger_for(trigger, split.train.num_classes)
    target = edit.target(settings)
    triggered = edit.show(samples, settings)
    whole = model.model if isinstance(model, Sparse) else model
    inputs = split.train.inputs
    check_outputs(whole, inputs.shape, split.train.num_classes, inputs.kind)
    before = _measured(whole, samples, triggered, target, device)
    unlearned = unlearn(
        model,
        split,
        method=method,
        config=config,
        training=training,
        rebuild=rebuild,
        dense=dense,
        seed=seed,
        device=device,
        precision=precision,
        progress=progress,
    )
    after = _measured(unlearned.model, samples, triggered, target, device)
    return Cleansed(unlearned, before, after)


def _measured(
    model: nn.Module, test: Samples, triggered: Samples, target: int, device: str
) -> dict[str, float]:
    """ASR, ASR over all and SA; a number is left out where there are no samples for it."""
    fabric = fabric_on(device, FLOAT32)
    evidence = Evidence(
        predictions={
            name: Predictions(predict(model, each, fabric).numpy(), each.labels.numpy())
            for name, each in (("test", test), ("triggered", triggered))
        },
        classes=(),
        seed=0,
        target=target,
    )
    found = {
        name: measure(get_metric(metric), evidence).value
        for name, metric in (("asr", "asr"), ("asr_all", "asr_all"), ("sa", "ta"))
    }
    return {name: float(value) for name, value in found.items() if isinstance(value, int | float)}
