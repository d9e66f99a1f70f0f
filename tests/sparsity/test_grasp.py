import pytest
import torch
from torch.autograd.functional import hessian
from torch.func import functional_call
from torch.nn import functional as F

from expunge.errors import ConfigError
from expunge.sparsity import get_pruner
from expunge.sparsity.grasp import gradient_flow_scores
from expunge.sparsity.saliency import balanced_draw, even_batches
from expunge.tasks.classify import TASK

GRASP = get_pruner("grasp")


def loss_function(tiny, samples, config, context):
    """The draw's loss as a function of the prunable weights, in one vector; and that vector."""
    names = ["0.weight", "3.weight"] + (["7.weight"] if "linear" in config.layers else [])
    weights = [tiny.get_parameter(name).detach() for name in names]
    index = balanced_draw(samples, config.samples_per_class, context.generator("saliency"))
    batches = even_batches(index, config.batch_size)
    tiny.train()
    tiny[4].eval()

    def loss(vector):
        parts = vector.split([weight.numel() for weight in weights])
        given = {
            name: part.view_as(weight)
            for name, part, weight in zip(names, parts, weights, strict=True)
        }
        total = vector.new_zeros(())
        for batch in batches:
            pixels = TASK.inputs(next(samples.inputs.batches([batch]))).double()
            logits = functional_call(tiny, given, (pixels,)) / config.temperature
            share = len(batch) / len(index)
            total = total + share * F.cross_entropy(logits, samples.labels[batch])
        return total

    return loss, torch.cat([weight.flatten() for weight in weights])


@pytest.mark.parametrize(
    "settings",
    [{}, {"batch_size": 11}, {"layers": ("conv", "linear"), "temperature": 5.0}],
)
def test_against_the_explicit_hessian(tiny, samples, context, settings):
    config = GRASP.config(samples_per_class=8, **settings)
    loss, theta = loss_function(tiny, samples, config, context)
    matrix = hessian(loss, theta)
    theta.requires_grad_(True)
    (gradient,) = torch.autograd.grad(loss(theta), theta)
    expected = -theta.detach() * (matrix @ gradient)
    scores = gradient_flow_scores(tiny, samples, config, context)
    found = torch.cat([score.flatten() for score in scores.values()])
    assert float(expected.abs().max()) > 1e-6
    # Images are bytes divided by 255, there in float32, here in float64.
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-9)


def test_half_of_what_the_gradient_gains_when_a_weight_shrinks(tiny, samples, context):
    config = GRASP.config(samples_per_class=8)
    loss, theta = loss_function(tiny, samples, config, context)
    scores = gradient_flow_scores(tiny, samples, config, context)
    found = torch.cat([score.flatten() for score in scores.values()])

    def flow(vector):
        vector = vector.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss(vector), vector)
        return float(gradient.square().sum())

    step = 1e-4
    for i in range(0, len(theta), 5):
        less, more = theta.clone(), theta.clone()
        less[i] *= 1 - step
        more[i] *= 1 + step
        gained = (flow(less) - flow(more)) / (2 * step)
        assert float(found[i]) == pytest.approx(gained / 2, rel=1e-3, abs=1e-7)


def test_the_highest_scores_go(tiny, samples, context):
    config = GRASP.config(sparsity=0.4)
    scores = gradient_flow_scores(tiny, samples, config, context)
    mask = GRASP.run(tiny, samples, config, context)
    kept = torch.cat([scores[name][entry] for name, entry in mask.items()])
    gone = torch.cat([scores[name][~entry] for name, entry in mask.items()])
    assert float(gone.min()) > float(kept.max())


@pytest.mark.parametrize("temperature", [0, -1])
def test_a_temperature_that_is_none_is_refused(temperature):
    with pytest.raises(ConfigError, match="temperature must be"):
        GRASP.config(temperature=temperature)
