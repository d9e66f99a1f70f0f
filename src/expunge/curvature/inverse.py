"""Inverse-curvature–vector products, with H = λI + (1/M) Σ g_i g_iᵀ of M samples.

All except conjugate gradients need only the Gram matrix K = G Gᵀ and b = G v, because everything is
in the span of v and the gradients. They return coefficients c `(M,)` such that
H⁻¹v = (v − Gᵀc) / λ, where Gᵀc = Σ c_i g_i is one ordinary backward pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from expunge.errors import DivergedError


def largest_eigenvalue(gram: Tensor) -> float:
    """The largest eigenvalue of (1/M) Σ g_i g_iᵀ, which is that of K / M for K `(M, M)`, float64.

    Raises:
        DivergedError: an entry of K is not finite.
    """
    if not bool(torch.isfinite(gram).all()):
        raise DivergedError(
            f"the products of {len(gram)} gradients are not finite: the model has diverged"
        )
    return float(torch.linalg.eigvalsh(gram)[-1]) / len(gram)


def power_iteration(product: Callable[[Tensor], Tensor], start: Tensor, iterations: int) -> float:
    """The largest eigenvalue of the symmetric positive C of `product`, from below.

    It is the Rayleigh quotient after `iterations` products, which start from `start` (Golub & Van
    Loan 2013, section 8.2.1); 0 if `start` is zero or C maps it to zero.

    Raises:
        DivergedError: a product is not finite.
    """
    direction, found = start, 0.0
    for _ in range(iterations):
        size = direction.norm()
        if not bool(size > 0):
            break
        direction = direction / size
        image = product(direction)
        found = float(direction.dot(image))
        if not math.isfinite(found):
            raise DivergedError("products with the curvature are not finite: the model diverged")
        direction = image
    return found


def woodbury(gram: Tensor, products: Tensor, damping: float) -> Tensor:
    """Coefficients c = (λM I + K)⁻¹ b, by Cholesky: the Sherman-Morrison-Woodbury identity.

    `gram` K `(M, M)` and `products` b `(M,)` are float64.

    Raises:
        DivergedError: λM I + K is singular to working precision.
    """
    count = len(gram)
    system = gram + damping * count * torch.eye(count, dtype=gram.dtype)
    factor, failed = torch.linalg.cholesky_ex(system)
    if int(failed) or not bool(torch.isfinite(factor).all()):
        raise DivergedError(
            f"the Gram matrix of {count} gradients plus damping {damping} is singular at row "
            f"{int(failed)}: expected it positive definite; raise damping"
        )
    return torch.cholesky_solve(products[:, None], factor)[:, 0]


def woodfisher(gram: Tensor, products: Tensor, damping: float) -> Tensor:
    """The recursion of WoodFisher from F_0 = λI, sample by sample (Singh & Alistarh 2020, eq. 10).

    F_{n+1}⁻¹ = F_n⁻¹ − F_n⁻¹ g gᵀ F_n⁻¹ / (M + gᵀ F_n⁻¹ g), computed in the span of the
    gradients: P = G F_n⁻¹ Gᵀ and q = G F_n⁻¹ v. The result is the same inverse as `woodbury`'s.

    Raises:
        DivergedError: a denominator is not positive.
    """
    count = len(gram)
    inner, along = gram / damping, products / damping
    # Column n of `steps`: F_n⁻¹ g_n in terms of the gradients.
    steps = torch.eye(count, dtype=gram.dtype) / damping
    coefficients = torch.zeros_like(products)
    for n in range(count):
        denominator = count + inner[n, n]
        if not bool(denominator > 0):
            raise DivergedError(
                f"the inverse is singular at sample {n} of {count}: its denominator is "
                f"{float(denominator):.3g}, expected more than 0; raise damping"
            )
        column, ratio = inner[:, n].clone(), along[n] / denominator
        coefficients += ratio * steps[:, n]
        later = column[n + 1 :] / denominator
        steps[:, n + 1 :] -= torch.outer(steps[:, n], later)
        along = along - column * ratio
        inner -= torch.outer(column, column / denominator)
    return damping * coefficients


def rank_one(first: Tensor, products: Tensor) -> Tensor:
    """The published variant: the coefficient of g_0, the only direction of its correction.

    o = g_0 and k = v; then for each next sample k ← k − (k·g)/(M + o·g) o and
    o ← o − (o·g)/(M + o·g) o. Because o stays a multiple of g_0, this needs only `first` `(M,)`,
    the products g_0·g_i, and `products`, the v·g_i. Returns c for the result v − c g_0. This is not
    an inverse of the Fisher matrix: it corrects v along one gradient only.
    """
    count = len(first)
    scale, moved = torch.ones_like(first[0]), torch.zeros_like(first[0])
    for n in range(1, count):
        along, own = products[n] - moved * first[n], scale * first[n]
        moved = moved + along / (count + own) * scale
        scale = scale - own / (count + own) * scale
    return moved


def conjugate_gradient(
    product: Callable[[Tensor], Tensor],
    vector: Tensor,
    damping: float,
    iterations: int,
    tolerance: float,
) -> Tensor:
    """The x with (λI + C) x = v for the symmetric C of `product` (Hestenes & Stiefel 1952).

    It stops when the residual's norm is at most `tolerance` times that of v, or after `iterations`:
    then x is the best in the Krylov space so far, which acts like stronger damping.

    Raises:
        DivergedError: the curvature along a direction is not positive.
    """
    found = torch.zeros_like(vector)
    residual = vector.clone()
    direction = vector.clone()
    squared = residual.dot(residual)
    enough = tolerance**2 * squared
    for _ in range(iterations):
        if bool(squared <= enough):
            break
        image = product(direction) + damping * direction
        curved = direction.dot(image)
        if not bool(curved > 0):
            raise DivergedError(
                f"the damped curvature is singular along a direction (curvature {float(curved):.3g}"
                "), expected more than 0; raise damping"
            )
        step = squared / curved
        found += step * direction
        residual -= step * image
        before, squared = squared, residual.dot(residual)
        direction = residual + (squared / before) * direction
    return found
