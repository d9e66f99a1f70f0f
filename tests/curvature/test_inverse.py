"""Inverse-curvature products against dense matrices, in float64."""

import pytest
import torch
from tests.curvature.conftest import flat
from tests.oracles import curvature as oracle
from torch.utils._python_dispatch import TorchDispatchMode

from expunge.curvature import gram
from expunge.curvature.coordinates import Coordinates
from expunge.curvature.gram import gram_matrix
from expunge.curvature.inverse import (
    conjugate_gradient,
    largest_eigenvalue,
    power_iteration,
    rank_one,
    woodbury,
    woodfisher,
)
from expunge.curvature.products import (
    curvature_product,
    gradient_products,
    push_forward,
    weighted_gradient,
    with_graph,
)
from expunge.errors import DivergedError
from expunge.tasks.classify import TASK

DAMPING = 0.03


@pytest.fixture(params=[False, True], ids=["dense", "masked"])
def mask(request, model):
    if not request.param:
        return None
    generator = torch.Generator().manual_seed(2)
    return {
        name: torch.rand(p.shape, generator=generator) < 0.4
        for name, p in model.named_parameters()
        if p.ndim > 1
    }


@pytest.fixture
def kept(model, mask):
    """One number a coordinate: 1 where it takes part."""
    ones = {name: torch.ones_like(p.detach()) for name, p in model.named_parameters()}
    return flat({n: o * mask[n] if mask and n in mask else o for n, o in ones.items()}, model)


@pytest.fixture
def rows(model, data, kept):
    return oracle.gradients(model, *data) * kept


@pytest.fixture
def vector(kept):
    generator = torch.Generator().manual_seed(3)
    return torch.randn(len(kept), generator=generator, dtype=torch.float64) * kept


def close(found, expected):
    assert float((found - expected).norm() / expected.norm()) < 1e-6


@pytest.mark.parametrize("memory", [0, 3e4, 2**30])
def test_the_gram_matrix_whatever_the_memory(
    model, mask, batches, rows, vector, memory, monkeypatch
):
    monkeypatch.setattr(gram, "_SAMPLES_AT_ONCE", 3)
    monkeypatch.setattr(gram, "_ROWS_AT_ONCE", 4)
    coordinates = Coordinates(model, mask)
    inner, along = gram_matrix(model, coordinates, batches, vector, len(rows), memory, TASK)
    torch.testing.assert_close(inner, rows @ rows.T)
    torch.testing.assert_close(along, rows @ vector)


class Searches(TorchDispatchMode):
    """Counts searches for what is not zero, for which an accelerator makes the host wait."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func.name() == "aten::nonzero"
        return func(*args, **(kwargs or {}))


def test_which_weights_are_pruned_is_found_once_a_block(
    model, mask, batches, rows, vector, monkeypatch
):
    counts = []
    for at_once in (2, len(rows)):
        monkeypatch.setattr(gram, "_SAMPLES_AT_ONCE", at_once)
        with Searches() as searches:
            gram_matrix(model, Coordinates(model, mask), batches, vector, len(rows), 3e4, TASK)
        counts.append(searches.count)
    assert counts[0] == counts[1]
    assert bool(counts[0]) == (mask is not None)


def test_products_with_gradients(model, mask, batches, rows, vector):
    coordinates = Coordinates(model, mask)
    torch.testing.assert_close(
        gradient_products(model, coordinates, batches, vector, TASK), rows @ vector
    )
    weights = torch.linspace(-1, 1, len(rows), dtype=torch.float64)
    torch.testing.assert_close(
        weighted_gradient(model, coordinates, batches, weights, TASK), rows.T @ weights
    )


@pytest.mark.parametrize("solver", [woodbury, woodfisher])
def test_they_are_the_dense_inverse(model, mask, batches, rows, vector, solver):
    coordinates = Coordinates(model, mask)
    inner, products = gram_matrix(model, coordinates, batches, vector, len(rows), 2**30, TASK)
    c = solver(inner, products, DAMPING)
    found = (vector - weighted_gradient(model, coordinates, batches, c, TASK)) / DAMPING
    close(found, oracle.solve(oracle.empirical_fisher(rows), vector, DAMPING))
    close(found, oracle.woodfisher(rows, vector, DAMPING))


def test_conjugate_gradients_are_the_dense_inverse(model, mask, kept, data, batches, rows, vector):
    dense = {
        "fisher": oracle.empirical_fisher(rows),
        "ggn": oracle.gauss_newton(model, data[0]) * kept[:, None] * kept,
    }
    for curvature, matrix in dense.items():
        product = curvature_product(model, Coordinates(model, mask), batches, curvature, TASK)
        found = conjugate_gradient(product, vector, DAMPING, 200, 1e-12)
        close(found, oracle.solve(matrix, vector, DAMPING))


def test_conjugate_gradients_stop_early(convolutions, batches):
    calls = []

    def product(vector):
        calls.append(1)
        return torch.linspace(0, 1, 50, dtype=torch.float64) * vector

    vector = torch.ones(50, dtype=torch.float64)
    conjugate_gradient(product, vector, DAMPING, 4, 1e-12)
    assert len(calls) == 4
    found = conjugate_gradient(product, vector, DAMPING, 100, 0.1)
    assert 4 < len(calls) < 40
    assert float((product(found) + DAMPING * found - vector).norm() / vector.norm()) <= 0.1


def test_the_published_recursion_is_followed_and_is_no_inverse(rows, vector):
    count = rank_one(rows @ rows[0], rows @ vector)
    found = vector - count * rows[0]
    expected = oracle.rank_one(rows, vector)
    close(found, expected)
    moved = expected - vector
    cosine = float(moved @ rows[0] / moved.norm() / rows[0].norm())
    assert abs(cosine) == pytest.approx(1)
    truth = oracle.solve(oracle.empirical_fisher(rows), vector, 1.0)
    assert float((found - truth).norm() / truth.norm()) > 1e-3


def test_a_derivative_along_a_direction(model, data, vector):
    coordinates = Coordinates(model)
    logits = with_graph(model, data[0])
    along = push_forward(coordinates, logits, vector)
    step = 1e-6
    with torch.no_grad():
        for name, part in coordinates.unflatten(vector).items():
            model.get_parameter(name).add_(step * part)
        moved = model(data[0])
    torch.testing.assert_close((moved - logits) / step, along, rtol=1e-3, atol=1e-3)


def test_what_is_singular_is_named():
    negative = -torch.eye(3, dtype=torch.float64)
    with pytest.raises(DivergedError, match=r"Gram matrix of 3 gradients .* raise damping"):
        woodbury(negative, negative[0], 0.1)
    with pytest.raises(DivergedError, match=r"sample 0 of 3.*raise damping"):
        woodfisher(negative, negative[0], 0.1)
    with pytest.raises(DivergedError, match=r"curvature .* raise damping"):
        conjugate_gradient(lambda v: -v, negative[0], 0.1, 5, 1e-6)
    with pytest.raises(DivergedError, match="products of 3 gradients are not finite"):
        largest_eigenvalue(negative / 0)
    with pytest.raises(DivergedError, match="products with the curvature are not finite"):
        power_iteration(lambda v: v / 0, negative[0], 3)


def test_the_largest_eigenvalue(rows, vector):
    exact = float(torch.linalg.eigvalsh(oracle.empirical_fisher(rows))[-1])
    assert largest_eigenvalue(rows @ rows.T) == pytest.approx(exact)
    dense = oracle.empirical_fisher(rows)
    assert power_iteration(lambda v: dense @ v, vector, 200) == pytest.approx(exact)
    assert 0.5 * exact < power_iteration(lambda v: dense @ v, vector, 10) <= exact * (1 + 1e-9)
    assert power_iteration(lambda v: dense @ v, 0 * vector, 10) == 0
    assert power_iteration(lambda v: 0 * v, vector, 10) == 0
