"""Which weights are chosen, by saliency and by chance."""

import pytest
import torch
from tests.conftest import small_network
from torch import nn

from expunge.attribution.weights import (
    WeightsConfig,
    count_of,
    highest,
    kept_share,
    random_scores,
    saliencies,
)
from expunge.data.splits import subset
from expunge.errors import ConfigError


def test_saliency_is_the_gradient_of_the_groups_mean_loss(samples, context):
    model = small_network().double().eval()
    group = subset(samples, torch.arange(0, 60, 3))
    found = saliencies(model, group, WeightsConfig(batch_size=7), context)
    images = (group.inputs.tensor.float() / 255).double()
    loss = nn.functional.cross_entropy(model(images), group.labels)
    for name in ("conv.weight", "conv2.weight"):
        weight = model.get_parameter(name)
        (gradient,) = torch.autograd.grad(loss, weight, retain_graph=True)
        torch.testing.assert_close(found["gradient"][name], gradient.abs())
        torch.testing.assert_close(found["product"][name], (gradient * weight).abs().detach())
    assert set(found["product"]) == {"conv.weight", "conv2.weight"}


def test_pruned_weights_come_last_and_are_not_counted(samples, context):
    model = small_network().eval()
    mask = {"conv.weight": torch.zeros(6, 1, 3, 3, dtype=torch.bool)}
    mask["conv.weight"][0] = True
    mask["conv2.weight"] = torch.ones(8, 6, 3, 3, dtype=torch.bool)
    masked = type(context)(fabric=context.fabric, mask=mask)
    found = saliencies(model, samples, WeightsConfig(), masked)
    by_chance = random_scores(
        dict(model.named_parameters()) | {}, mask, torch.Generator().manual_seed(0)
    )
    for scores in (*found.values(), {name: by_chance[name] for name in mask}):
        there = 9 + 8 * 6 * 9
        assert count_of(scores, 0.5) == round(0.5 * there)
        chosen = highest(scores, there)
        assert all(torch.equal(chosen[name], mask[name]) for name in mask)


def test_the_highest_over_all_layers_are_chosen_and_ties_go_to_the_first():
    scores = {"a": torch.tensor([[3.0, 1.0], [2.0, 2.0]]), "b": torch.tensor([2.0, 5.0])}
    chosen = highest(scores, 3)
    assert chosen["a"].tolist() == [[True, False], [True, False]]
    assert chosen["b"].tolist() == [False, True]
    assert count_of(scores, 0.01) == 1


def test_the_share_that_a_mask_keeps():
    chosen = {"a": torch.tensor([True, True, False]), "b": torch.tensor([True, True])}
    kept = {"a": torch.tensor([True, False, True]), "b": torch.tensor([False, False])}
    assert kept_share(chosen, kept) == 0.25


def test_chance_is_repeated_by_its_generator_alone():
    weights = dict(small_network().named_parameters())
    state = torch.get_rng_state()
    one, same, other = (
        random_scores(weights, None, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(one["conv.weight"], same["conv.weight"])
    assert not torch.equal(one["conv.weight"], other["conv.weight"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"shares": (0.0,)}, "each of shares must be between 0 and 1, got 0.0"),
        ({"sparsities": ()}, "sparsities is empty"),
        ({"layers": ("fc",)}, "layers must be one of"),
    ],
)
def test_settings_that_choose_nothing_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        WeightsConfig(**settings)
