"""What the attack is fitted on and what it then judges: MIA-efficacy and MIA-privacy.

The attack sees one number a sample. Members are retained samples, non-members are test samples, as
many of one as of the other. This is the "confidence" attack of "Model Sparsity Can Simplify Machine
Unlearning" (Jia et al., NeurIPS 2023), after Song & Mittal (USENIX Security 2021).

The paper draws the attacker's sample once. One draw can decide the result, so both are also
measured over many draws.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from expunge.metrics.arrays import FloatArray, check_confidences
from expunge.metrics.draws import Draws, over_draws
from expunge.metrics.membership.sampling import Keys, draw
from expunge.metrics.membership.svc import fit_svc


class Known(NamedTuple):
    """What an attacker can draw from."""

    values: FloatArray
    """The attacked feature of the samples, `(N,)`, 0-1."""
    keys: Keys
    """Their keys, `(N,)`, which decide who is in which draw."""


def efficacy_over_draws(retain: Known, test: Known, forget: FloatArray, seed: int) -> Draws:
    """`mia_efficacy` over draws; draw k has the same samples whatever their values are.

    Args:
        retain: the retained samples.
        test: the test samples, without those of forgotten classes.
        forget: the attacked feature of the samples that were unlearned, `(N,)`, 0-1.
        seed: of the draws.

    Raises:
        DataError: fewer than two retained or test samples, no forget sample, or values outside 0-1.
    """
    check_confidences("retain", retain.values, least=2)
    check_confidences("test", test.values, least=2)
    check_confidences("forget", forget)
    size = min(len(retain.values), len(test.values))

    def one(number: int) -> float:
        members, _ = draw(retain.keys, size, seed, number)
        others, _ = draw(test.keys, size, seed, number)
        return _judged_unseen(retain.values[members], test.values[others], forget)

    return over_draws(one)


def privacy_over_draws(retain: Known, test: Known, seed: int) -> Draws:
    """`mia_privacy` over draws; draw k has the same samples whatever their values are.

    Raises:
        DataError: fewer than two retained or test samples, or values outside 0-1.
    """
    check_confidences("retain", retain.values, least=2)
    check_confidences("test", test.values, least=2)
    half = min(len(retain.values), len(test.values)) // 2

    def one(number: int) -> float:
        members = (retain.values[part] for part in draw(retain.keys, half, seed, number))
        others = (test.values[part] for part in draw(test.keys, half, seed, number))
        return _told_apart(*members, *others)

    return over_draws(one)


def mia_efficacy(retain: FloatArray, test: FloatArray, forget: FloatArray, seed: int) -> float:
    """Percentage of forget samples that the attack takes for never trained on.

    The attack is fitted on n retained and n test samples, n the size of the smaller set: all of
    one, and as many of the other, drawn without replacement.

    Args:
        retain: the attacked feature of retained samples, `(N,)`, 0-1.
        test: the same of the test samples, without those of forgotten classes.
        forget: the same of the samples that were unlearned.
        seed: of the draw.

    Raises:
        DataError: fewer than two retained or test samples, no forget sample, or values outside 0-1.
    """
    check_confidences("retain", retain, least=2)
    check_confidences("test", test, least=2)
    check_confidences("forget", forget)
    rng = np.random.default_rng(seed)
    size = min(len(retain), len(test))
    return _judged_unseen(rng.permutation(retain)[:size], rng.permutation(test)[:size], forget)


def mia_privacy(retain: FloatArray, test: FloatArray, seed: int) -> float:
    """How well the attack tells trained-on from unseen samples, in percent; 50 is a coin's.

    The attack is fitted on n retained and n test samples, drawn without replacement, n half of the
    smaller set's size. The score is the mean of the true-positive rate on all other retained
    samples and the true-negative rate on all other test samples.

    Args:
        retain: the attacked feature of retained samples, `(N,)`, 0-1.
        test: the same of the test samples, without those of forgotten classes.
        seed: of the draw.

    Raises:
        DataError: fewer than two retained or test samples, or values outside 0-1.
    """
    check_confidences("retain", retain, least=2)
    check_confidences("test", test, least=2)
    rng = np.random.default_rng(seed)
    half = min(len(retain), len(test)) // 2
    members, non_members = rng.permutation(retain), rng.permutation(test)
    return _told_apart(members[:half], members[half:], non_members[:half], non_members[half:])


def _judged_unseen(members: FloatArray, others: FloatArray, forget: FloatArray) -> float:
    """Percentage of `forget` that an attack, fitted to members and to others, judges unseen."""
    decide = fit_svc(members, others)
    return 100.0 * float(np.mean(decide(forget) < 0))


def _told_apart(
    members: FloatArray, new_members: FloatArray, others: FloatArray, new_others: FloatArray
) -> float:
    """Balanced accuracy on the new ones of an attack that is fitted to the first of each."""
    decide = fit_svc(members, others)
    true_positive = float(np.mean(decide(new_members) >= 0))
    true_negative = float(np.mean(decide(new_others) < 0))
    return 100.0 * (true_positive + true_negative) / 2
