"""Every membership attack there is: a feature, and a classifier that reads it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from expunge.errors import ConfigError, unknown
from expunge.metrics.arrays import FloatArray, LabelArray, LogitArray
from expunge.metrics.membership import features
from expunge.metrics.membership.classifiers import Classifier, class_threshold, logistic, svc

Feature: TypeAlias = Callable[[LogitArray, LabelArray], FloatArray]
"""From logits and labels to `(N,)` or `(N, numbers)`."""

_SPARSITY = "Jia et al., Model Sparsity Can Simplify Machine Unlearning, NeurIPS 2023"
_SYSTEMATIC = (
    "Song and Mittal, Systematic Evaluation of Privacy Risks of Machine Learning Models, "
    "USENIX Security 2021"
)
_MODELS = "Salem et al., ML-Leaks, NDSS 2019"


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One membership attack."""

    name: str
    """Its key in results: the feature and the classifier."""
    feature: Feature
    """The feature that it uses."""
    low: bool = False
    """Members have the smaller values, as of an entropy."""
    classifier: Classifier
    """The classifier that it trains on known members and non-members."""
    most: int | None = None
    """How many members, and as many non-members, it learns from at most; None is any number.

    For those whose time grows with the square of it.
    """
    costly: bool = False
    """Runs only where it is asked for: it takes seconds for every ten thousand samples judged."""
    cite: str

    def values(self, logits: LogitArray, labels: LabelArray) -> FloatArray:
        """The feature, turned so that likelier members have larger values."""
        values = self.feature(logits, labels)
        return -values if self.low else values


ATTACKS: tuple[Attack, ...] = (
    Attack(
        name="confidence_svc",
        feature=features.true_class_confidence,
        classifier=svc,
        cite=_SPARSITY,
    ),
    Attack(name="correctness_svc", feature=features.correctness, classifier=svc, cite=_SPARSITY),
    Attack(name="entropy_svc", feature=features.entropy, low=True, classifier=svc, cite=_SPARSITY),
    Attack(
        name="modified_entropy_svc",
        feature=features.modified_entropy,
        low=True,
        classifier=svc,
        most=2000,
        cite=_SPARSITY,
    ),
    Attack(
        name="probabilities_svc",
        feature=features.probabilities,
        classifier=svc,
        most=1000,
        costly=True,
        cite=_SPARSITY,
    ),
    Attack(
        name="confidence_threshold",
        feature=features.true_class_confidence,
        classifier=class_threshold,
        cite=_SYSTEMATIC,
    ),
    Attack(
        name="entropy_threshold",
        feature=features.entropy,
        low=True,
        classifier=class_threshold,
        cite=_SYSTEMATIC,
    ),
    Attack(
        name="modified_entropy_threshold",
        feature=features.modified_entropy,
        low=True,
        classifier=class_threshold,
        cite=_SYSTEMATIC,
    ),
    Attack(
        name="confidence_logistic",
        feature=features.true_class_confidence,
        classifier=logistic,
        cite=_MODELS,
    ),
    Attack(
        name="entropy_logistic",
        feature=features.entropy,
        low=True,
        classifier=logistic,
        cite=_MODELS,
    ),
    Attack(
        name="modified_entropy_logistic",
        feature=features.modified_entropy,
        low=True,
        classifier=logistic,
        cite=_MODELS,
    ),
)
"""Every attack there is."""

DEFAULT_ATTACKS = tuple(attack for attack in ATTACKS if not attack.costly)
"""The default attacks."""


def get_attack(name: str) -> Attack:
    """The attack of that name.

    Raises:
        ConfigError: there is none.
    """
    for attack in ATTACKS:
        if attack.name == name:
            return attack
    raise ConfigError(unknown("attack", name, (attack.name for attack in ATTACKS)))
