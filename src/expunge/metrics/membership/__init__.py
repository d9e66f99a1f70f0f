"""Membership inference: can an attacker tell that a sample was trained on?"""

from expunge.metrics.membership.confidence import true_class_confidence
from expunge.metrics.membership.protocol import mia_efficacy, mia_privacy

__all__ = ["mia_efficacy", "mia_privacy", "true_class_confidence"]
