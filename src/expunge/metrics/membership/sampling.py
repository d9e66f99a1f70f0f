"""Which samples an attacker draws: chosen by id, so that draw k is the same for every model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from expunge.metrics.arrays import LabelArray
from expunge.settings import derive_seed

Keys: TypeAlias = npt.NDArray[np.uint64]
"""A number for each sample, `(N,)`, from its id alone."""


def keys_of(ids: Iterable[str]) -> Keys:
    """The keys of samples: equal ids have equal keys."""
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in ids)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def draw(keys: Keys, size: int, seed: int, number: int) -> tuple[LabelArray, LabelArray]:
    """Positions of the `size` samples in draw `number`, without replacement, and of all others.

    Every sample has a random rank in each draw, which depends only on its key, the seed and the
    number of the draw; those of the lowest ranks are drawn. So a sample that is missing changes one
    place of the draw, and the order of the samples changes nothing.
    """
    ranks = _mixed(keys ^ np.uint64(derive_seed(seed, f"draw {number}")))
    if size >= len(ranks):
        return np.arange(len(ranks)), np.arange(0)
    order = np.argpartition(ranks, size - 1)
    return order[:size], order[size:]


def _mixed(keys: Keys) -> Keys:
    """The finaliser of SplitMix64: one bit changed in, half of the bits changed out.

    Source: Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014.
    """
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
