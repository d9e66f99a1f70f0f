import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from expunge.errors import ConfigError
from expunge.sparsity.gamma import gamma_at
from expunge.sparsity.l1 import add_l1_gradient, proximal_step

T = 10


def test_schedules_at_their_ends():
    assert gamma_at("linear_decay", 2.0, 0, T) == 2.0
    assert gamma_at("linear_decay", 2.0, T - 1, T) == pytest.approx(2.0 / T)
    assert gamma_at("linear_growth", 2.0, 0, T) == pytest.approx(2.0 / T)
    assert gamma_at("linear_growth", 2.0, T - 1, T) == 2.0
    assert {gamma_at("constant", 2.0, t, T) for t in range(T)} == {2.0}


def test_growth_is_the_decay_run_backwards():
    decay = [gamma_at("linear_decay", 3e-4, t, T) for t in range(T)]
    growth = [gamma_at("linear_growth", 3e-4, t, T) for t in range(T)]
    assert growth == pytest.approx(decay[::-1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cosine", 1.0, 0, T), "schedule must be one of linear_decay, constant, linear_growth"),
        (("constant", -1.0, 0, T), "gamma must be a finite number"),
        (("constant", 1.0, T, T), r"epoch must be a finite number in 0\.\.9, got 10"),
        (("constant", 1.0, 0, 0), "epochs must be"),
    ],
)
def test_refuses_what_cannot_be(arguments, message):
    with pytest.raises(ConfigError, match=message):
        gamma_at(*arguments)


def test_gradient_against_autograd():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight.view(-1)[:4] = 0.0
    params = list(model.parameters())
    images = torch.rand(5, 3)
    gamma = 0.03

    loss = model(images).square().sum()
    norm = sum(param.abs().sum() for param in params)
    expected = torch.autograd.grad(loss + gamma * norm, params)

    model(images).square().sum().backward()
    add_l1_gradient(params, gamma)
    for param, gradient in zip(params, expected, strict=True):
        assert_close(param.grad, gradient)
        assert not param.grad.requires_grad


def test_zeros_stay_and_what_the_loss_leaves_out_is_penalised():
    unused = nn.Parameter(torch.tensor([1.0, 0.0, -2.0]))
    add_l1_gradient([unused], 0.5)
    assert unused.grad.tolist() == [0.5, 0.0, -0.5]
    assert unused.tolist() == [1.0, 0.0, -2.0]


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=20),
    amount=st.floats(0, 5, width=32),
)
def test_proximal_step_against_the_closed_form(values, amount):
    param = nn.Parameter(torch.tensor(values))
    before = param.detach().double()
    expected = before.sign() * (before.abs() - amount).clamp(min=0)
    proximal_step([param], amount)
    assert_close(param.detach().double(), expected, rtol=1e-6, atol=1e-6)
    assert ((param == 0) == (before.abs() <= amount)).all()
    assert not torch.signbit(param[before.abs() <= amount]).any() or amount == 0
    assert param.requires_grad


def test_proximal_step_minimises_what_it_should():
    # prox(v) = argmin over x of (x - v)^2 / 2 + a|x|, by search over a fine grid.
    grid = torch.linspace(-2, 2, 40_001, dtype=torch.float64)
    for value in (-1.5, -0.3, 0.0, 0.2, 0.9):
        param = torch.tensor([value], dtype=torch.float64)
        proximal_step([param], 0.4)
        best = grid[((grid - value).square() / 2 + 0.4 * grid.abs()).argmin()]
        assert param.item() == pytest.approx(best.item(), abs=1e-4)
