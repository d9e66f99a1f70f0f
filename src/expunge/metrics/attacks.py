"""Membership attacks one by one: the results of every attack that is not costly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.metrics.metric import Measured, Metric

if TYPE_CHECKING:
    from expunge.metrics.evidence import Evidence


def attacks(evidence: Evidence) -> Measured:
    """By attack, the result of `run_attacks` in one draw, in percent.

    Members are the retained samples, non-members the test samples; the forget set is compared
    with test samples of the classes forgotten as a whole.

    Raises:
        DataError: too few samples are left for an attack.
    """
    import numpy as np

    from expunge.metrics.membership.audit import run_attacks

    parts = evidence.retained(), evidence.forgotten(), evidence.predictions_of("test")
    part = np.repeat(np.arange(len(parts)), [len(each) for each in parts])
    found = run_attacks(
        np.concatenate([each.logits for each in parts]),
        np.concatenate([each.labels for each in parts]),
        member=part == 0,
        forget=part == 1,
        seed=evidence.seed,
        forgotten_classes=evidence.classes,
    )
    return Measured({name: dict(values) for name, values in found.items()})


ATTACKS = Metric(
    name="attacks",
    short="Attacks",
    title="membership attacks one by one",
    run=attacks,
    needs=frozenset({"train", "test", "forget"}),
    unit="percent",
    detailed=True,
    version=2,
    summary="What each of several membership attacks finds out about retained and about forgotten "
    "samples, in one draw of the attacker's sample: balanced accuracy, AUC, true-positive rates.",
    good="no higher than Retrain's; for the forgotten, near 50, or 1 and 0.1 for the rates.",
    cite="Song and Mittal, Systematic Evaluation of Privacy Risks of Machine Learning Models, "
    "USENIX Security 2021; Carlini et al., Membership Inference Attacks From First Principles, "
    "IEEE S&P 2022",
)
