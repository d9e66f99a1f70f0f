"""EK-FAC against its equations, written out in float64, and against another library.

dattri has EK-FAC, too, but rotates by the eigenvectors where it should by their transpose (0.3.0),
so the comparison is with its exact inverse, where EK-FAC is exact.
"""

import importlib.util
import sys

import pytest
import torch
from tests.conftest import small_network
from tests.kinds import clouds
from torch import nn

from expunge.attribution.ekfac import EKFACConfig, ekfac
from expunge.data.arrays import as_samples
from expunge.data.splits import subset
from expunge.errors import ConfigError, ModelError

needs_curvlinops = pytest.mark.skipif(
    importlib.util.find_spec("curvlinops") is None,
    reason="curvlinops is not installed: make test installs it",
)


@pytest.fixture
def network():
    """Two linear layers, one with a bias, in float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        layers = nn.Linear(7, 4), nn.Tanh(), nn.Linear(4, 3, bias=False)
        return nn.Sequential(*layers).double()


def scaled(samples):
    """The samples, each feature of mean 0 and deviation 1."""
    vectors = samples.inputs.tensor
    vectors = (vectors - vectors.mean(0)) / vectors.std(0)
    return as_samples((vectors.numpy(), samples.labels.numpy()), name="clouds")


def inputs_of(samples):
    return samples.inputs.tensor.double(), samples.labels


def joint(weight, bias):
    """The gradient of a layer as one matrix, the bias in its last column."""
    return weight if bias is None else torch.cat([weight, bias[..., None]], -1)


def gradients_of(model, x, label):
    loss = nn.functional.cross_entropy(model(x[None]), torch.tensor([label]))
    found = dict(
        zip(
            [name for name, _ in model.named_parameters()],
            torch.autograd.grad(loss, list(model.parameters())),
            strict=True,
        )
    )
    return {
        int(name.removesuffix(".weight")): joint(each, found.get(name.replace("weight", "bias")))
        for name, each in found.items()
        if name.endswith(".weight")
    }


def scores_by_hand(model, train, targets, relative_damping, fisher):
    """George et al. 2018, layer by layer: Q_A, Q_G from the factors, Λ from rotated gradients."""
    x, labels = inputs_of(train)
    log_p = model(x).log_softmax(1)
    p = log_p.exp().detach()
    inner = {0: x, 2: torch.tanh(model[0](x)).detach()}
    a = {
        i: torch.cat([each, torch.ones(len(x), 1)], 1) if model[i].bias is not None else each
        for i, each in inner.items()
    }
    covariance = {i: each.T @ each / len(x) for i, each in a.items()}
    drawn = range(3) if fisher == "type-2" else [None]
    outer = {0: torch.zeros(4, 4).double(), 2: torch.zeros(3, 3).double()}
    rows = []
    for row in range(len(x)):
        for label in drawn:
            weight = 1.0 if label is None else float(p[row, label])
            gradient = gradients_of(model, x[row], int(labels[row]) if label is None else label)
            for i in (0, 2):
                # The gradient of a weight is that of the output times the input.
                output = gradient[i] @ a[i][row] / (a[i][row] @ a[i][row])
                outer[i] += weight * torch.outer(output, output) / len(x)
            rows.append((weight, gradient))
    q_a = {i: torch.linalg.eigh(each).eigenvectors for i, each in covariance.items()}
    q_g = {i: torch.linalg.eigh(each).eigenvectors for i, each in outer.items()}
    eigenvalues = {
        i: sum(w * (q_g[i].T @ g[i] @ q_a[i]) ** 2 for w, g in rows) / len(x) for i in (0, 2)
    }
    size = sum(each.numel() for each in eigenvalues.values())
    damping = relative_damping * sum(float(each.sum()) for each in eigenvalues.values()) / size

    def solved(gradient, i):
        rotated = q_g[i].T @ gradient[i] @ q_a[i] / (eigenvalues[i] + damping)
        return q_g[i] @ rotated @ q_a[i].T

    own = [gradients_of(model, x[row], int(labels[row])) for row in range(len(x))]
    found = []
    for target, label in zip(*inputs_of(targets), strict=True):
        gradient = gradients_of(model, target, int(label))
        inverse = {i: solved(gradient, i) for i in (0, 2)}
        found.append([sum(float((inverse[i] * g[i]).sum()) for i in (0, 2)) for g in own])
    return torch.tensor(found, dtype=torch.float64)


@needs_curvlinops
@pytest.mark.parametrize("fisher", ["type-2", "empirical"])
def test_it_is_what_the_equations_say(network, context, fisher):
    samples = scaled(clouds())
    targets = subset(samples, torch.tensor([1, 5]))
    config = EKFACConfig(fisher=fisher, relative_damping=0.3, batch_size=11)
    found = ekfac(network, samples, targets, config, context)
    expected = scores_by_hand(network, samples, targets, 0.3, fisher)
    torch.testing.assert_close(found.scores, expected, rtol=1e-6, atol=1e-9)
    assert found.notes == ()


@needs_curvlinops
def test_much_damping_leaves_the_products_of_gradients(network, context):
    from expunge.attribution.gradient_similarity import (
        GradientSimilarityConfig,
        gradient_similarity,
    )

    samples = scaled(clouds())
    targets = subset(samples, torch.tensor([1, 5]))
    damped = ekfac(network, samples, targets, EKFACConfig(relative_damping=1e9), context).scores
    plain = gradient_similarity(
        network, samples, targets, GradientSimilarityConfig(), context
    ).scores
    torch.testing.assert_close(
        nn.functional.normalize(damped), nn.functional.normalize(plain), rtol=1e-5, atol=1e-8
    )


@needs_curvlinops
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_where_it_is_exact_another_library_finds_the_same(context):
    """At zero weights all predictions are alike, so the Hessian of softmax regression is a product.

    dattri's influence functions invert the Hessian itself.
    """
    pytest.importorskip("dattri", reason="dattri, the oracle from outside, is not installed")
    from dattri.func.hessian import ihvp_explicit

    model = nn.Sequential(nn.Linear(7, 3, bias=False)).double()
    nn.init.zeros_(model[0].weight)
    samples = scaled(clouds())
    targets = subset(samples, torch.tensor([1, 5, 8]))
    found = ekfac(model, samples, targets, EKFACConfig(relative_damping=0.05), context).scores

    x, labels = inputs_of(samples)

    def loss(weights):
        return nn.functional.cross_entropy(x @ weights.reshape(3, 7).T, labels)

    def gradients(given):
        rows = zip(*inputs_of(given), strict=True)
        return torch.stack([gradients_of(model, each, int(label))[0] for each, label in rows])

    start = torch.zeros(21).double()
    hessian = torch.autograd.functional.hessian(loss, start)
    damping = 0.05 * float(hessian.trace()) / 21
    solved = ihvp_explicit(loss, regularization=damping)((start,), gradients(targets).flatten(1))
    expected = solved @ gradients(samples).flatten(1).T
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


@needs_curvlinops
def test_what_has_no_factor_is_left_out_and_named(samples, context):
    targets = subset(samples, torch.tensor([0]))
    model = small_network()
    (note,) = ekfac(model, samples, targets, EKFACConfig(), context).notes
    assert note.startswith("ekfac takes 2 of 7 parameters as fixed, 2.3% of the weights")
    assert "norm.weight, norm.bias" in note
    only_norms = nn.Sequential(nn.Flatten(), nn.LayerNorm(64))
    with pytest.raises(ModelError, match="ekfac needs convolutions or linear layers"):
        ekfac(only_norms, samples, targets, EKFACConfig(), context)


def test_without_the_package_it_says_what_to_install(samples, context, monkeypatch):
    monkeypatch.setitem(sys.modules, "curvlinops", None)
    targets = subset(samples, torch.tensor([0]))
    with pytest.raises(ConfigError, match=r"install expunge\[attribution\]"):
        ekfac(small_network(), samples, targets, EKFACConfig(), context)


def test_no_damping_is_refused():
    with pytest.raises(ConfigError, match="relative_damping must be more than 0"):
        EKFACConfig(relative_damping=0)
