"""How many corrected samples a model still gives the label that they had before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.metrics.metric import Measured, Metric

if TYPE_CHECKING:
    from expunge.metrics.evidence import Evidence


def old_label(evidence: Evidence) -> Measured:
    """Percentage of the samples whose label was corrected that the model gives the old one.

    Source: the memorised wrong labels of Liu et al., NeurIPS 2020, figure 1.
    """
    now, before = evidence.forgotten(), evidence.forgotten("base_train")
    corrected = now.labels != before.labels
    if not corrected.any():
        return Measured(None, "no label was corrected")
    called = now.logits.argmax(axis=1)[corrected]
    return Measured(100.0 * int((called == before.labels[corrected]).sum()) / len(called))


def _example() -> Evidence:
    """The usual example, with one label in three of the training samples corrected."""
    from dataclasses import replace

    import numpy as np

    from expunge.metrics.example import example_evidence

    evidence = example_evidence(1, (1,))
    before = evidence.predictions_of("base_train")
    moved = np.arange(len(before)) % 3 == 0
    labels = np.where(moved, (before.labels + 1) % 3, before.labels)
    predictions = {**evidence.predictions, "base_train": replace(before, labels=labels)}
    return replace(evidence, predictions=predictions)


OLD_LABEL = Metric(
    name="old_label",
    short="Old label",
    title="corrected samples with their old label",
    run=old_label,
    needs=frozenset({"train", "base_train", "forget"}),
    unit="percent",
    summary="The share of the corrected samples that the model still gives the label they had.",
    good="0, or Retrain's value: the old label is forgotten.",
    cite="Liu, Niles-Weed, Razavian and Fernandez-Granda, Early-Learning Regularization Prevents "
    "Memorization of Noisy Labels, NeurIPS 2020",
    example=_example,
)
