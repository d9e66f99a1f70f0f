"""What the attack is fitted on and what it then judges: MIA-efficacy and MIA-privacy.

The attack sees one number a sample. Members are retained samples, non-members are test samples, as
many of one as of the other. This is the "confidence" attack of "Model Sparsity Can Simplify Machine
Unlearning" (Jia et al., NeurIPS 2023), after Song & Mittal (USENIX Security 2021).
"""

import numpy as np

from expunge.metrics.arrays import FloatArray, check_confidences
from expunge.metrics.membership.svc import fit_svc


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
    decide = fit_svc(rng.permutation(retain)[:size], rng.permutation(test)[:size])
    return 100.0 * float(np.mean(decide(forget) < 0))


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
    decide = fit_svc(members[:half], non_members[:half])
    true_positive = float(np.mean(decide(members[half:]) >= 0))
    true_negative = float(np.mean(decide(non_members[half:]) < 0))
    return 100.0 * (true_positive + true_negative) / 2
