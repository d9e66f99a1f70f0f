"""Unlearning methods, one per file, and the registry `METHODS`."""

from expunge.errors import ConfigError, unknown
from expunge.methods import (
    fine_tuning,
    fisher_forgetting,
    gradient_ascent,
    influence,
    l1_sparse,
    neggrad_plus,
    random_label,
    redirect,
    retrain,
    salun,
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
    random_label.METHOD,
    salun.METHOD,
    redirect.METHOD,
)


def all_methods() -> dict[str, Method]:
    """Every method by name: `METHODS`, then the entry points in the group `expunge.methods`.

    Raises:
        ConfigError: an entry point is not a `Method`, or reuses a name.
    """
    return with_added("expunge.methods", Method, METHODS)


def get_method(name: str) -> Method:
    """The method called `name`.

    Raises:
        ConfigError: the name is unknown; lists the known ones.
    """
    methods = all_methods()
    if name not in methods:
        raise ConfigError(unknown("method", name, methods))
    return methods[name]
