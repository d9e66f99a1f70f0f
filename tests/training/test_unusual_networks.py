"""Training of networks that need more than one sample, or return more than logits."""

import pytest
import torch
from tests.networks_of_different_build import BUILDS

import expunge
from expunge.errors import ConfigError
from expunge.types import Split


def unlearn(name, forget=(0, 4), change=lambda model: model, **config):
    (build,) = [each for each in BUILDS if each.name == name]
    samples = build.samples()
    split = Split(train=samples, forget=torch.tensor(forget), scenario="ids:some")
    model = change(build.build())
    config = {"epochs": 2, "lr": 0.01, "batch_size": 4, **config}
    return model, expunge.unlearn(model, split, method="ga", config=config)


@pytest.mark.parametrize("name", ["batch_norm_after_pooling", "batch_norm_of_vectors"])
def test_one_sample_alone_under_batch_normalisation_is_refused_with_what_to_do(name):
    for sizes in ({"forget": (3,)}, {"batch_size": 1, "forget": (0, 3, 4)}):
        with pytest.raises(ConfigError, match="cannot be trained on a batch of one sample") as no:
            unlearn(name, **sizes)
        assert "raise batch_size" in str(no.value)
        assert "\n" not in str(no.value)
    # A last batch of one joins the one before.
    unlearn(name, forget=(0, 1, 2, 3, 4))
    frozen = {"change": lambda model: (model[0].eval(), model[2].eval(), model)[-1]}
    unlearn(name, forget=(3,), **frozen)


def test_one_sample_alone_is_no_problem_elsewhere():
    for name in ("batch_norm", "group_norm", "linear_only"):
        _, found = unlearn(name, forget=(3,))
        assert isinstance(found.model, torch.nn.Module)


@pytest.mark.parametrize("name", ["auxiliary_head", "named_outputs_in_training"])
def test_the_first_of_several_outputs_is_trained_and_the_others_are_not(name):
    model, found = unlearn(name)
    assert not torch.equal(model.head.weight, found.model.head.weight)
    assert torch.equal(model.second.weight, found.model.second.weight)
    assert any("training uses its first output" in note for note in found.notes)


def test_frozen_weights_and_zeros_stay():
    model, found = unlearn("frozen_backbone")
    for name, parameter in model.named_parameters():
        same = torch.equal(parameter, found.model.get_parameter(name))
        assert same != parameter.requires_grad, name
    assert any("6 of 8 parameters are frozen" in note for note in found.notes)
