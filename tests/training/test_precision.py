import pytest
import torch

from expunge.training.precision import full_float32
from expunge.training.predict import predict


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
