import copy

import pytest
import torch

from expunge.methods.fisher_forgetting import FisherForgettingConfig, fisher_forgetting
from expunge.methods.influence import InfluenceConfig, influence_unlearning
from expunge.scenarios import by_class, make_split
from expunge.theory.config import HessianConfig
from expunge.theory.hessian import largest_singular_value
from expunge.theory.paths import add_back, walk
from expunge.training.predict import predict
from expunge.training.reproducibility import full_float32


def settings():
    return torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32


@pytest.fixture(params=[(True, False), (True, True), (False, False)])
def before(request):
    there = settings()
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = request.param
    yield request.param
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = there


def test_nothing_is_rounded_inside_and_all_is_as_before_outside(before):
    def inside():
        with full_float32():
            assert settings() == (False, False)
            raise KeyError

    with pytest.raises(KeyError):
        inside()
    assert settings() == before


def test_predictions_are_not_rounded(before, network, samples, fabric):
    seen = []
    network.register_forward_hook(lambda *_: seen.append(settings()))
    predict(network, samples, fabric)
    assert set(seen) == {(False, False)}


FORGET = torch.arange(5)
BATCHES = [torch.arange(20)]


@pytest.mark.parametrize(
    "compute",
    [
        lambda net, data, split, context: fisher_forgetting(
            net, split, FisherForgettingConfig(), context
        ),
        lambda net, data, split, context: influence_unlearning(
            net, split, InfluenceConfig(samples=10), context
        ),
        lambda net, data, split, context: largest_singular_value(
            net, data, HessianConfig(samples=10, tolerance=0.1), context
        ),
        lambda net, data, split, context: walk(net, data, BATCHES, 0.01, context),
        lambda net, data, split, context: add_back(
            copy.deepcopy(net), net, data, BATCHES, 0.01, FORGET, context
        ),
    ],
    ids=["ff", "iu", "sharpness", "walk", "add back"],
)
def test_curvature_and_theory_are_not_rounded(compute, before, network, samples, context):
    seen = []
    # Copies of the network keep the hook.
    network.register_forward_hook(lambda *_: seen.append(settings()))
    compute(network, samples, make_split(samples, by_class(1)), context)
    assert set(seen) == {(False, False)}
    assert settings() == before
