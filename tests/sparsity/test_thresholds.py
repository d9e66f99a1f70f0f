import pytest
import torch
from torch import nn

from expunge.errors import MaskError
from expunge.sparsity.thresholds import THRESHOLDS, counted_weights, sparsity_at


def test_against_counting_by_hand():
    weights = [torch.tensor([[0.0, -1e-6, 5e-4]]), torch.tensor([-0.005, 0.5])]
    assert sparsity_at(weights) == {
        "0": 0.2, "1e-06": 0.4, "1e-05": 0.4, "0.0001": 0.4, "0.001": 0.6, "0.01": 0.8,
    }  # fmt: skip
    assert list(sparsity_at(weights)) == [f"{value:g}" for value in THRESHOLDS]


def test_which_weights_are_counted():
    both = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(2, 2))
    assert list(counted_weights(both)) == ["0.weight"]
    assert list(counted_weights(nn.Sequential(nn.Linear(2, 2)))) == ["0.weight"]
    mask = {name: torch.ones(1) for name in ("0.weight", "2.weight")}
    assert list(counted_weights(both, mask)) == ["0.weight", "2.weight"]
    with pytest.raises(MaskError, match="no weights"):
        counted_weights(nn.Flatten())


@pytest.mark.parametrize("named", [False, True])
def test_weights_behind_a_norm_are_counted_as_the_layer_uses_them(named):
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten(), nn.Linear(2, 2))
    nn.utils.parametrizations.weight_norm(model[0])
    nn.init.constant_(model[0].parametrizations.weight.original0, 1e-3)
    mask = {"0.parametrizations.weight.original1": torch.ones(2, 1, 1, 1) > 0} if named else None
    found = counted_weights(model, mask)
    assert list(found) == ["0.weight"]
    torch.testing.assert_close(found["0.weight"], model[0].weight)
