"""Whether a model still makes images of the forgotten classes, and still makes the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.metrics.metric import GENERATED, Measured, Metric

if TYPE_CHECKING:
    from expunge.metrics.evidence import Evidence

_GENERATE = frozenset({"generate"})


def ua_generated(evidence: Evidence) -> Measured:
    """100 minus the percentage of images asked for as a forgotten class that are taken for it."""
    from expunge.metrics.accuracy import unlearning_accuracy

    asked = evidence.of_forgotten_classes(GENERATED)
    if not asked.any():
        return Measured(None, "no class is forgotten as a whole, so none is asked for")
    forgotten = evidence.predictions_of(GENERATED).at(asked)
    return Measured(unlearning_accuracy(forgotten.logits, forgotten.labels))


def accuracy_generated(evidence: Evidence) -> Measured:
    """Percentage of images asked for as another class that are taken for it."""
    from expunge.metrics.accuracy import accuracy

    others = evidence.of_remaining_classes(GENERATED)
    return Measured(accuracy(others.logits, others.labels))


UA_GENERATED = Metric(
    name="ua_generated",
    short="UA, images",
    title="unlearning accuracy of generation",
    run=ua_generated,
    needs=frozenset({GENERATED}),
    unit="percent",
    tasks=_GENERATE,
    summary="100 minus the share of images, asked for as a forgotten class, that an independent "
    "classifier takes for this class.",
    good="close to Retrain's value, which never saw the class: about 100 minus chance.",
    cite="Fan et al., SalUn: Empowering Machine Unlearning via Gradient-based Weight Saliency in "
    "Both Image Classification and Generation, ICLR 2024",
)

ACCURACY_GENERATED = Metric(
    name="accuracy_generated",
    short="Accuracy, images",
    title="accuracy of generation on the other classes",
    run=accuracy_generated,
    needs=frozenset({GENERATED}),
    unit="percent",
    tasks=_GENERATE,
    summary="The share of images, asked for as a class that is not forgotten, that an independent "
    "classifier takes for this class.",
    good="as high as before: forgetting a class should not cost the others.",
    cite="Heng and Soh, Selective Amnesia: A Continual Learning Approach to Forgetting in Deep "
    "Generative Models, NeurIPS 2023",
)
