"""The learning rate as a pure function of the step."""

import math

from expunge.settings import Training


def learning_rate(training: Training, step: int, steps_per_epoch: int) -> float:
    """The learning rate at `step` (from 0) in a training of `training.epochs` epochs.

    Warm-up is linear over `warmup_epochs`. `milestones` multiplies by 0.1 at each milestone,
    `cosine` falls to zero along half a cosine, `one_cycle` falls linearly to zero after the warm-up
    (Smith & Topin 2019), `constant` does not change.

    >>> [learning_rate(Training(milestones=(1,), epochs=2), s, 2) for s in (0, 2)]
    [0.1, 0.010000000000000002]
    """
    total = training.epochs * steps_per_epoch
    warmup = training.warmup_epochs * steps_per_epoch
    if step < warmup:
        # step + 1: the first step already has a rate, and the last warm-up step has the peak.
        return training.lr * min(1.0, (step + 1) / warmup)
    progress = (step - warmup) / max(1.0, total - warmup)
    if training.schedule == "cosine":
        return training.lr * 0.5 * (1 + math.cos(math.pi * progress))
    if training.schedule == "one_cycle":
        return training.lr * (1 - progress)
    if training.schedule == "milestones":
        epoch = step // steps_per_epoch
        return training.lr * 0.1 ** sum(epoch >= milestone for milestone in training.milestones)
    return training.lr
