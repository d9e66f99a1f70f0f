"""Attributors: which training samples a prediction rests on; one per file, and `ATTRIBUTORS`."""

from expunge.attribution import ekfac, gradient_similarity, unlearning
from expunge.attribution.attributor import Attributor
from expunge.errors import ConfigError, unknown
from expunge.plugins import with_added

ATTRIBUTORS: tuple[Attributor, ...] = (
    ekfac.ATTRIBUTOR,
    gradient_similarity.ATTRIBUTOR,
    unlearning.ATTRIBUTOR,
)
"""All built-in attributors."""


def all_attributors() -> dict[str, Attributor]:
    """Every attributor by name: `ATTRIBUTORS`, then the entry points `expunge.attributors`.

    Raises:
        ConfigError: an entry point is not an `Attributor`, or reuses a name.
    """
    return with_added("expunge.attributors", Attributor, ATTRIBUTORS)


def get_attributor(name: str) -> Attributor:
    """The attributor called `name`.

    Raises:
        ConfigError: the name is unknown; lists the known ones.
    """
    attributors = all_attributors()
    if name not in attributors:
        raise ConfigError(unknown("attributor", name, attributors))
    return attributors[name]


def check_installed(attributor: Attributor) -> None:
    """Refuse an attributor whose optional package is not installed, before any work.

    Raises:
        ConfigError: it names the package.
    """
    from importlib.util import find_spec

    if attributor.package and find_spec(attributor.package) is None:
        others = ", ".join(name for name, each in all_attributors().items() if not each.package)
        raise ConfigError(
            f"{attributor.name} needs the package {attributor.package}: install "
            f"expunge[attribution], or choose one of {others}"
        )
