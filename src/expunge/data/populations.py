"""The populations to evaluate a model on; nothing here loads PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.errors import ConfigError, unknown

if TYPE_CHECKING:
    from expunge.data.spec import DataSpec
    from expunge.types import Dataset, Samples

POPULATIONS = ("train", "test", "validation", "triggered")
"""Their names: all training samples, after edits; all test samples; the validation samples, if the
data have any; all test samples with an edit's trigger, if the data have such an edit."""


def population_of(dataset: Dataset, name: str, spec: DataSpec) -> Samples:
    """The samples of the population `name`.

    Args:
        dataset: the data of `spec`, with or without its edits.
        name: one of `POPULATIONS`.
        spec: whose edit has the trigger.

    Raises:
        ConfigError: no population has this name, or these data do not have it.
        DataError: the trigger does not fit the test samples.
    """
    if name == "train":
        return dataset.train
    if name == "test":
        return dataset.test
    if name == "validation":
        if dataset.validation is None:
            raise ConfigError(
                f"{spec.source} has no validation samples: set validation_fraction or "
                "validation_split"
            )
        return dataset.validation
    if name == "triggered":
        return _triggered(dataset.test, spec)
    raise ConfigError(unknown("population", name, POPULATIONS))


def _triggered(test: Samples, spec: DataSpec) -> Samples:
    from expunge.data.edits.apply import triggering

    found = triggering(spec.edits)
    if found is None:
        raise ConfigError(
            f"{spec.source} has no triggered samples: add an edit that has a trigger, such as "
            "[data.edits.badnets]"
        )
    trigger, config = found
    return trigger.show(test, config)
