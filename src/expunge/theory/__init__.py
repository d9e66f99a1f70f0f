"""The sparsity theorem: SGD paths from one start, and what its bound is made of."""

from expunge.theory.bound import (
    check_plain_sgd,
    departures_from_theorem,
    steps_of,
    unlearning_error_bound,
)
from expunge.theory.hessian import HessianConfig, MaskedHessian, largest_singular_value
from expunge.theory.normalisation import fix_normalisation, set_statistics
from expunge.theory.paths import add_back, path_batches, walk

__all__ = [
    "HessianConfig",
    "MaskedHessian",
    "add_back",
    "check_plain_sgd",
    "departures_from_theorem",
    "fix_normalisation",
    "largest_singular_value",
    "path_batches",
    "set_statistics",
    "steps_of",
    "unlearning_error_bound",
    "walk",
]
