"""The Gram matrix K = G Gᵀ of per-sample gradients, within a memory limit.

A damped inverse needs M gradients g_i of P weights only through their span, so K `(M, M)` replaces
G `(M, P)`, and b = G v replaces the vector v. For each layer, either the per-sample gradients are
kept, or the inputs and output gradients, whichever is smaller. Layers that do not fit together are
processed in groups, with one pass per group. Gradients are computed from inputs and output
gradients one block of output channels at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from expunge.curvature.batches import Batches
from expunge.curvature.coordinates import Coordinates
from expunge.curvature.layers import narrow_rows, rows
from expunge.curvature.per_sample import Layer, Network, Pass
from expunge.tasks.task import Task

_ALL = slice(None)

_SAMPLES_AT_ONCE = 32
"""Samples whose patches are unfolded together."""

_ROWS_AT_ONCE = 128
"""Rows of the Gram matrix per block; above the diagonal, only blocks on it are computed."""


def gram_matrix(
    model: nn.Module,
    coordinates: Coordinates,
    batches: Batches,
    vector: Tensor,
    count: int,
    memory: float,
    task: Task,
) -> tuple[Tensor, Tensor]:
    """K `(M, M)` and b `(M,)`, float64 on the CPU: g_i · g_j and g_i · v, for `vector` v.

    g_i is the gradient of the loss of sample i. `count` is M, the number of samples in all batches.
    `memory` is the limit in bytes for data held for all samples. A layer that needs more is
    processed alone; for a parameter that no layer rule covers, all M gradients are held. The model
    must be in evaluation mode.
    """
    first, _ = next(batches())
    network = Network(model, coordinates.parameters, first)
    budget = memory / (count * vector.element_size())
    parts = coordinates.unflatten(vector)
    products = torch.zeros((count, count), dtype=torch.float64)
    along = torch.zeros(count, dtype=torch.float64)
    for group in _groups(network, coordinates, 0.75 * budget):
        held = {name: _Held(network.layers[name], coordinates, count) for name in group}
        for start, done, cotangents in _passes(network, batches, group, task):
            for name, outputs in done.outputs(cotangents).items():
                held[name].keep(start, done.inputs[name], outputs)
        for name in group:
            for block, chosen in held[name].blocks(0.25 * budget):
                _add_products(products, block)
                along += _along(block, held[name].columns(parts, chosen))
            del held[name]
    for name in network.rest:
        found = [
            network.of_rest((name,), done.batch, cotangents)[name]
            for _, done, cotangents in _passes(network, batches, (), task)
        ]
        kept = _kept(coordinates, name, _ALL)
        alone = _columns(torch.cat(found), kept)
        _add_products(products, alone)
        along += _along(alone, _columns(parts[name][None, None], kept))
    return products + products.tril(-1).T, along


def _passes(
    network: Network, batches: Batches, layers: tuple[str, ...], task: Task
) -> Iterator[tuple[int, Pass, Tensor]]:
    """For every batch: its start index, its forward pass and the cotangents of its losses."""
    start = 0
    for batch, labels in batches():
        done = network.run(batch, layers)
        yield start, done, task.cotangents(done.logits, labels)[:, None]
        start += len(labels)


def _along(block: Tensor, row: Tensor) -> Tensor:
    """The products of a block's rows `(M, columns)` with one `(1, columns)`, `(M,)`."""
    return (block @ row[0]).double().cpu()


def _add_products(total: Tensor, block: Tensor) -> None:
    """Add the products of a block's rows `(M, columns)` to the lower triangle of `total`."""
    for start in range(0, len(block), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        total[start:, part] += (block[start:] @ block[part].T).tril().double().cpu()


def _groups(network: Network, coordinates: Coordinates, budget: float) -> Iterator[tuple[str, ...]]:
    """Groups of layers that fit into `budget` numbers per sample, at least one layer each."""
    group: list[str] = []
    used = 0
    for name, layer in network.layers.items():
        size = min(_numel(layer), layer.in_size + layer.out_size)
        if group and used + size > budget:
            yield tuple(group)
            group, used = [], 0
        group.append(name)
        used += size
    if group:
        yield tuple(group)


class _Held:
    """The data kept for one layer over all samples: its gradients, or the factors of these."""

    def __init__(self, layer: Layer, coordinates: Coordinates, count: int) -> None:
        self.layer = layer
        self.coordinates = coordinates
        self.count = count
        self.as_factors = layer.in_size + layer.out_size < _numel(layer)
        self.stores: list[Tensor] = []
        self._all = self._kept(_ALL)

    def keep(self, start: int, inputs: Tensor, outputs: Tensor) -> None:
        """Add the samples from `start` on."""
        parts = [inputs, outputs]
        if not self.as_factors:
            parts = [self._gradients(inputs, outputs, self._all)]
        if not self.stores:
            self.stores = [part.new_empty((self.count, *part.shape[1:])) for part in parts]
        for store, part in zip(self.stores, parts, strict=True):
            store[start : start + len(part)] = part

    def columns(self, tensors: Mapping[str, Tensor], chosen: slice) -> Tensor:
        """Tensors in weight space, as a row `(1, columns)` that matches a block of gradients."""
        return torch.cat(
            [
                _columns(tensors[name][chosen][None, None], kept)
                for name, kept in self._kept(chosen).items()
            ],
            1,
        )

    def blocks(self, budget: float) -> Iterator[tuple[Tensor, slice]]:
        """Gradients of all samples `(M, columns)`, and the layer's rows that they belong to.

        A block has at most `budget` columns, if a row fits.
        """
        if not self.as_factors:
            yield self.stores[0], _ALL
            return
        inputs, outputs = self.stores
        total = rows(self.layer.module)
        height = max(1, int(budget * total / _numel(self.layer)))
        for first in range(0, total, height):
            last = min(first + height, total)
            chosen = _ALL if total == 1 else slice(first, last)
            kept = self._kept(chosen)
            some = narrow_rows(self.layer.module, outputs, first, last - first)
            for start in range(0, self.count, _SAMPLES_AT_ONCE):
                part = slice(start, start + _SAMPLES_AT_ONCE)
                found = self._gradients(inputs[part], some[part], kept)
                if start == 0:
                    block = found.new_empty((self.count, found.shape[1]))
                block[part] = found
            yield block, chosen

    def _gradients(
        self, inputs: Tensor, outputs: Tensor, kept: Mapping[str, Tensor | None]
    ) -> Tensor:
        found = self.layer.gradients(inputs, outputs)
        return torch.cat([_columns(each, kept[name]) for name, each in found.items()], 1)

    def _kept(self, chosen: slice) -> dict[str, Tensor | None]:
        return {name: _kept(self.coordinates, name, chosen) for name in self.layer.names.values()}


def _kept(coordinates: Coordinates, name: str, chosen: slice) -> Tensor | None:
    """Indices of the weights of some rows that are not pruned; None if none is.

    Found once per block: for every slice of samples, an accelerator would wait for the host.
    """
    kept = coordinates.kept.get(name)
    return None if kept is None else kept[chosen].flatten().nonzero()[:, 0]


def _columns(gradients: Tensor, kept: Tensor | None) -> Tensor:
    """Gradients `(B, 1, *shape)` of some rows as `(B, columns)`, without pruned weights."""
    flat = gradients.flatten(1)
    return flat if kept is None else flat.index_select(1, kept)


def _numel(layer: Layer) -> int:
    return sum(layer.module.get_parameter(local).numel() for local in layer.names)
