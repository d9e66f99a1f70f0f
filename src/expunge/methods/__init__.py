"""Unlearning methods, one a file, and `METHODS`."""

from importlib.metadata import entry_points

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
    found = {method.name: method for method in METHODS}
    for entry in entry_points(group="expunge.methods"):
        method = entry.load()
        if not isinstance(method, Method):
            raise ConfigError(
                f"entry point {entry.value!r} must name an expunge.Method, got {type(method)}"
            )
        if method.name in found:
            raise ConfigError(f"entry point {entry.value!r}: method {method.name!r} exists already")
        found[method.name] = method
    return found


def get_method(name: str) -> Method:
    """The method called `name`.

    Raises:
        ConfigError: there is none; lists those that there are.
    """
    methods = all_methods()
    if name not in methods:
        raise ConfigError(unknown("method", name, methods))
    return methods[name]
