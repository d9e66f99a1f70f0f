import dataclasses

import pytest

from expunge.errors import ConfigError
from expunge.sparsity import PRUNERS, get_pruner
from expunge.sparsity.pruner import PruneConfig, TrainedPruneConfig


def test_defaults_are_the_papers():
    assert dataclasses.asdict(PruneConfig()) == {"sparsity": 0.95, "layers": ("auto",)}
    assert TrainedPruneConfig().rewind


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sparsity": 1}, "less than 1, got 1: no weight"),
        ({"sparsity": -0.1}, r"sparsity must be a finite number in 0\.\.1, got -0\.1"),
        ({"sparsity": float("nan")}, "sparsity must be a finite number"),
        ({"layers": ()}, "layers must name one or more of auto, conv, linear"),
        ({"layers": ("head",)}, "layers must be one of auto, conv, linear, got 'head'"),
    ],
)
def test_refuses_what_cannot_be(changes, message):
    with pytest.raises(ConfigError, match=message):
        PruneConfig(**changes)


def test_pruners_are_found_by_name():
    assert get_pruner("omp") is PRUNERS[0]
    with pytest.raises(ConfigError, match=r"unknown pruner 'opm': .*did you mean 'omp'"):
        get_pruner("opm")
