"""Per-sample gradients and products of vectors and tokens, against a backward pass per sample."""

import pytest
import torch
from tests.curvature.conftest import flat
from tests.kinds import clouds, first_batch, save_bert, sentences
from tests.oracles import curvature as oracle
from torch import nn

from expunge.batch import map_batch
from expunge.curvature.coordinates import Coordinates
from expunge.curvature.fisher import exact_fisher
from expunge.curvature.gram import gram_matrix
from expunge.curvature.layers import has_rule, layer_gradients
from expunge.curvature.per_sample import Network, per_sample_gradients
from expunge.curvature.products import curvature_product, gradient_products, weighted_gradient
from expunge.models.build import build
from expunge.models.spec import spec_for
from expunge.tasks.classify import TASK

COUNT = 7


def rows(batch):
    """The samples of a batch, one by one, as the oracles index them."""
    return [
        _Alone(map_batch(lambda tensor, row=row: tensor[row : row + 1], batch))
        for row in range(COUNT)
    ]


class _Alone:
    """A sample of which `sample[None]` is a batch of its own."""

    dtype = torch.float64

    def __init__(self, batch):
        self.batch = batch

    def __getitem__(self, _):
        return self.batch


class Rows(list):
    dtype = torch.float64


@pytest.fixture(scope="module", params=["mlp", "bert"])
def case(request, tmp_path_factory):
    """A network in float64, a batch and its labels."""
    samples = clouds() if request.param == "mlp" else sentences()
    name = "mlp" if request.param == "mlp" else save_bert(tmp_path_factory.mktemp("bert"))
    spec = spec_for(name, samples.inputs, 3, width=1 / 16 if request.param == "mlp" else 1.0)
    model = build(spec, 1).double().eval()
    batch = first_batch(samples, COUNT)
    if isinstance(batch, torch.Tensor):
        batch = (batch - batch.mean(0)).double() / 1000
    return model, batch, samples.labels[:COUNT]


@pytest.fixture
def batches(case):
    """The same samples in batches of 3."""
    _, batch, labels = case
    parts = torch.arange(COUNT).split(3)
    return lambda: iter(
        [(map_batch(lambda tensor, part=part: tensor[part], batch), labels[part]) for part in parts]
    )


@pytest.fixture
def expected(case):
    model, batch, labels = case
    return oracle.gradients(model, rows(batch), labels)


def test_per_sample_gradients(case, expected):
    model, batch, labels = case
    assert expected.abs().sum(1).min() > 0
    torch.testing.assert_close(
        flat(per_sample_gradients(model, batch, labels, TASK), model), expected
    )


def test_gradients_of_several_functions_of_a_sample(case):
    model, batch, _ = case
    names = [name for name, _ in model.named_parameters()]
    cotangents = torch.linspace(-1, 2, COUNT * 6, dtype=torch.float64).view(COUNT, 2, 3)
    found = dict(Network(model, names, batch).run(batch).gradients(cotangents))
    for row, sample in enumerate(rows(batch)):
        for k in range(2):
            gradients = torch.autograd.grad(
                model(sample[None])[0] @ cotangents[row, k], list(model.parameters())
            )
            for name, expected in zip(names, gradients, strict=True):
                torch.testing.assert_close(found[name][row, k], expected)


def test_embeddings_have_a_rule_and_what_no_rule_covers_is_still_right(case):
    model, batch, _ = case
    names = [name for name, _ in model.named_parameters()]
    rest = Network(model, names, batch).rest
    if isinstance(batch, torch.Tensor):
        assert rest == ()
    else:
        # One row of positions serves the whole batch: it has no first dimension of its own.
        assert rest == ("network.bert.embeddings.position_embeddings.weight",)


def test_fisher(case, batches):
    model, batch, _ = case
    found = exact_fisher(model, Coordinates(model), batches, TASK)
    torch.testing.assert_close(flat(found, model), oracle.fisher_diagonal(model, Rows(rows(batch))))


def test_gram_matrix_and_products(case, batches, expected):
    model, _, _ = case
    coordinates = Coordinates(model)
    vector = torch.linspace(-1, 1, coordinates.size, dtype=torch.float64)
    for memory in (1e9, 1.0):
        gram, along = gram_matrix(model, coordinates, batches, vector, COUNT, memory, TASK)
        torch.testing.assert_close(gram, expected @ expected.T)
        torch.testing.assert_close(along, expected @ vector)
    torch.testing.assert_close(
        gradient_products(model, coordinates, batches, vector, TASK), expected @ vector
    )
    weights = torch.linspace(0, 1, COUNT, dtype=torch.float64)
    torch.testing.assert_close(
        weighted_gradient(model, coordinates, batches, weights, TASK), weights @ expected
    )
    product = curvature_product(model, coordinates, batches, "fisher", TASK)
    torch.testing.assert_close(product(vector), expected.T @ (expected @ vector) / COUNT)


@pytest.mark.parametrize("padding", [None, 2])
@pytest.mark.parametrize("shape", [(3, 4), (3,), (3, 2, 2)])
def test_any_embedding(padding, shape):
    generator = torch.Generator().manual_seed(0)
    embedding = nn.Embedding(5, 3, padding_idx=padding).double()
    ids = torch.randint(5, shape, generator=generator)
    ids.view(-1)[:2] = 2
    given = torch.rand((3, 2, *shape[1:], 3), generator=generator, dtype=torch.float64)
    found = layer_gradients(embedding, ids, given)["weight"]
    for row in range(3):
        for k in range(2):
            (gradient,) = torch.autograd.grad(
                embedding(ids[row : row + 1]), embedding.weight, given[row, k][None]
            )
            torch.testing.assert_close(found[row, k], gradient)


def test_embeddings_that_change_or_weigh_their_rows_have_no_rule():
    assert has_rule(nn.Embedding(3, 2))
    assert not has_rule(nn.Embedding(3, 2, max_norm=1.0))
    assert not has_rule(nn.Embedding(3, 2, scale_grad_by_freq=True))
    assert not has_rule(nn.Embedding(3, 2, sparse=True))
