"""What every pruner must satisfy. Nothing here knows which pruners there are."""

import dataclasses

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from expunge.config import from_flags, from_mapping, to_mapping
from expunge.errors import ConfigError, MaskError, ModelError
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.settings import Training
from expunge.sparsity import PRUNERS, get_pruner
from expunge.sparsity.mask import check_mask, mask_sparsity, prunable
from expunge.sparsity.pruner import TrainedPruneConfig
from expunge.training.sparsify import sparsify
from expunge.types import Context, Samples

RECIPE = Training(epochs=1, batch_size=8, lr=0.01, schedule="constant")


class BlankImages:
    """Sixteen images of noise."""

    kind = "images"
    shape = (3, 8, 8)

    def __init__(self, seed=1):
        generator = torch.Generator().manual_seed(seed)
        self._pixels = torch.randint(0, 256, (16, 3, 8, 8), generator=generator, dtype=torch.uint8)

    def __len__(self):
        return len(self._pixels)

    def to(self, device):
        return self

    def batches(self, index):
        for each in index:
            yield self._pixels[each]


@pytest.fixture(scope="module")
def samples():
    return Samples(
        inputs=BlankImages(),
        labels=torch.arange(16) % 4,
        ids=tuple(str(i) for i in range(16)),
        class_names=("a", "b", "c", "d"),
        name="noise",
        fingerprint="0",
    )


@pytest.fixture(scope="module")
def fabric():
    return Fabric(accelerator="cpu", devices=1)


def plain(seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, padding=1, bias=False),
            nn.Dropout(0.2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 4),
        )


def residual(seed):
    spec = ModelSpec(name="resnet8", num_classes=4, in_channels=3, width=0.25)
    return build(spec, seed=seed)


@pytest.fixture(params=[plain, residual])
def rebuild(request):
    """A function from a seed to a new network."""
    return request.param


@pytest.fixture
def model(rebuild):
    return rebuild(0)


@pytest.fixture(params=PRUNERS, ids=lambda pruner: pruner.name)
def pruner(request):
    return request.param


def configured(pruner, **settings):
    """The pruner's example, with other settings over it."""
    return from_mapping(pruner.config, {**pruner.example, **settings}, pruner.name)


@pytest.fixture
def run(pruner, samples, fabric):
    def run(model, seed=0, mask=None, **settings):
        context = Context(fabric=fabric, seed=seed, mask=mask)
        return pruner.run(model, samples, configured(pruner, **settings), context)

    return run


def test_the_model_is_left_as_it_was(model, run):
    next(module for module in model.modules() if isinstance(module, nn.BatchNorm2d)).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    run(model, sparsity=0.5)
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())


def test_the_same_seed_gives_the_same_mask(model, run):
    first, second = run(model, seed=3, sparsity=0.5), run(model, seed=3, sparsity=0.5)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_global_random_state_neither_matters_nor_changes(model, run):
    masks = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].tolist()
        masks.append(run(model, sparsity=0.5))
        assert torch.equal(torch.get_rng_state(), state)
        assert np.random.get_state()[1].tolist() == numpy_state
    assert all(torch.equal(masks[0][name], masks[1][name]) for name in masks[0])


@pytest.mark.parametrize("layers", [("conv",), ("conv", "linear")])
@pytest.mark.parametrize("sparsity", [0.0, 0.333, 0.5, 0.8])
def test_exactly_what_was_asked_is_pruned(model, run, sparsity, layers):
    mask = run(model, sparsity=sparsity, layers=layers)
    weights = prunable(model, layers)
    check_mask(model, mask)
    assert list(mask) == list(weights)
    assert all(mask[name].shape == weight.shape for name, weight in weights.items())
    assert all(mask[name].device == weight.device for name, weight in weights.items())
    total = sum(weight.numel() for weight in weights.values())
    assert sum(int((~entry).sum()) for entry in mask.values()) == round(sparsity * total)


def test_samples_do_not_matter_where_it_reads_none(model, run, pruner, samples, fabric):
    others = dataclasses.replace(samples, inputs=BlankImages(seed=2), labels=samples.labels.flip(0))
    context, config = Context(fabric=fabric), configured(pruner, sparsity=0.5)
    mask, expected = pruner.run(model, others, config, context), run(model, sparsity=0.5)
    same = all(torch.equal(mask[name], expected[name]) for name in expected)
    assert same is not pruner.needs_samples


def test_what_is_pruned_already_stays_so(model, run):
    generator = torch.Generator().manual_seed(0)
    before = {
        name: torch.rand(weight.shape, generator=generator) < 0.9
        for name, weight in prunable(model).items()
    }
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    mask = run(model, sparsity=0.5, mask=before)
    assert all(bool((before[name] | ~mask[name]).all()) for name in mask)
    total = sum(entry.numel() for entry in mask.values())
    assert sum(int((~entry).sum()) for entry in mask.values()) == round(0.5 * total)
    assert all(torch.equal(weights[name], now) for name, now in model.state_dict().items())
    with pytest.raises(MaskError, match="already"):
        run(model, sparsity=0.4, mask=mask)


def test_rounds_ascend_to_what_is_asked_for(pruner):
    for sparsity in (0.0, 0.2, 0.5, 0.95):
        rounds = pruner.rounds(configured(pruner, sparsity=sparsity))
        assert list(rounds) == sorted(set(rounds))
        assert rounds[-1] == sparsity


@pytest.mark.parametrize("kind", ["conv", "linear"])
def test_a_model_without_such_layers_is_refused(pruner, samples, fabric, kind):
    layer = nn.Linear(192, 4) if kind == "conv" else nn.Conv2d(3, 4, 8)
    steps = (nn.Flatten(), layer) if kind == "conv" else (layer, nn.Flatten())
    config = configured(pruner, layers=(kind,))
    with pytest.raises(MaskError, match=f"no weights in layers of kind {kind}"):
        pruner.run(nn.Sequential(*steps), samples, config, Context(fabric=fabric))


def test_networks_without_convolutions(pruner, samples, fabric):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 4))
    config = configured(pruner, sparsity=0.7, layers=("linear",))
    mask = pruner.run(model, samples, config, Context(fabric=fabric))
    assert list(mask) == ["1.weight", "3.weight"]
    assert mask_sparsity(mask) == pytest.approx(0.7, abs=1e-3)


def test_an_emptied_layer_is_named(pruner, samples, fabric, rebuild):
    config = configured(pruner, sparsity=0.9999)
    with pytest.raises(MaskError, match=r"layer collapse at sparsity.*none in .*weight"):
        pruner.run(rebuild(0), samples, config, Context(fabric=fabric))


def sparsified(pruner, samples, fabric, rebuild, model, **changes):
    context = Context(fabric=fabric, training=RECIPE, rebuild=rebuild)
    context = dataclasses.replace(context, **changes)
    config = configured(pruner, sparsity=0.5)
    return sparsify(model, samples, pruner, config, context, rebuild(7).state_dict())


def test_training_again_keeps_the_mask_and_the_model(pruner, samples, fabric, rebuild, model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    sparse, mask = sparsified(pruner, samples, fabric, rebuild, model)
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    for name, entry in mask.items():
        weight = sparse.get_parameter(name)
        assert not weight[~entry].any()
        assert weight[entry].all()
    total = sum(entry.numel() for entry in mask.values())
    assert sum(int((~entry).sum()) for entry in mask.values()) == round(0.5 * total)
    again, same = sparsified(pruner, samples, fabric, rebuild, model)
    assert all(torch.equal(mask[name], same[name]) for name in mask)
    assert all(
        torch.equal(tensor, again.state_dict()[name])
        for name, tensor in sparse.state_dict().items()
    )


def test_training_begins_where_it_says(pruner, samples, fabric, rebuild, model):
    """At a new network, whatever the model; or at the rewind weights, by the model's mask."""
    recipe = dataclasses.replace(RECIPE, epochs=0)
    sparse, mask = sparsified(pruner, samples, fabric, rebuild, model, training=recipe)
    new = pruner.when == "initial"
    context = Context(fabric=fabric, rebuild=rebuild)
    start = context.fresh_model() if new else rebuild(7)
    assert all(
        torch.equal(sparse.get_parameter(name), start.get_parameter(name) * entry)
        for name, entry in mask.items()
    )
    other, _ = sparsified(pruner, samples, fabric, rebuild, rebuild(1), training=recipe)
    if new:
        assert all(
            torch.equal(tensor, other.state_dict()[name])
            for name, tensor in sparse.state_dict().items()
        )


def test_it_says_what_it_needs(pruner, samples, fabric, rebuild, model):
    with pytest.raises(ConfigError, match="training settings"):
        sparsified(pruner, samples, fabric, rebuild, model, training=None)
    context = Context(fabric=fabric, training=RECIPE)
    config = configured(pruner, sparsity=0.5)
    missing = "rebuild" if pruner.when == "initial" else "rewind"
    with pytest.raises((ConfigError, ModelError), match=missing):
        sparsify(model, samples, pruner, config, context)


def test_the_model_need_not_be_in_training_mode(model, run):
    expected = run(model, sparsity=0.5)
    mask = run(model.eval(), sparsity=0.5)
    assert all(torch.equal(mask[name], expected[name]) for name in expected)


@pytest.mark.parametrize("sparsity", [1.0, -0.1, 1.5, float("nan"), "half"])
def test_a_bad_sparsity_is_refused(pruner, sparsity):
    with pytest.raises(ConfigError, match="sparsity must be"):
        pruner.config(sparsity=sparsity)


def test_config_round_trips(pruner):
    config = pruner.config(sparsity=0.4, layers=("linear",))
    assert pruner.config(**dataclasses.asdict(config)) == config
    assert from_mapping(pruner.config, to_mapping(config), "x") == config
    assert from_flags(pruner.config, ["--sparsity", "0.4", "--layers", "linear"], "x") == config
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.sparsity = 0.5


def test_it_says_what_it_is(pruner):
    assert get_pruner(pruner.name) is pruner
    assert any(character.isdigit() for character in pruner.cite), "no year in the citation"
    assert pruner.when in ("trained", "initial")
    assert issubclass(pruner.config, TrainedPruneConfig) is (pruner.when == "trained")
    assert pruner.summary
    assert pruner.run.__doc__
    assert pruner.config.__doc__


def test_names_are_unique():
    names = [pruner.name for pruner in PRUNERS]
    assert len(set(names)) == len(names)
