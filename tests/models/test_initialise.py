import math

import torch
from torch import nn

from expunge.models.initialise import initialise


def test_convolutions_are_kaiming_normal_by_fan_out():
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 64, 3)
    initialise(conv)
    assert math.isclose(conv.weight.std().item(), math.sqrt(2 / (64 * 9)), rel_tol=0.05)
    assert abs(conv.weight.mean().item()) < 0.01
    # Kurtosis tells a normal (3) from the default uniform (1.8).
    normed = conv.weight / conv.weight.std()
    assert 2.7 < normed.pow(4).mean().item() < 3.3
    assert (conv.bias == 0).all()


def test_batch_norm_is_the_identity_and_linear_is_left():
    linear = nn.Linear(3, 3)
    before = linear.weight.clone()
    norm = nn.BatchNorm2d(4)
    nn.init.uniform_(norm.weight)
    nn.init.uniform_(norm.bias)
    initialise(nn.Sequential(norm, linear))
    assert (norm.weight == 1).all()
    assert (norm.bias == 0).all()
    assert torch.equal(linear.weight, before)
