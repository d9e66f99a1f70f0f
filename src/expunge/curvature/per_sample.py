"""Per-sample gradients of any network: by layers where there is a rule, else by `vmap`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge
from torch.func import functional_call, vjp, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from expunge.curvature.layers import has_rule, layer_gradients
from expunge.tasks.task import Task


@dataclass(frozen=True)
class Layer:
    """A layer whose per-sample gradients follow from its inputs and output gradients."""

    module: nn.Module
    names: dict[str, str]
    """The parameters that take part: name in the layer to name in the model."""
    in_size: int
    """Numbers that go in, for one sample."""
    out_size: int
    """Numbers that come out."""

    def gradients(self, inputs: Tensor, outputs: Tensor) -> dict[str, Tensor]:
        """Gradients `(B, K, *shape)` by the parameter's name in the model."""
        found = layer_gradients(self.module, inputs, outputs)
        return {name: found[local] for local, name in self.names.items()}


class Network:
    """A model in evaluation mode, and how each of its parameters gets per-sample gradients.

    A parameter goes by its layer where the layer has a rule, runs once, with the batch as its
    first dimension, and is the only reader of the parameter. `images` `(B, C, H, W)` says what the
    network takes. Any other of the parameters called `names` goes by `vmap`.
    """

    def __init__(self, model: nn.Module, names: Collection[str], images: Tensor) -> None:
        self.model = model
        # Two sizes of batch: a first dimension that follows both is the batch.
        two, reads = _look(model, images.new_zeros((2, *images.shape[1:])))
        three, _ = _look(model, images.new_zeros((3, *images.shape[1:])))
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

    def run(self, images: Tensor, layers: Collection[str] | None = None) -> Pass:
        """Forward through the model, watching `layers` (all, if not given)."""
        chosen = self.layers if layers is None else {name: self.layers[name] for name in layers}
        inputs: dict[str, Tensor] = {}
        edges: dict[str, GradientEdge] = {}

        def watch(name: str, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
            # What changes a view in place rewrites its history; a copy keeps it.
            output = output.clone() if output._is_view() else output
            inputs[name], edges[name] = given[0].detach(), get_gradient_edge(output)
            return output

        hooks = [
            layer.module.register_forward_hook(lambda _, i, o, name=name: watch(name, i, o))
            for name, layer in chosen.items()
        ]
        try:
            with torch.enable_grad():
                logits = self.model(images)
        finally:
            for hook in hooks:
                hook.remove()
        return Pass(self, images, logits, inputs, edges)


@dataclass(frozen=True)
class Pass:
    """One forward pass, from which gradients can be taken as often as wanted."""

    network: Network
    images: Tensor
    logits: Tensor
    inputs: dict[str, Tensor]
    """What went into each layer that was watched."""
    edges: dict[str, GradientEdge]

    def outputs(self, cotangents: Tensor) -> dict[str, Tensor]:
        """Gradients `(B, K, ...)` of cotangents `(B, K, classes)` · logits by layers' outputs."""
        if not self.edges:
            return {}
        # One backward pass a function: a batch of them at once is no faster on a CPU.
        found = [
            torch.autograd.grad(
                self.logits, list(self.edges.values()), cotangents[:, k], retain_graph=True
            )
            for k in range(cotangents.shape[1])
        ]
        stacked = [
            torch.stack(each, 1) if len(each) > 1 else each[0][:, None]
            for each in zip(*found, strict=True)
        ]
        return dict(zip(self.edges, stacked, strict=True))

    def gradients(self, cotangents: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Gradients `(B, K, *shape)` of cotangents `(B, K, classes)` · logits, by parameter.

        One layer's gradients are held at a time.
        """
        for name, outputs in self.outputs(cotangents).items():
            yield from self.network.layers[name].gradients(self.inputs[name], outputs).items()
        if self.network.rest:
            found = vmapped(self.network.model, self.network.rest, self.images, cotangents)
            yield from found.items()


def vmapped(
    model: nn.Module, names: Collection[str], images: Tensor, cotangents: Tensor
) -> dict[str, Tensor]:
    """The same for any parameters, whatever the layers that they are in."""
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    rest = {name: parameters.pop(name) for name in names}

    def one(image: Tensor, directions: Tensor) -> dict[str, Tensor]:
        def logits(chosen: dict[str, Tensor]) -> Tensor:
            found: Tensor = functional_call(model, {**parameters, **chosen}, (image[None],))
            return found[0]

        pull = vjp(logits, rest)[1]
        (gradients,) = vmap(pull)(directions)
        return gradients  # type: ignore[no-any-return]

    # The fused kernels of attention have no rule for `vmap`.
    with sdpa_kernel(SDPBackend.MATH):
        return vmap(one)(images, cotangents)


def per_sample_gradients(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    task: Task,
    names: Collection[str] | None = None,
) -> dict[str, Tensor]:
    """Gradients `(B, *shape)` of the loss of every sample, by parameter name.

    `model` must be in evaluation mode. `images` is `(B, C, H, W)`, `labels` int64 `(B,)`. Without
    `names`, for all parameters that require gradients.
    """
    wanted = names or [name for name, p in model.named_parameters() if p.requires_grad]
    done = Network(model, wanted, images).run(images)
    cotangents = task.cotangents(done.logits, labels)[:, None]
    found = {name: gradient[:, 0] for name, gradient in done.gradients(cotangents)}
    return {name: found[name] for name in wanted}


def _look(
    model: nn.Module, images: Tensor
) -> tuple[dict[str, list[tuple[Tensor, Tensor]]], Counter[int]]:
    """What goes in and out of every layer with a rule; how often each parameter is read."""
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
            logits = model(images)
    finally:
        for hook in hooks:
            hook.remove()
    return ran, _reads(logits)


def _reads(logits: Tensor) -> Counter[int]:
    """How many operations of the graph behind `logits` read each leaf, by its `id`."""
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
