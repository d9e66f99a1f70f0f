"""Oracle: the steps as the equations have them, one sample at a time, in float64."""

import copy
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from expunge.errors import DivergedError, MaskError
from expunge.settings import Training
from expunge.theory.normalisation import fix_normalisation
from expunge.theory.paths import add_back, path_batches, walk
from expunge.training.fit import fit
from expunge.training.step import task_loss
from expunge.training.streams import Stream

PLAIN = Training(
    epochs=3, batch_size=16, lr=0.05, momentum=0.0, weight_decay=0.0, schedule="constant"
)
FORGET = torch.tensor([0, 7, 8, 31, 59])


def weights(model):
    return {name: p.detach() for name, p in model.named_parameters()}


def distance(one, other):
    a, b = weights(one), weights(other)
    return sum(float((a[name] - b[name]).square().sum()) for name in a) ** 0.5


def gradient(model, samples, sample):
    loss = F.cross_entropy(
        model(samples.inputs.pixels[sample : sample + 1]), samples.labels[sample : sample + 1]
    )
    return torch.autograd.grad(loss, list(model.parameters()))


def slow_path(model, samples, batches, lr, mask, without=()):
    model.eval()
    for batch in batches:
        step = [torch.zeros_like(p) for p in model.parameters()]
        for sample in batch.tolist():
            if sample not in without:
                for total, g in zip(step, gradient(model, samples, sample), strict=True):
                    total += g / len(batch)
        with torch.no_grad():
            for (name, p), total in zip(model.named_parameters(), step, strict=True):
                p -= lr * total
                if name in mask:
                    p *= mask[name]


@pytest.mark.parametrize("forget", [None, FORGET])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_walk_is_the_equation(exact, exact_network, mask, context, sparse, forget):
    context = replace(context, mask=mask if sparse else None)
    batches = path_batches(60, replace(PLAIN, epochs=1), context)
    expected = copy.deepcopy(exact_network)
    if sparse:
        with torch.no_grad():
            for name, kept in mask.items():
                expected.get_parameter(name).mul_(kept)
    without = () if forget is None else forget.tolist()
    slow_path(expected, exact, batches, 0.05, mask if sparse else {}, without)
    walk(exact_network, exact, batches, 0.05, context, without=forget)
    for name, p in expected.named_parameters():
        torch.testing.assert_close(exact_network.get_parameter(name), p, rtol=1e-9, atol=1e-12)
        if sparse and name in mask:
            assert not exact_network.get_parameter(name)[~mask[name]].any()


def test_the_added_gradients_are_the_equation(exact, exact_network, mask, context):
    context = replace(context, mask=mask)
    start = copy.deepcopy(exact_network)
    batches = path_batches(60, PLAIN, context)
    walk(exact_network, exact, batches, 0.05, context)
    before = weights(copy.deepcopy(exact_network))
    expected = {name: p.clone() for name, p in before.items()}
    start.eval()
    for batch in batches:
        for sample in set(batch.tolist()) & set(FORGET.tolist()):
            for (name, total), g in zip(
                expected.items(), gradient(start, exact, sample), strict=True
            ):
                total += 0.05 / len(batch) * g * mask.get(name, torch.ones(()))
    unlearned = add_back(exact_network, start, exact, batches, 0.05, FORGET, context, batch_size=2)
    for name, p in weights(unlearned).items():
        torch.testing.assert_close(p, expected[name], rtol=1e-6, atol=1e-9)
        assert torch.equal(exact_network.get_parameter(name), before[name])


def unlearning_error(network, exact, batches, lr, context):
    """e(m), and how far the original is from Retrain of the same start and order."""
    model, retrained = copy.deepcopy(network), copy.deepcopy(network)
    walk(model, exact, batches, lr, context)
    walk(retrained, exact, batches, lr, context, without=FORGET)
    unlearned = add_back(model, network, exact, batches, lr, FORGET, context)
    return distance(unlearned, retrained), distance(model, retrained)


def test_one_step_is_unlearned_exactly(exact, exact_network, context):
    everything = [torch.arange(60)]
    error, original = unlearning_error(exact_network, exact, everything, 0.05, context)
    assert error < 1e-6 * original


def test_the_error_is_of_second_order_in_the_learning_rate(exact, exact_network, context):
    """As the theorem has it: halving η quarters e(m), and halves the original's distance."""
    batches = path_batches(60, PLAIN, context)
    # Weights `lr / |B|` are summed in float32: not too small a step.
    coarse, fine = (
        unlearning_error(exact_network, exact, batches, lr, context) for lr in (2e-2, 1e-2)
    )
    assert coarse[0] / fine[0] == pytest.approx(4, rel=0.1)
    assert coarse[1] / fine[1] == pytest.approx(2, rel=0.1)


def test_the_order_is_that_of_the_training_loop(samples, network, context):
    fix_normalisation(network)
    other = copy.deepcopy(network)
    fit(other, Stream(samples, torch.arange(60)), task_loss, PLAIN, context)
    walk(network, samples, path_batches(60, PLAIN, context), PLAIN.lr, context)
    assert distance(network, other) < 1e-5


def test_a_batch_of_forgotten_samples_alone_stands_still(exact, exact_network, context):
    start = copy.deepcopy(exact_network)
    walk(exact_network, exact, [FORGET], 0.1, context, without=FORGET)
    assert distance(exact_network, start) == 0


def test_modes_come_back_and_progress_is_told(samples, network, context):
    told = []
    network.norm.eval()
    context = replace(context, progress=lambda *words: told.append(words))
    walk(network, samples, [torch.arange(60)] * 2, 0.01, context, without=FORGET)
    assert told == [("path", 1, 2, 55), ("path", 2, 2, 110)]
    assert network.training
    assert not network.norm.training


def test_what_diverges_or_does_not_fit_says_so(samples, network, context):
    with pytest.raises(DivergedError, match="lower the learning rate"):
        walk(network, samples, [torch.arange(60)] * 20, 1e12, context)
    foreign = replace(context, mask={"conv9.weight": torch.ones(1, dtype=torch.bool)})
    with pytest.raises(MaskError):
        walk(network, samples, [], 0.1, foreign)
