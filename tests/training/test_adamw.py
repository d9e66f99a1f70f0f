import copy
from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric
from tests.conftest import small_network
from tests.oracles.adamw import adamw
from tests.training.test_fit import LOSSES

from expunge.errors import ConfigError
from expunge.settings import Training
from expunge.training.batches import shuffled_batches
from expunge.training.fit import Penalty, fit
from expunge.training.schedule import learning_rate
from expunge.training.step import task_loss
from expunge.training.streams import Stream

RECIPE = Training(
    epochs=3,
    batch_size=16,
    optimizer="adamw",
    lr=0.01,
    momentum=0.8,
    weight_decay=0.05,
    schedule="cosine",
    warmup_epochs=1,
)


@pytest.fixture
def exact(context):
    return replace(context, fabric=Fabric(accelerator="cpu", devices=1, precision="64-true"))


def some_mask(model):
    generator = torch.Generator().manual_seed(5)
    return {
        name: torch.rand(p.shape, generator=generator) < 0.4
        for name, p in model.named_parameters()
        if p.ndim == 4
    }


@pytest.mark.parametrize("ascend", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("gamma", [0.0, 0.02])
def test_fit_is_adamw_as_the_equations_have_it(samples, exact, ascend, masked, gamma):
    ours = small_network().double()
    oracle = copy.deepcopy(ours)
    mask = some_mask(ours) if masked else {}
    with torch.no_grad():
        for name, kept in mask.items():
            oracle.get_parameter(name).mul_(kept)
    index = torch.arange(5, 60)
    penalty = Penalty(gamma=gamma, schedule="constant") if gamma else None
    context = replace(exact, mask=mask or None)
    fit(ours, Stream(samples, index), LOSSES[ascend], RECIPE, context, penalty=penalty)
    order = exact.generator("order")
    epochs = [shuffled_batches(index, 16, order) for _ in range(3)]
    batches = [batch for epoch in epochs for batch in epoch]
    lrs = [learning_rate(RECIPE, step, len(epochs[0])) for step in range(len(batches))]
    pixels = next(iter(samples.inputs.batches([torch.arange(60)])))
    # The penalty is of the loss that is descended, so it does not climb with it.
    adamw(
        oracle,
        (pixels.float() / 255).double(),
        samples.labels,
        batches,
        lrs,
        0.8,
        0.05,
        -1.0 if ascend else 1.0,
        [gamma] * len(batches),
        mask,
    )
    for (name, x), y in zip(ours.named_parameters(), oracle.parameters(), strict=True):
        # Lightning Fabric hands the logits on in float32, and Adam divides by small numbers.
        torch.testing.assert_close(x, y, rtol=1e-4, atol=1e-5, msg=name)


def test_the_proximal_penalty_is_refused(samples, context, network):
    before = copy.deepcopy(network.state_dict())
    with pytest.raises(ConfigError, match=r"proximal .* got optimizer=adamw: use optimizer=sgd"):
        fit(
            network,
            Stream(samples, torch.arange(60)),
            task_loss,
            RECIPE,
            context,
            penalty=Penalty(gamma=0.1, form="proximal"),
        )
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())


@pytest.mark.parametrize("changes", [{"nesterov": True}, {"momentum": 1.0}])
def test_what_adamw_has_not_is_refused(changes):
    with pytest.raises(ConfigError, match="adamw takes nesterov=false and a momentum"):
        replace(RECIPE, **changes)


def test_an_unknown_optimiser_is_refused():
    with pytest.raises(ConfigError, match="optimizer must be one of sgd, adamw, got 'adam'"):
        Training(optimizer="adam")
