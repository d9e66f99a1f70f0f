"""FT, GA, ℓ1-sparse and Retrain against SGD transcribed from the equations, in float64."""

import copy
from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric
from tests.conftest import small_network
from tests.oracles.sgd import sgd

from expunge.errors import ConfigError, ModelError
from expunge.methods.fine_tuning import FineTuningConfig, fine_tuning
from expunge.methods.gradient_ascent import GradientAscentConfig, gradient_ascent
from expunge.methods.l1_sparse import L1SparseConfig, l1_sparse
from expunge.methods.retrain import RetrainConfig, retrain
from expunge.scenarios import at_random, by_class, make_split
from expunge.settings import Training
from expunge.training.batches import shuffled_batches

SETTINGS = {"epochs": 3, "lr": 0.02, "momentum": 0.8, "weight_decay": 1e-3, "batch_size": 16}


def double(seed=0):
    return small_network(seed).double()


@pytest.fixture
def exact(context):
    fabric = Fabric(accelerator="cpu", devices=1, precision="64-true")
    return replace(context, fabric=fabric, seed=4, rebuild=double)


@pytest.fixture(params=["class", "random"])
def split(request, samples):
    return make_split(samples, by_class(1) if request.param == "class" else at_random(0.3, seed=1))


@pytest.fixture
def expected(samples, exact):
    """SGD on the samples at `index`, in the order that the context draws."""
    pixels = next(iter(samples.inputs.batches([torch.arange(len(samples))])))

    def expected(model, index, lr=0.02, sign=1.0, gammas=(0.0, 0.0, 0.0), proximal=False):
        order = exact.generator("order")
        epochs = [shuffled_batches(index, 16, order) for _ in gammas]
        sgd(
            model,
            (pixels.float() / 255).double(),
            samples.labels,
            [batch for epoch in epochs for batch in epoch],
            lr,
            0.8,
            1e-3,
            sign,
            [gamma for gamma, epoch in zip(gammas, epochs, strict=True) for _ in epoch],
            proximal,
        )
        return model

    return expected


def assert_same(ours, oracle):
    # Lightning Fabric hands the logits on in float32.
    for (name, x), y in zip(ours.state_dict().items(), oracle.state_dict().values(), strict=True):
        torch.testing.assert_close(x.double(), y.double(), rtol=1e-5, atol=1e-7, msg=name)


def test_fine_tuning_descends_the_loss_of_the_retained(split, exact, expected):
    model = double()
    ours = fine_tuning(model, split, FineTuningConfig(**SETTINGS), exact)
    assert_same(ours, expected(copy.deepcopy(model), split.retain))


def test_gradient_ascent_climbs_the_loss_of_the_forgotten(split, exact, expected):
    model = double()
    ours = gradient_ascent(model, split, GradientAscentConfig(**SETTINGS), exact)
    assert_same(ours, expected(copy.deepcopy(model), split.forget, sign=-1.0))


@pytest.mark.parametrize("form", ["subgradient", "proximal"])
@pytest.mark.parametrize(
    ("schedule", "gammas"),
    [
        ("linear_decay", (0.03, 0.02, 0.01)),
        ("constant", (0.03, 0.03, 0.03)),
        ("linear_growth", (0.01, 0.02, 0.03)),
    ],
)
def test_l1_sparse_adds_the_penalty_of_its_schedule(split, exact, expected, form, schedule, gammas):
    model = double()
    config = L1SparseConfig(**SETTINGS, gamma=0.03, schedule=schedule, form=form)
    ours = l1_sparse(model, split, config, exact)
    oracle = expected(
        copy.deepcopy(model), split.retain, gammas=gammas, proximal=form == "proximal"
    )
    assert_same(ours, oracle)


def test_retrain_never_sees_the_model_or_the_forgotten(split, exact, expected):
    recipe = Training(**{**SETTINGS, "epochs": 9}, schedule="constant")
    context = replace(exact, training=recipe)
    ours = retrain(double(1), split, RetrainConfig(epochs=3), context)
    assert_same(ours, expected(context.fresh_model(), split.retain))
    again = retrain(double(2), split, RetrainConfig(epochs=3), context)
    assert all(map(torch.equal, ours.parameters(), again.parameters()))


def test_retrain_says_what_it_lacks(split, exact):
    with pytest.raises(ConfigError, match="training settings"):
        retrain(double(), split, RetrainConfig(), exact)
    context = replace(exact, training=Training(), rebuild=None)
    with pytest.raises(ModelError, match="fresh"):
        retrain(double(), split, RetrainConfig(), context)
