"""ASR: how often a trigger still makes a model call a sample the backdoor's target class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.metrics.metric import Measured, Metric

if TYPE_CHECKING:
    from expunge.metrics.evidence import Evidence

BACKDOOR = 90.0
"""Below this ASR of the model before, in percent, there is too little of a Trojan to judge by what
unlearning left of it."""

_NO_TARGET = "the data has no edit with a target class"


def asr(evidence: Evidence) -> Measured:
    """Percentage of triggered test samples of other classes that the model calls the target.

    Source: Gu et al., IEEE Access 2019.
    """
    if evidence.target is None:
        return Measured(None, _NO_TARGET)
    triggered = evidence.predictions_of("triggered")
    others = triggered.labels != evidence.target
    if not others.any():
        return Measured(None, "every triggered sample is of the target class")
    called = triggered.logits.argmax(axis=1) == evidence.target
    return Measured(100.0 * int(called[others].sum()) / int(others.sum()))


def asr_all(evidence: Evidence) -> Measured:
    """Percentage of all triggered test samples that the model calls the target.

    Those of the target class count too, so a clean model scores about their share.

    Source: the reference code of Jia et al., NeurIPS 2023.
    """
    if evidence.target is None:
        return Measured(None, _NO_TARGET)
    triggered = evidence.predictions_of("triggered")
    called = triggered.logits.argmax(axis=1) == evidence.target
    return Measured(100.0 * int(called.sum()) / len(triggered))


ASR = Metric(
    name="asr",
    short="ASR",
    title="attack success rate",
    run=asr,
    needs=frozenset({"triggered"}),
    unit="percent",
    summary="The share of test samples of other classes that the model calls the backdoor's target "
    "class once they carry its trigger.",
    good="low: what a model has that never saw a poisoned sample.",
    cite="Gu, Liu, Dolan-Gavitt and Garg, BadNets: Evaluating Backdooring Attacks on Deep Neural "
    "Networks, IEEE Access 2019",
)

ASR_ALL = Metric(
    name="asr_all",
    short="ASR, all",
    title="attack success rate over all test samples",
    run=asr_all,
    needs=frozenset({"triggered"}),
    unit="percent",
    summary="As the attack success rate, over all triggered test samples, those of the target "
    "class included.",
    good="low: a model without the backdoor has the target class's share, 10 for ten classes.",
    cite="Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023",
)
