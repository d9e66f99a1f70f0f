"""Membership inference: can an attacker tell that a sample was trained on?"""

from expunge.metrics.membership.attacks import ATTACKS, DEFAULT_ATTACKS, Attack, get_attack
from expunge.metrics.membership.audit import run_attacks
from expunge.metrics.membership.features import (
    correctness,
    entropy,
    modified_entropy,
    probabilities,
    true_class_confidence,
)
from expunge.metrics.membership.protocol import mia_efficacy, mia_privacy

__all__ = [
    "ATTACKS",
    "DEFAULT_ATTACKS",
    "Attack",
    "correctness",
    "entropy",
    "get_attack",
    "mia_efficacy",
    "mia_privacy",
    "modified_entropy",
    "probabilities",
    "run_attacks",
    "true_class_confidence",
]
