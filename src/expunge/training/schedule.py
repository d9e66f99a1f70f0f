"""The learning rate as a pure function of the step."""

import math

from expunge.settings import Recipe


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The learning rate of `step` (from 0) of a run of `recipe.epochs` epochs.

    Warm-up is linear over `warmup_epochs`. `milestones` multiplies by 0.1 at each milestone,
    `cosine` falls to zero along half a cosine, `one_cycle` falls to zero linearly after its rise
    (Smith & Topin 2019), `constant` stays.

    >>> [learning_rate(Recipe(milestones=(1,), epochs=2), s, 2) for s in (0, 2)]
    [0.1, 0.010000000000000002]
    """
    total = recipe.epochs * steps_per_epoch
    warmup = recipe.warmup_epochs * steps_per_epoch
    if step < warmup:
        # The first step already moves: (step + 1), and the peak is reached by the last of them.
        return recipe.lr * min(1.0, (step + 1) / warmup)
    progress = (step - warmup) / max(1.0, total - warmup)
    if recipe.schedule == "cosine":
        return recipe.lr * 0.5 * (1 + math.cos(math.pi * progress))
    if recipe.schedule == "one_cycle":
        return recipe.lr * (1 - progress)
    if recipe.schedule == "milestones":
        epoch = step // steps_per_epoch
        return recipe.lr * 0.1 ** sum(epoch >= milestone for milestone in recipe.milestones)
    return recipe.lr
