import copy

import torch
from tests.conftest import small_network
from torch import nn

from expunge.tasks.classify import TASK
from expunge.theory.normalisation import fix_normalisation, set_statistics


def test_statistics_are_those_of_all_samples(samples, network):
    (pixels,) = samples.inputs.batches([torch.arange(60)])
    state = torch.get_rng_state()
    network.eval()
    set_statistics(network, samples, torch.device("cpu"))
    hidden = network.conv(TASK.inputs(pixels)).transpose(0, 1).flatten(1)
    torch.testing.assert_close(network.norm.running_mean, hidden.mean(1))
    torch.testing.assert_close(network.norm.running_var, hidden.var(1))
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module.training for module in network.modules())
    assert network.norm.momentum == 0.1


def test_a_fixed_network_is_the_evaluated_one_in_train_mode_too(samples, network):
    (pixels,) = samples.inputs.batches([torch.arange(60)])
    set_statistics(network, samples, torch.device("cpu"))
    fixed = copy.deepcopy(network)
    fix_normalisation(fixed)
    expected = network.eval()(TASK.inputs(pixels))
    fixed.train()
    torch.testing.assert_close(fixed(TASK.inputs(pixels)), expected)
    # What is left out of a batch changes nothing for the others.
    torch.testing.assert_close(fixed(TASK.inputs(pixels[::2])), expected[::2])
    assert torch.equal(fixed.norm.running_mean, network.norm.running_mean)
    assert list(fixed.state_dict()) == list(network.state_dict())
    small_network(1).load_state_dict(fixed.state_dict())
    assert list(dict(fixed.named_parameters())) == list(dict(network.named_parameters()))


def test_layers_without_statistics_stay():
    network = nn.Sequential(nn.BatchNorm2d(2, track_running_stats=False), nn.BatchNorm2d(2))
    fix_normalisation(network)
    assert isinstance(network[0], nn.BatchNorm2d)
    assert not isinstance(network[1], nn.BatchNorm2d)
