"""Unlearning methods, one a file, and `METHODS`."""

from expunge.errors import ConfigError, unknown
from expunge.methods import (
    fine_tuning,
    fisher_forgetting,
    gradient_ascent,
    influence,
    l1_sparse,
    neggrad_plus,
    retrain,
    scrub,
)
from expunge.methods.method import Method
from expunge.plugins import with_added

METHODS: tuple[Method, ...] = (
    retrain.METHOD,
    fine_tuning.METHOD,
    gradient_ascent.METHOD,
    fisher_forgetting.METHOD,
    influence.METHOD,
    l1_sparse.METHOD,
    neggrad_plus.METHOD,
    scrub.METHOD,
)


def all_methods() -> dict[str, Method]:
    """Every method by name: `METHODS`, then what packages add as entry points `expunge.methods`.

    Raises:
        ConfigError: an added method is no `Method`, or takes a name that is already there.
    """
    return with_added("expunge.methods", Method, METHODS)


def get_method(name: str) -> Method:
    """The method called `name`.

    Raises:
        ConfigError: there is none; lists those that there are.
    """
    methods = all_methods()
    if name not in methods:
        raise ConfigError(unknown("method", name, methods))
    return methods[name]
