"""Subsets of labelled samples: held out per class, limited in number, chosen by index."""

import hashlib
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from expunge.types import Samples


def stratified(labels: Tensor, fraction: float, seed: int) -> tuple[Tensor, Tensor]:
    """Indices kept and held out: `fraction` of every class, rounded, is held out.

    Both ascend, are disjoint, and together are all indices of `labels`, int64 `(N,)`.
    """
    _, sizes = torch.unique(labels, return_counts=True)
    return _divide(labels, [round(fraction * size) for size in sizes.tolist()], seed)


def limited(labels: Tensor, count: int, seed: int) -> Tensor:
    """Ascending indices of `count` samples, all if there are fewer, in the classes' proportions.

    The remainder after rounding down goes to the classes with the largest fractions.
    """
    if count >= len(labels):
        return torch.arange(len(labels))
    _, sizes = torch.unique(labels, return_counts=True)
    shares = sizes * count
    counts = shares // len(labels)
    by_remainder = torch.argsort(shares % len(labels), descending=True, stable=True)
    counts[by_remainder[: count - int(counts.sum())]] += 1
    return _divide(labels, counts.tolist(), seed)[1]


def subset(samples: Samples, index: Tensor) -> Samples:
    """The samples at `index`, int64 `(M,)`; inputs are a view, the fingerprint is new."""
    if torch.equal(index, torch.arange(len(samples))):
        return samples
    digest = hashlib.blake2b(samples.fingerprint.encode(), digest_size=16)
    digest.update(index.numpy().tobytes())
    return replace(
        samples,
        inputs=samples.inputs.take(index),
        labels=samples.labels[index],
        ids=tuple(samples.ids[row] for row in index.tolist()),
        fingerprint=digest.hexdigest(),
    )


def _divide(labels: Tensor, counts: list[int], seed: int) -> tuple[Tensor, Tensor]:
    """Indices left and drawn; `counts` is how many to draw of each class, in ascending order."""
    generator = np.random.default_rng(seed)
    drawn = torch.zeros(len(labels), dtype=torch.bool)
    for label, count in zip(torch.unique(labels).tolist(), counts, strict=True):
        members = (labels == label).nonzero().flatten()
        chosen = torch.from_numpy(generator.permutation(len(members)))[:count]
        drawn[members[chosen]] = True
    return (~drawn).nonzero().flatten(), drawn.nonzero().flatten()
