"""Per-sample gradients of any network: by layer rules where they exist, else by `vmap`.

Both are checked on a few samples against ordinary backward passes. Where they are wrong, or `vmap`
fails, as with data-dependent control flow, each sample gets a separate backward pass.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from operator import itemgetter

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge
from torch.func import vjp, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from expunge.batch import Batch, map_batch
from expunge.curvature.calls import call_with
from expunge.curvature.layers import has_rule, layer_gradients
from expunge.curvature.separate import FEW, check_separate
from expunge.curvature.squares import layer_squares
from expunge.errors import some
from expunge.tasks.task import Task

_log = logging.getLogger(__name__)


def wrong(dtype: torch.dtype) -> float:
    """The relative difference above which a gradient is wrong, rather than rounded.

    An activation near a kink may fall on its other side, which changes a gradient by more than its
    own rounding.
    """
    return {torch.float64: 1e-6, torch.float32: 1e-2}.get(dtype, 0.1)


@dataclass(frozen=True)
class Layer:
    """A layer whose per-sample gradients follow from its inputs and output gradients."""

    module: nn.Module
    names: dict[str, str]
    """The parameters used: name in the layer to name in the model."""
    in_size: int
    """Number of input elements per sample."""
    out_size: int
    """Number of output elements per sample."""

    def gradients(self, inputs: Tensor, outputs: Tensor) -> dict[str, Tensor]:
        """Gradients `(B, K, *shape)` by the parameter's name in the model."""
        found = layer_gradients(self.module, inputs, outputs)
        return {name: found[local] for local, name in self.names.items()}

    def squares(self, inputs: Tensor, outputs: Tensor) -> dict[str, Tensor]:
        """Their squares, summed over `(B, K)`."""
        found = layer_squares(self.module, inputs, outputs)
        return {name: found[local] for local, name in self.names.items()}


class Network:
    """A model in evaluation mode, and how each of its parameters gets per-sample gradients.

    A parameter uses its layer's rule if the layer has one, runs once, has the batch as its first
    dimension, and is the only reader of the parameter. All other parameters in `names` use `vmap`,
    or a backward pass per sample where `vmap` fails or is wrong. `batch` is an example input, on
    whose first samples every gradient is checked.

    Raises:
        ModelError: a layer mixes samples, or gives other outputs for the same inputs; names it.
    """

    def __init__(self, model: nn.Module, names: Collection[str], batch: Batch) -> None:
        check_separate(model, batch)
        self.model = model
        # Two batch sizes: a first dimension that matches both is the batch.
        two, reads = _look(model, _repeated(batch, 2))
        three, _ = _look(model, _repeated(batch, 3))
        parameters = dict(model.named_parameters())
        self.layers: dict[str, Layer] = {}
        covered: set[str] = set()
        for name, module in model.named_modules():
            prefix = f"{name}." if name else ""
            own = {local: prefix + local for local, _ in module.named_parameters(recurse=False)}
            own = {local: full for local, full in own.items() if full in names}
            if (
                own
                and own.keys() <= {"weight", "bias"}
                and has_rule(module)
                and [a.shape[0] for a, _ in two.get(name, [])] == [2]
                and [a.shape[0] for a, _ in three.get(name, [])] == [3]
                and all(reads[id(parameters[full])] == 1 for full in own.values())
            ):
                a, b = two[name][0]
                self.layers[name] = Layer(module, own, a.numel() // 2, b.numel() // 2)
                covered.update(own.values())
        self.rest = tuple(name for name in names if name not in covered)
        self.one_by_one = False
        self._check(names, map_batch(lambda tensor: tensor[:FEW], batch))

    def _check(self, names: Collection[str], few: Batch) -> None:
        """Leave out layer rules, and `vmap`, whose gradients are not those of a backward pass."""
        done = self.run(few)
        count, classes = done.logits.shape
        cotangents = torch.linspace(0.5, 1.5, classes).to(done.logits).expand(count, 1, classes)
        expected = one_by_one(self.model, names, few, cotangents)
        size = torch.stack([each.flatten(1).norm(dim=1) for each in expected.values()]).amax(0)
        for name, outputs in done.outputs(cotangents).items():
            found = self.layers[name].gradients(done.inputs[name], outputs)
            if not all(_agree(each, expected[full], size) for full, each in found.items()):
                del self.layers[name]
                self.rest = tuple(n for n in names if n in self.rest or n in found)
        if self.rest:
            try:
                found = _vmapped(self.model, self.rest, few, cotangents)
                right = all(_agree(each, expected[full], size) for full, each in found.items())
            # The network's own code may fail in any way on the tensors of vmap.
            except Exception:
                right = False
            if not right:
                self.one_by_one = True
                _log.warning(
                    "note: gradients per sample take one backward pass per sample, which is slow: "
                    "%s cannot be computed for a batch at once (%s)",
                    type(self.model).__name__,
                    some(self.rest, limit=3),
                )

    def of_rest(
        self, names: Collection[str], batch: Batch, cotangents: Tensor
    ) -> dict[str, Tensor]:
        """Gradients `(B, K, *shape)` of cotangents · logits, of parameters without a layer rule."""
        if not self.one_by_one:
            try:
                return _vmapped(self.model, names, batch, cotangents)
            except RuntimeError as error:
                if "vmap" not in str(error):
                    raise
        return one_by_one(self.model, names, batch, cotangents)

    def run(self, batch: Batch, layers: Collection[str] | None = None) -> Pass:
        """A forward pass that records `layers` (default: all)."""
        chosen = self.layers if layers is None else {name: self.layers[name] for name in layers}
        inputs: dict[str, Tensor] = {}
        edges: dict[str, GradientEdge] = {}

        def watch(name: str, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
            # An in-place change of a view rewrites its history; a copy keeps it.
            output = output.clone() if output._is_view() else output
            inputs[name], edges[name] = given[0].detach(), get_gradient_edge(output)
            return output

        hooks = [
            layer.module.register_forward_hook(lambda _, i, o, name=name: watch(name, i, o))
            for name, layer in chosen.items()
        ]
        try:
            with torch.enable_grad():
                logits = self.model(batch)
        finally:
            for hook in hooks:
                hook.remove()
        return Pass(self, batch, logits, inputs, edges)


@dataclass(frozen=True)
class Pass:
    """One forward pass, from which gradients can be computed repeatedly."""

    network: Network
    batch: Batch
    logits: Tensor
    inputs: dict[str, Tensor]
    """The inputs of each recorded layer."""
    edges: dict[str, GradientEdge]

    def outputs(
        self, cotangents: Tensor, held: dict[str, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Gradients `(B, K, ...)` of cotangents `(B, K, classes)` · logits by layer outputs.

        They are written into `held`, what an earlier call returned, where that has their shape:
        fresh memory costs about as much time as a backward pass.
        """
        written = {} if held is None else held
        edges = list(self.edges.values())
        functions = cotangents.shape[1] if edges else 0
        # One backward pass per function: batching them is no faster on a CPU.
        for k in range(functions):
            found = torch.autograd.grad(self.logits, edges, cotangents[:, k], retain_graph=True)
            for name, each in zip(self.edges, found, strict=True):
                if k == 0:
                    shape = (len(each), functions, *each.shape[1:])
                    if name not in written or written[name].shape != shape:
                        written[name] = each.new_empty(shape)
                written[name][:, k] = each
        return {name: written[name] for name in self.edges}

    def gradients(self, cotangents: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Gradients `(B, K, *shape)` of cotangents `(B, K, classes)` · logits, by parameter.

        Only one layer's gradients are in memory at a time.
        """
        for name, outputs in self.outputs(cotangents).items():
            yield from self.network.layers[name].gradients(self.inputs[name], outputs).items()
        if self.network.rest:
            found = self.network.of_rest(self.network.rest, self.batch, cotangents)
            yield from found.items()

    def squares(self, cotangents: Tensor, held: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
        """Their squares, summed over `(B, K)`: `(*shape)` by parameter. `held` as in `outputs`."""
        for name, outputs in self.outputs(cotangents, held).items():
            yield from self.network.layers[name].squares(self.inputs[name], outputs).items()
        if self.network.rest:
            found = self.network.of_rest(self.network.rest, self.batch, cotangents)
            yield from ((name, each.square().sum((0, 1))) for name, each in found.items())


def _agree(found: Tensor, expected: Tensor, size: Tensor) -> bool:
    """Whether gradients `(B, 1, *shape)` are equal but for rounding, sample by sample.

    `size` `(B,)` is the norm of each sample's largest gradient.
    """
    difference = (found - expected).flatten(1).norm(dim=1)
    return bool(
        (difference <= wrong(found.dtype) * (expected.flatten(1).norm(dim=1) + 1e-4 * size)).all()
    )


def _vmapped(
    model: nn.Module, names: Collection[str], batch: Batch, cotangents: Tensor
) -> dict[str, Tensor]:
    """Gradients `(B, K, *shape)` of cotangents `(B, K, classes)` · logits, by `vmap`."""
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    rest = {name: parameters.pop(name) for name in names}

    def one(sample: Batch, directions: Tensor) -> dict[str, Tensor]:
        alone = map_batch(lambda tensor: tensor[None], sample)

        def logits(chosen: dict[str, Tensor]) -> Tensor:
            return call_with(model, {**parameters, **chosen}, alone)[0]

        pull = vjp(logits, rest)[1]
        (gradients,) = vmap(pull)(directions)
        return gradients  # type: ignore[no-any-return]

    # Fused attention kernels have no rule for `vmap`.
    with sdpa_kernel(SDPBackend.MATH):
        found: dict[str, Tensor] = vmap(one)(batch, cotangents)
    return found


def one_by_one(
    model: nn.Module, names: Collection[str], batch: Batch, cotangents: Tensor
) -> dict[str, Tensor]:
    """The same with one backward pass per sample and function."""
    leaves = {name: p.detach() for name, p in model.named_parameters()}
    chosen = {name: leaves[name].requires_grad_() for name in names}
    found: dict[str, list[Tensor]] = {name: [] for name in names}
    for row, directions in enumerate(cotangents):
        alone = map_batch(itemgetter(slice(row, row + 1)), batch)
        with torch.enable_grad():
            outputs = call_with(model, leaves, alone)[0]
        gradients = [
            torch.autograd.grad(
                outputs,
                list(chosen.values()),
                direction,
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
            for direction in directions
        ]
        for name, each in zip(names, zip(*gradients, strict=True), strict=True):
            found[name].append(torch.stack(each))
    return {name: torch.stack(each) for name, each in found.items()}


def _repeated(batch: Batch, count: int) -> Batch:
    """The first sample, `count` times."""
    return map_batch(lambda tensor: tensor[:1].expand(count, *tensor.shape[1:]), batch)


def per_sample_gradients(
    model: nn.Module,
    batch: Batch,
    labels: Tensor,
    task: Task,
    names: Collection[str] | None = None,
) -> dict[str, Tensor]:
    """Gradients `(B, *shape)` of the loss of every sample, by parameter name.

    `model` must be in evaluation mode. `batch` holds network inputs, `labels` is int64 `(B,)`. The
    default for `names` is all parameters that require gradients.
    """
    wanted = names or [name for name, p in model.named_parameters() if p.requires_grad]
    done = Network(model, wanted, batch).run(batch)
    cotangents = task.cotangents(done.logits, labels)[:, None]
    found = {name: gradient[:, 0] for name, gradient in done.gradients(cotangents)}
    return {name: found[name] for name in wanted}


def _look(
    model: nn.Module, batch: Batch
) -> tuple[dict[str, list[tuple[Tensor, Tensor]]], Counter[int]]:
    """Inputs and outputs of every layer with a rule, and the number of reads of each parameter."""
    ran: dict[str, list[tuple[Tensor, Tensor]]] = {}

    def watch(name: str, given: tuple[Tensor, ...], output: Tensor) -> None:
        if given:
            ran.setdefault(name, []).append((given[0].detach(), output.detach()))

    hooks = [
        module.register_forward_hook(lambda _, i, o, name=name: watch(name, i, o))
        for name, module in model.named_modules()
        if has_rule(module)
    ]
    try:
        with torch.enable_grad():
            logits = model(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return ran, _reads(logits)


def _reads(logits: Tensor) -> Counter[int]:
    """The number of operations in the graph of `logits` that read each leaf, by its `id`."""
    reads: Counter[int] = Counter()
    waiting: list[Node] = [] if logits.grad_fn is None else [logits.grad_fn]
    seen = set(waiting)
    while waiting:
        for node, _ in waiting.pop().next_functions:
            if node is None:
                continue
            leaf = getattr(node, "variable", None)
            if leaf is not None:
                reads[id(leaf)] += 1
            elif node not in seen:
                seen.add(node)
                waiting.append(node)
    return reads
