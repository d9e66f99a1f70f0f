import copy
from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision
from tests.conftest import small_network
from tests.oracles.sgd import sgd

from expunge.errors import ConfigError, DivergedError, MaskError
from expunge.settings import Augmentation, Training
from expunge.training.batches import shuffled_batches
from expunge.training.fit import Penalty, fit
from expunge.training.step import task_loss
from expunge.training.streams import Stream

LOSSES = {False: task_loss, True: lambda step: -step.losses()}
"""By whether the loss is climbed."""
RECIPE = Training(epochs=3, batch_size=16, lr=0.05, schedule="constant")


@pytest.fixture
def exact(context):
    """The context of the tests against oracles: float64."""
    return replace(context, fabric=Fabric(accelerator="cpu", devices=1, precision="64-true"))


def steps_of(context, index, training=RECIPE):
    order = context.generator("order")
    epochs = [shuffled_batches(index, training.batch_size, order) for _ in range(training.epochs)]
    return [batch for epoch in epochs for batch in epoch], len(epochs[0])


def data_of(samples):
    pixels = next(iter(samples.inputs.batches([torch.arange(len(samples))])))
    # Networks see pixels in float32 whatever the precision of the weights.
    return (pixels.float() / 255).double(), samples.labels


def some_mask(model, keep=0.4):
    generator = torch.Generator().manual_seed(5)
    return {
        name: torch.rand(p.shape, generator=generator) < keep
        for name, p in model.named_parameters()
        if name.endswith("conv2.weight") or name == "conv.weight"
    }


def close(a, b):
    # Weights are float64 on both sides; Lightning Fabric hands the logits on in float32.
    for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        torch.testing.assert_close(x.double(), y.double(), rtol=1e-5, atol=1e-7, msg=name)


@pytest.mark.parametrize("ascend", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("form", [None, "subgradient", "proximal"])
def test_fit_is_sgd_as_the_equations_have_it(samples, exact, ascend, masked, form):
    ours = small_network().double()
    oracle = copy.deepcopy(ours)
    mask = some_mask(ours) if masked else None
    if mask:
        with torch.no_grad():
            for name, kept in mask.items():
                oracle.get_parameter(name).mul_(kept)
    context = replace(exact, mask=mask)
    index = torch.arange(5, 60)
    penalty = None if form is None else Penalty(gamma=0.02, schedule="linear_decay", form=form)
    recipe = replace(RECIPE, lr=0.01)
    fit(ours, Stream(samples, index), LOSSES[ascend], recipe, context, penalty=penalty)
    batches, per_epoch = steps_of(exact, index)
    images, labels = data_of(samples)
    gammas = [0.02 * (1 - (i // per_epoch) / 3) if penalty else 0.0 for i in range(len(batches))]
    sign = -1.0 if ascend else 1.0
    sgd(
        oracle,
        images,
        labels,
        batches,
        0.01,
        0.9,
        5e-4,
        sign,
        gammas,
        form == "proximal",
        mask,
    )
    close(ours, oracle)


def test_fit_learns(samples, context, network):
    from expunge.training.predict import predict

    fit(
        network,
        Stream(samples, torch.arange(60)),
        task_loss,
        replace(RECIPE, epochs=25, lr=0.1),
        context,
    )
    logits = predict(network, samples, context.fabric)
    assert (logits.argmax(1) == samples.labels).float().mean() > 0.9


def test_masked_weights_and_momentum_stay_zero(samples, context, network):
    mask = some_mask(network)
    fit(network, Stream(samples, torch.arange(60)), task_loss, RECIPE, replace(context, mask=mask))
    for name, kept in mask.items():
        weights = network.get_parameter(name)
        assert bool((weights[~kept] == 0).all())
        assert bool((weights[kept] != 0).all())


def test_same_seed_same_weights_other_seed_others(samples, context):
    context = replace(context, augmentation=Augmentation(crop_padding=1, flip=True))
    results = []
    for seed in (1, 1, 2):
        model = small_network()
        fit(
            model, Stream(samples, torch.arange(60)), task_loss, RECIPE, replace(context, seed=seed)
        )
        results.append(model.conv.weight)
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


def test_global_random_state_modes_and_layout_are_left_alone(samples, context, network):
    network.eval()
    network.norm.train()
    before = torch.random.get_rng_state()
    fit(network, Stream(samples, torch.arange(60)), task_loss, RECIPE, context)
    assert torch.equal(before, torch.random.get_rng_state())
    assert not network.training
    assert network.norm.training
    assert network.conv2.weight.is_contiguous()


def test_augmentation_is_used(samples, context):
    models = []
    for augmentation in (Augmentation(), Augmentation(crop_padding=2, flip=True)):
        model = small_network()
        fit(
            model,
            Stream(samples, torch.arange(60)),
            task_loss,
            RECIPE,
            replace(context, augmentation=augmentation),
        )
        models.append(model.conv.weight)
    assert not torch.equal(*models)


def test_callbacks_see_every_epoch_and_step(samples, context, network):
    epochs, steps = [], []
    told = replace(context, progress=lambda *told: steps.append(told))
    fit(
        network,
        Stream(samples, torch.arange(60)),
        task_loss,
        RECIPE,
        told,
        after_epoch=epochs.append,
        label="x",
    )
    assert epochs == [0, 1, 2, 3]
    assert steps[-1] == ("x", 12, 12, 180)
    assert len(steps) == 12


def test_divergence_is_an_error_that_says_what_to_do(samples, context, network):
    wild = replace(RECIPE, lr=1e20)
    with pytest.raises(DivergedError, match=r"loss of epoch 1 of 3 is .*lower the learning rate"):
        fit(network, Stream(samples, torch.arange(60)), task_loss, wild, context)


def test_a_mask_of_another_model_is_refused(samples, context, network):
    mask = {"conv9.weight": torch.ones(3, dtype=torch.bool)}
    with pytest.raises(MaskError, match="conv9"):
        fit(
            network,
            Stream(samples, torch.arange(60)),
            task_loss,
            RECIPE,
            replace(context, mask=mask),
        )


def test_bf16_runs_and_stays_float32(samples, context, network):
    half = replace(context, fabric=Fabric(accelerator="cpu", devices=1, precision="bf16-mixed"))
    fit(network, Stream(samples, torch.arange(60)), task_loss, RECIPE, half)
    assert network.conv.weight.dtype == torch.float32


def test_a_penalty_on_scaled_gradients_is_refused(samples, context, network):
    scaled = MixedPrecision("16-mixed", device="cpu", scaler=torch.amp.GradScaler("cpu"))
    half = replace(context, fabric=Fabric(accelerator="cpu", devices=1, plugins=[scaled]))
    index = torch.arange(len(samples))
    with pytest.raises(ConfigError, match="float16 scales: use precision=bf16-mixed"):
        fit(network, Stream(samples, index), task_loss, RECIPE, half, penalty=Penalty(gamma=1e-3))
    fit(network, Stream(samples, index), task_loss, replace(RECIPE, epochs=0), half)


def test_a_warm_up_as_long_as_the_training_is_refused():
    with pytest.raises(ConfigError, match="warmup_epochs must be less than epochs, got 5 of 5"):
        Training(epochs=5, warmup_epochs=5)
    assert Training(epochs=0, warmup_epochs=5).epochs == 0
