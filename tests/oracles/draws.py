"""MIA-efficacy and MIA-privacy over draws, one draw and one sample at a time."""

import hashlib
import statistics

import numpy as np

from expunge.metrics.membership.protocol import mia_efficacy
from expunge.metrics.membership.svc import fit_svc
from expunge.settings import derive_seed

WORD = 2**64


def rank(name, seed, number):
    """Where a sample stands in a draw: its id and the draw, mixed as in SplitMix64."""
    key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
    z = key ^ derive_seed(seed, f"draw {number}")
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % WORD
    return z ^ (z >> 31)


def drawn(names, size, seed, number):
    """The ids in a draw."""
    return set(sorted(names, key=lambda name: rank(name, seed, number))[:size])


def divided(samples, size, seed, number):
    """Values by id, as those in a draw and all others."""
    chosen = drawn(samples, size, seed, number)
    return tuple(
        np.array([value for name, value in samples.items() if (name in chosen) is inside])
        for inside in (True, False)
    )


def over_draws(one, few=20, many=200):
    """Twenty draws, or two hundred where they deviate by more than five points."""
    values = [one(number) for number in range(few)]
    if statistics.stdev(values) > 5:
        values = [one(number) for number in range(many)]
    return values


def efficacy(retain, test, forget, seed, *numbers):
    """`retain` and `test` are values by id."""
    size = min(len(retain), len(test))

    def one(number):
        members, _ = divided(retain, size, seed, number)
        others, _ = divided(test, size, seed, number)
        # All of what it is given, so that nothing more is drawn.
        return mia_efficacy(members, others, forget, 0)

    return over_draws(one, *numbers)


def privacy(retain, test, seed, *numbers):
    half = min(len(retain), len(test)) // 2

    def one(number):
        members, new_members = divided(retain, half, seed, number)
        others, new_others = divided(test, half, seed, number)
        decide = fit_svc(members, others)
        rates = np.mean(decide(new_members) >= 0), np.mean(decide(new_others) < 0)
        return 50 * float(sum(rates))

    return over_draws(one, *numbers)


def by_id(values, names):
    return dict(zip(names, values, strict=True))


def places(values, chosen=None):
    """Values by their places, which stand for ids."""
    chosen = range(len(values)) if chosen is None else chosen
    return by_id(values, [str(place) for place in chosen])
