"""Oracle: the dense Hessian, and its eigenvalues, in float64."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from expunge.data.arrays import as_samples
from expunge.errors import ConfigError, DivergedError, MaskError
from expunge.sparsity.mask import apply_mask
from expunge.tasks.classify import TASK
from expunge.theory.config import HessianConfig
from expunge.theory.hessian import MaskedHessian, _lanczos, largest_singular_value

SHARP = HessianConfig(samples=60, tolerance=1e-10, precision="float64", batch_size=25)


def dense_hessian(model, images, labels):
    """∂²(mean cross-entropy)/∂θ², one row at a time, in evaluation mode."""
    model.eval()
    parameters = list(model.parameters())
    loss = F.cross_entropy(model(images), labels)
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    rows = []
    for entry in torch.cat([g.flatten() for g in gradients]):
        row = torch.autograd.grad(entry, parameters, retain_graph=True, materialize_grads=True)
        rows.append(torch.cat([part.flatten() for part in row]))
    return torch.stack(rows)


def kept(model, mask):
    return torch.cat(
        [
            mask.get(name, torch.ones(p.shape, dtype=torch.bool)).flatten()
            for name, p in model.named_parameters()
        ]
    )


@pytest.mark.parametrize("sparse", [False, True])
def test_it_is_the_largest_eigenvalue_of_the_dense_hessian(
    exact, exact_network, mask, context, sparse
):
    mask = mask if sparse else {}
    if sparse:
        apply_mask(exact_network, mask)
        context = replace(context, mask=mask)
    dense = dense_hessian(exact_network, exact.inputs.pixels, exact.labels)
    left = kept(exact_network, mask)
    dense = dense[left][:, left]
    expected = torch.linalg.eigvalsh(dense).abs().max().item()
    found = largest_singular_value(exact_network, exact, SHARP, context)
    assert found == pytest.approx(expected, rel=1e-6)
    hessian = MaskedHessian(
        exact_network,
        exact,
        torch.arange(60),
        mask or None,
        context.device,
        TASK,
        dtype=torch.float64,
    )
    assert len(hessian) == int(left.sum())
    vector = torch.randn(
        len(hessian), dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    torch.testing.assert_close(hessian(vector), dense @ vector, rtol=1e-9, atol=1e-12)


class Quadratic(nn.Module):
    """Logits (a, −a) for a = w·w·x: negative curvature where the label is the unlikely one."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0], dtype=torch.float64))

    def forward(self, images):
        a = self.weight**2 * images.mean((1, 2, 3))
        return torch.stack([a, -a, 0 * a], dim=1)


def test_one_coordinate_and_the_magnitude_of_a_negative_eigenvalue(exact, context):
    model = Quadratic()
    (expected,) = dense_hessian(model, exact.inputs.pixels, exact.labels).flatten().tolist()
    found = largest_singular_value(model, exact, SHARP, context)
    assert found == pytest.approx(abs(expected), rel=1e-9)
    flipped = replace(exact, labels=torch.zeros(60, dtype=torch.int64))
    (negative,) = dense_hessian(model, flipped.inputs.pixels, flipped.labels).flatten().tolist()
    assert largest_singular_value(model, flipped, SHARP, context) == pytest.approx(abs(negative))


def test_a_flat_loss_has_none(exact, context):
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.Linear(4, 3)).double()
    # A head of zeros that stays: whatever the first layer does, the logits do not move.
    model[2].requires_grad_(False).weight.zero_()
    assert largest_singular_value(model, exact, SHARP, context) == 0.0


def test_the_samples_are_drawn_by_the_seed_and_nothing_else_moves(samples, network, context):
    config = HessianConfig(samples=20)
    before = [p.clone() for p in network.parameters()]
    state = torch.get_rng_state()
    network.train()
    found = [largest_singular_value(network, samples, config, context) for _ in range(2)]
    other = largest_singular_value(network, samples, config, replace(context, seed=1))
    assert found[0] == found[1] != other
    assert torch.equal(torch.get_rng_state(), state)
    assert network.training
    assert all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    exact = HessianConfig(samples=20, precision="float64", batch_size=7)
    assert largest_singular_value(network, samples, exact, context) == pytest.approx(
        found[0], rel=1e-3
    )


def test_what_cannot_be_computed_says_so(samples, network, context):
    foreign = replace(context, mask={"conv9.weight": torch.ones(1, dtype=torch.bool)})
    with pytest.raises(MaskError, match=r"conv9\.weight"):
        largest_singular_value(network, samples, HessianConfig(), foreign)
    alone = nn.Sequential(nn.Conv2d(1, 3, 8, bias=False), nn.Flatten())
    nothing = replace(context, mask={"0.weight": torch.zeros(3, 1, 8, 8, dtype=torch.bool)})
    with pytest.raises(MaskError, match="no weight is left of 192"):
        largest_singular_value(alone, samples, HessianConfig(), nothing)
    with torch.no_grad():
        network.head.bias.fill_(torch.nan)
    with pytest.raises(DivergedError, match="not finite"):
        largest_singular_value(network, samples, HessianConfig(), context)


def test_an_iteration_that_has_not_converged_says_what_to_raise():
    spectrum = np.linspace(-1, -1.001, 500)
    start = np.random.default_rng(0).standard_normal(500)
    config = HessianConfig(tolerance=1e-12, iterations=1)
    with pytest.raises(DivergedError, match="in 1 iterations: raise iterations or tolerance"):
        _lanczos(lambda vector: spectrum * vector.reshape(-1), start, config)
    patient = replace(config, iterations=1000)
    found = _lanczos(lambda vector: spectrum * vector.reshape(-1), start, patient)
    assert found == pytest.approx(1.001, abs=1e-9)


@pytest.mark.parametrize(
    "setting",
    [{"samples": 0}, {"batch_size": 0}, {"tolerance": 0}, {"iterations": 0}, {"precision": "bf16"}],
)
def test_settings_out_of_range_are_refused(setting):
    with pytest.raises(ConfigError, match=next(iter(setting))):
        HessianConfig(**setting)


def test_fused_attention_has_a_hessian(context):
    class Attentive(nn.Module):
        def __init__(self):
            super().__init__()
            self.into = nn.Linear(8, 4)
            self.head = nn.Linear(4, 3)

        def forward(self, images):
            tokens = self.into(images[:, 0])[:, None]
            return self.head(F.scaled_dot_product_attention(tokens, tokens, tokens).mean((1, 2)))

    generator = torch.Generator().manual_seed(0)
    images = torch.rand((12, 1, 8, 8), generator=generator)
    samples = as_samples((images, torch.arange(12) % 3))
    model = Attentive()
    config = HessianConfig(tolerance=1e-6, precision="float64")
    found = largest_singular_value(model, samples, config, context)
    with sdpa_kernel(SDPBackend.MATH):
        dense = dense_hessian(model.double(), images.double(), samples.labels)
    assert found == pytest.approx(float(torch.linalg.eigvalsh(dense).abs().max()), rel=1e-4)
