"""IU against dense matrices, in float64."""

from dataclasses import replace

import pytest
import torch
from tests.conftest import small_network
from tests.oracles import curvature as oracle
from torch.nn import functional as F

from expunge.errors import ConfigError, DivergedError, ModelError
from expunge.methods.influence import InfluenceConfig, influence_unlearning
from expunge.scenarios import at_random, by_class, make_split

SETTINGS = {
    "alpha": 2.5, "damping": 0.05, "relative_damping": 0.0, "batch_size": 7, "samples": 20
}  # fmt: skip


@pytest.fixture
def model():
    return small_network(2).double()


@pytest.fixture(params=["class", "random"])
def split(request, samples):
    return make_split(samples, by_class(1) if request.param == "class" else at_random(0.3, seed=1))


@pytest.fixture(params=["dense", "masked", "frozen"])
def treated(request, model, context):
    """The model's context, and one number a coordinate: 1 where it takes part."""
    kept = {name: torch.ones_like(p.detach()) for name, p in model.named_parameters()}
    if request.param == "masked":
        generator = torch.Generator().manual_seed(2)
        mask = {
            f"{name}.weight": torch.rand(kept[f"{name}.weight"].shape, generator=generator) < 0.4
            for name in ("conv", "conv2")
        }
        context = replace(context, mask=mask)
        for name, entry in mask.items():
            kept[name] *= entry
            model.get_parameter(name).data *= entry
    if request.param == "frozen":
        model.conv2.requires_grad_(False)
        kept["conv2.weight"] *= 0
        kept["conv2.bias"] *= 0
    return context, torch.cat([each.flatten() for each in kept.values()])


def expected(model, samples, split, context, kept, solve, count=20):
    """θ_o + α H⁻¹ v, every gradient by itself and every matrix dense."""
    model = model.eval()
    frozen = [p for p in model.parameters() if not p.requires_grad]
    for p in frozen:
        p.requires_grad_(True)
    pixels = next(iter(samples.inputs.batches([torch.arange(len(samples))])))
    images = (pixels.float() / 255).double()
    rows = oracle.gradients(model, images, samples.labels) * kept
    order = torch.randperm(len(split.retain), generator=context.generator("curvature"))
    drawn = split.retain[order[:count]]
    v = oracle.forget_direction(rows[split.forget], rows[split.retain])
    step = 2.5 * solve(rows[drawn], v, images[drawn])
    for p in frozen:
        p.requires_grad_(False)
    return torch.cat([p.detach().flatten() for p in model.parameters()]) + step


def assert_same(ours, weights, model):
    found = torch.cat([p.detach().flatten() for p in ours.parameters()])
    start = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert float((found - weights).norm() / (weights - start).norm()) < 1e-6


@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "woodbury"},
        {"solver": "woodfisher"},
        {"solver": "cg", "curvature": "fisher", "iterations": 300, "tolerance": 1e-12},
    ],
)
def test_solvers_are_the_dense_inverse(model, samples, split, treated, settings):
    context, kept = treated
    ours = influence_unlearning(model, split, InfluenceConfig(**SETTINGS, **settings), context)

    def solve(rows, v, _):
        return oracle.solve(oracle.empirical_fisher(rows), v, 0.05)

    assert_same(ours, expected(model, samples, split, context, kept, solve), model)


@pytest.mark.parametrize(
    "settings",
    [
        {"solver": "woodbury"},
        {"solver": "woodfisher"},
        {"solver": "cg", "curvature": "fisher", "iterations": 300, "tolerance": 1e-12},
    ],
)
@pytest.mark.parametrize("relative", [0.3, 1e-9])
def test_damping_is_relative_to_the_largest_eigenvalue(
    model, samples, split, context, settings, relative
):
    config = InfluenceConfig(**SETTINGS | settings | {"relative_damping": relative})
    ours = influence_unlearning(model, split, config, context)
    kept = torch.ones(sum(p.numel() for p in model.parameters()))
    damping = []

    def solve(rows, v, _):
        dense = oracle.empirical_fisher(rows)
        damping.append(max(0.05, relative * float(torch.linalg.eigvalsh(dense)[-1])))
        return oracle.solve(dense, v, damping[0])

    weights = expected(model, samples, split, context, kept, solve)
    assert (damping[0] > 0.05) == (relative == 0.3)
    found = torch.cat([p.detach().flatten() for p in ours.parameters()])
    start = torch.cat([p.detach().flatten() for p in model.parameters()])
    # Power iterations come close to the eigenvalue from below.
    tolerance = 0.02 if settings["solver"] == "cg" else 1e-6
    assert float((found - weights).norm() / (weights - start).norm()) < tolerance


def test_defaults_do_not_destroy_a_network_with_steep_gradients(split, samples, context):
    """The outputs a hundred times as large, as after too few steps with too high a rate."""
    model = small_network(2)
    with torch.no_grad():
        model.head.weight.mul_(100)
    pixels = next(iter(samples.inputs.batches([split.retain]))).float() / 255
    config = InfluenceConfig(samples=20)
    absolute = replace(config, relative_damping=0.0)
    with torch.no_grad():
        before, safe, destroyed = (
            float(F.cross_entropy(each.eval()(pixels), samples.labels[split.retain]))
            for each in (
                model,
                influence_unlearning(model, split, config, context),
                influence_unlearning(model, split, absolute, context),
            )
        )
    assert safe < 1.5 * before
    assert destroyed > 1.5 * before


def test_conjugate_gradients_with_gauss_newton(model, samples, split, treated):
    context, kept = treated
    config = InfluenceConfig(**SETTINGS, solver="cg", iterations=300, tolerance=1e-12)
    ours = influence_unlearning(model, split, config, context)

    def solve(rows, v, images):
        for p in model.parameters():
            p.requires_grad_(True)
        dense = oracle.gauss_newton(model, images) * kept[:, None] * kept
        return oracle.solve(dense, v, 0.05)

    assert_same(ours, expected(model, samples, split, context, kept, solve), model)


def test_the_published_recursion(model, samples, split, treated):
    context, kept = treated
    config = InfluenceConfig(**SETTINGS, solver="rank1")
    ours = influence_unlearning(model, split, config, context)
    weights = expected(
        model, samples, split, context, kept, lambda rows, v, _: oracle.rank_one(rows, v)
    )
    assert_same(ours, weights, model)


def test_more_samples_than_are_retained_means_all_of_them(model, samples, split, context):
    config = InfluenceConfig(**{**SETTINGS, "samples": 1000})
    everything = replace(config, samples=len(split.retain))
    one, two = (influence_unlearning(model, split, c, context) for c in (config, everything))
    assert all(map(torch.equal, one.parameters(), two.parameters()))


def test_memory_changes_nothing(model, split, context):
    config = InfluenceConfig(**SETTINGS)
    little = replace(config, memory_gib=1e-6)
    one, two = (influence_unlearning(model, split, c, context) for c in (config, little))
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_it_moves_the_loss_of_the_forgotten_up(split, samples, context):
    """The direction of the step: away from what is forgotten."""
    model = small_network(2)
    pixels = next(iter(samples.inputs.batches([split.forget]))).float() / 255
    ours = influence_unlearning(model, split, InfluenceConfig(alpha=0.1), context)
    with torch.no_grad():
        before, after = (
            float(F.cross_entropy(m.eval()(pixels), samples.labels[split.forget]))
            for m in (model, ours)
        )
    assert after > before


def test_what_cannot_be_is_refused(model, split, context):
    with pytest.raises(ConfigError, match="damping must be more than 0"):
        InfluenceConfig(damping=0)
    with pytest.raises(ConfigError, match="damping"):
        InfluenceConfig(damping=-1)
    with pytest.raises(ConfigError, match="relative_damping"):
        InfluenceConfig(relative_damping=-1)
    with pytest.raises(ConfigError, match="solver must be one of woodbury"):
        InfluenceConfig(solver="lu")
    config = InfluenceConfig(alpha=1e308, damping=1e-9, relative_damping=0)
    with pytest.raises(DivergedError, match=r"alpha=1e\+308, .* lower alpha or raise one"):
        influence_unlearning(model, split, config, context)
    for p in model.parameters():
        p.requires_grad_(False)
    with pytest.raises(ModelError, match="no weight to change"):
        influence_unlearning(model, split, InfluenceConfig(), context)
