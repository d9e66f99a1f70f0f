"""σ(m): the largest singular value of the Hessian over the weights that a mask keeps.

The Hessian is symmetric, so its singular values are the magnitudes of its eigenvalues. Lanczos
iteration finds the largest from Hessian-vector products; the Hessian is never formed.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from expunge.errors import DivergedError, MaskError
from expunge.modes import mode
from expunge.sparsity.mask import check_mask
from expunge.tasks.inputs import cast_inputs
from expunge.tasks.task import Task
from expunge.theory.config import HessianConfig
from expunge.training.reproducibility import full_float32
from expunge.types import Context, Mask, Samples


class MaskedHessian:
    """Products of the Hessian of the mean loss with vectors of unmasked coordinates.

    The coordinates are the trainable parameters in the model's order, flattened, without pruned
    weights. The network is copied and runs in evaluation mode: dropout is off and batch
    normalisation uses its running statistics. If a network is not smooth, as with ReLU, the Hessian
    is that of the smooth piece at the weights.

    Raises:
        MaskError: the mask does not belong to this model, or no weight is unmasked.
    """

    def __init__(
        self,
        model: nn.Module,
        samples: Samples,
        index: Tensor,
        mask: Mask | None,
        device: torch.device,
        task: Task,
        *,
        batch_size: int = 250,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """`index` are int64 indices into `samples`."""
        if mask is not None:
            check_mask(model, mask)
        self._model = copy.deepcopy(model).to(device, dtype)
        named = [(n, p) for n, p in self._model.named_parameters() if p.requires_grad]
        self._parameters = [parameter for _, parameter in named]
        kept = torch.cat(
            [(mask or {}).get(n, torch.ones(p.shape, dtype=torch.bool)).flatten() for n, p in named]
            or [torch.zeros(0, dtype=torch.bool)]
        )
        self._kept = kept.nonzero().flatten().to(device)
        self._total = len(kept)
        if len(self._kept) == 0:
            raise MaskError(
                f"no weight is left of {self._total}: expected at least one that is trainable and "
                "unmasked; ask for less sparsity"
            )
        self._task = task
        self._inputs = samples.inputs.to(device)
        self._labels = samples.labels.to(device)
        self._batches = torch.split(index, batch_size)
        self._count = len(index)

    def __len__(self) -> int:
        """The number of unmasked coordinates."""
        return len(self._kept)

    def __call__(self, vector: Tensor) -> Tensor:
        """H v for `vector` `(len(self),)`, on any device; the result is on the CPU."""
        first = self._parameters[0]
        whole = torch.zeros(self._total, dtype=first.dtype, device=first.device)
        whole[self._kept] = vector.to(first)
        sizes = [p.numel() for p in self._parameters]
        direction = [
            piece.view(p.shape)
            for piece, p in zip(torch.split(whole, sizes), self._parameters, strict=True)
        ]
        product = torch.zeros_like(whole)
        # Fused attention kernels have no second derivative.
        with (
            mode(self._model, training=False),
            full_float32(),
            sdpa_kernel(SDPBackend.MATH),
        ):
            for batch, stored in zip(
                self._batches, self._inputs.batches(self._batches), strict=True
            ):
                outputs = self._model(cast_inputs(self._task.inputs(stored), first.dtype))
                targets = self._labels[batch.to(self._labels.device)]
                loss = self._task.loss(outputs, targets).sum() / self._count
                slope = torch.autograd.grad(
                    loss, self._parameters, create_graph=True, materialize_grads=True
                )
                along = torch.stack(
                    [(g * d).sum() for g, d in zip(slope, direction, strict=True)]
                ).sum()
                second = torch.autograd.grad(along, self._parameters, materialize_grads=True)
                product += torch.cat([part.flatten() for part in second])
        return product[self._kept].cpu()


def largest_singular_value(
    model: nn.Module, samples: Samples, config: HessianConfig, context: Context
) -> float:
    """σ(m) of the mean loss over `config.samples` of `samples`, under the context's mask.

    Raises:
        DivergedError: the Hessian is not finite, or the iteration has not converged.
        MaskError: the mask does not belong to this model, or no weight is unmasked.
    """
    drawn = torch.randperm(len(samples), generator=context.generator("hessian samples"))
    hessian = MaskedHessian(
        model,
        samples,
        drawn[: config.samples].sort().values,
        context.mask,
        context.device,
        context.task,
        batch_size=config.batch_size,
        dtype=getattr(torch, config.precision),
    )
    size = len(hessian)
    start = torch.randn(size, dtype=torch.float64, generator=context.generator("hessian start"))

    def product(vector: NDArray[np.float64]) -> NDArray[np.float64]:
        result = hessian(torch.from_numpy(vector.reshape(-1).copy())).to(torch.float64)
        if not bool(torch.isfinite(result).all()):
            raise DivergedError(
                "the Hessian is not finite: the network has diverged; train it with a lower "
                "learning rate"
            )
        return result.numpy()

    return _lanczos(product, start.numpy(), config)


def _lanczos(
    product: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    start: NDArray[np.float64],
    config: HessianConfig,
) -> float:
    """The largest magnitude of the eigenvalues of a symmetric operator."""
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    # A linear network at a stationary point, or one coordinate: Lanczos has nothing to iterate.
    first = product(start)
    if not first.any():
        return 0.0
    if len(start) == 1:
        return float(abs(first[0] / start[0]))
    operator: Any = LinearOperator((len(start), len(start)), matvec=product, dtype=np.float64)
    try:
        (value,) = eigsh(
            operator,
            k=1,
            which="LM",
            v0=start,
            tol=config.tolerance,
            maxiter=config.iterations,
            return_eigenvectors=False,
        )
    except ArpackNoConvergence:
        raise DivergedError(
            f"Lanczos has not converged to {config.tolerance:g} in {config.iterations} iterations: "
            "raise iterations or tolerance"
        ) from None
    return float(abs(value))
