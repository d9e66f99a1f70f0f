"""Pruning from Python: any pruner, settings as a mapping or a dataclass, and what is missing."""

import pytest
import torch

import expunge
from expunge.errors import ConfigError, MaskError, ModelError
from expunge.sparsity import PRUNERS, get_pruner
from expunge.sparsity.mask import mask_sparsity
from tests.conftest import small_network

RECIPE = expunge.Training(epochs=1, batch_size=16, lr=0.01, schedule="constant")


@pytest.fixture
def split(samples):
    return expunge.split(samples, forget=expunge.by_class(1))


@pytest.mark.parametrize("pruner", PRUNERS, ids=lambda pruner: pruner.name)
def test_every_pruner_then_unlearning(pruner, split):
    model = small_network(1)
    config = {"layers": ["conv", "linear"]}
    sparse = expunge.prune(
        model, split, method=pruner.name, sparsity=0.5, config=config, training=RECIPE,
        rebuild=small_network, device="cpu",
    )  # fmt: skip
    assert mask_sparsity(sparse.mask) == pytest.approx(0.5, abs=1e-2)
    assert "head.weight" in sparse.mask
    result = expunge.unlearn(sparse, split, method="ft", config={"epochs": 1}, device="cpu")
    for name, entry in sparse.mask.items():
        assert not result.model.get_parameter(name)[~entry].any()


def test_a_dataclass_and_what_stands_above_it(split):
    config = get_pruner("omp").config(sparsity=0.2, rewind=False)
    first = expunge.prune(small_network(1), split, config=config, training=RECIPE, device="cpu")
    assert mask_sparsity(first.mask) == pytest.approx(0.2, abs=1e-2)
    more = expunge.prune(first, split, config=config, sparsity=0.4, training=RECIPE, device="cpu")
    assert mask_sparsity(more.mask) == pytest.approx(0.4, abs=1e-2)
    assert all(bool((first.mask[name] | ~more.mask[name]).all()) for name in more.mask)
    with pytest.raises(MaskError, match="already"):
        expunge.prune(more, split, config=config, training=RECIPE, device="cpu")


def test_rewinding_is_asked_for_by_its_weights(split):
    none = expunge.Training(epochs=0)
    early = small_network(2)
    found = expunge.prune(
        small_network(1),
        split,
        sparsity=0.5,
        training=none,
        rewind=early.state_dict(),
        device="cpu",
    )
    assert torch.equal(found.model.conv2.weight, early.conv2.weight * found.mask["conv2.weight"])


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"method": "snip"}, ModelError, "pass rebuild"),
        ({"method": "snip", "rewind": {}}, ConfigError, "leave out rewind"),
        ({"method": "opm"}, ConfigError, "did you mean 'omp'"),
        ({"config": {"spasity": 0.5}}, ConfigError, "did you mean 'sparsity'"),
        ({"config": {"rewind": True}}, ConfigError, "weights of an early epoch"),
        ({"training": None}, ConfigError, "pass training"),
        ({"sparsity": 0.9999}, MaskError, "layer collapse"),
    ],
)
def test_what_cannot_be_is_refused(split, given, error, message):
    with pytest.raises(error, match=message):
        expunge.prune(small_network(1), split, **{"training": RECIPE, "device": "cpu", **given})
