"""Apply the edits that a `DataSpec` names; their settings and trigger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from expunge.config import from_mapping
from expunge.data.edits import get_edit
from expunge.data.edits.edit import Marks, Trigger
from expunge.errors import ConfigError, DataError
from expunge.settings import derive_seed

if TYPE_CHECKING:
    from expunge.data.facts import Facts
    from expunge.data.spec import DataSpec
    from expunge.types import Dataset

Edits = Mapping[str, Mapping[str, Any]]
"""Settings of edits by their names."""


def edit_configs(edits: Edits) -> dict[str, Any]:
    """The settings of each edit, in alphabetical order, which is the order of application.

    Raises:
        ConfigError: an unknown edit or setting, a setting out of range, or two edits with triggers
            or with marks.
    """
    for name, settings in edits.items():
        if not isinstance(settings, Mapping):
            raise ConfigError(
                f"edits.{name} must be a table of settings, like [data.edits.{name}], "
                f"got {settings!r}"
            )
    configs = {
        name: from_mapping(get_edit(name).config, edits[name], f"edits.{name}")
        for name in sorted(edits)
    }
    triggers = [name for name in configs if get_edit(name).trigger is not None]
    if len(triggers) > 1:
        raise ConfigError(
            f"one edit with a trigger at most, got {', '.join(triggers)}: the population triggered "
            "would not be one"
        )
    marked = [name for name in configs if get_edit(name).marks is not None]
    if len(marked) > 1:
        raise ConfigError(
            f"one edit with marks at most, got {', '.join(marked)}: the population groups would "
            "not be one"
        )
    return configs


def apply_edits(dataset: Dataset, spec: DataSpec) -> tuple[Dataset, dict[str, tuple[str, ...]]]:
    """The data with edited training samples, and the ids that each edit changed, by its name.

    Test and validation samples stay as they are. Without edits, the dataset is returned itself.

    Raises:
        ConfigError: an edit does not fit the data.
        DataError: an edit is of another kind of data, or changed which samples there are.
    """
    touched = {}
    for name, config in edit_configs(spec.edits).items():
        edited = get_edit(name).run(dataset.train, config, derive_seed(spec.seed, f"edit {name}"))
        ids = edited.samples.ids
        if ids[: len(dataset.train)] != dataset.train.ids or len(set(ids)) < len(ids):
            raise DataError(
                f"edit {name} changed the ids of samples: an edit must keep them, and may add "
                "samples with new ids after them"
            )
        dataset = replace(dataset, train=edited.samples)
        touched[name] = edited.touched
    return dataset, touched


def triggering(edits: Edits) -> tuple[Trigger, Any] | None:
    """The trigger of the edit that has one, and the settings of this edit.

    Raises:
        ConfigError: as `edit_configs`.
    """
    for name, config in edit_configs(edits).items():
        trigger = get_edit(name).trigger
        if trigger is not None:
            return trigger, config
    return None


def marking(edits: Edits) -> tuple[Marks, Any] | None:
    """The marks of the edit that has some, and the settings of this edit.

    Raises:
        ConfigError: as `edit_configs`.
    """
    for name, config in edit_configs(edits).items():
        marks = get_edit(name).marks
        if marks is not None:
            return marks, config
    return None


def check_fit(edits: Edits, facts: Facts) -> None:
    """Refuse edits that do not fit the data, by what each edit checks of them.

    Raises:
        ConfigError, DataError: an edit does not fit.
    """
    for name, config in edit_configs(edits).items():
        check = get_edit(name).check
        if check is not None:
            check(config, facts)


def trigger_for(edits: Edits, classes: int) -> tuple[Trigger, Any]:
    """The trigger of the edit that has one, and its settings, for data of so many classes.

    Raises:
        ConfigError: not one edit with a trigger, or its target is no class.
    """
    found = triggering(edits)
    if found is None:
        raise ConfigError(f"an edit without a trigger: {', '.join(edits)}; badnets has one")
    trigger, config = found
    target = trigger.target(config)
    if not 0 <= target < classes:
        raise ConfigError(f"trigger: target must be a class in 0..{classes - 1}, got {target}")
    return trigger, config


def check_trigger(edits: Edits, facts: Facts) -> None:
    """Refuse a trigger that cannot be put on these data, or whose target they do not have.

    Raises:
        ConfigError: not one edit with a trigger; the trigger does not fit, or its target is no
            class.
        DataError: the trigger is of another kind of data.
    """
    import numpy as np

    from expunge.data.arrays import as_samples

    trigger, config = trigger_for(edits, len(facts.class_names))
    check_fit(edits, facts)
    if facts.kind == "images":
        # An edit of one's own may have no check.
        blank = np.zeros((2, *facts.shape), dtype=np.uint8)
        trigger.show(as_samples((blank, [0, 1]), name="blank"), config)


def target_of(edits: Edits) -> int | None:
    """The target class of triggered samples; None if no edit has a trigger.

    Raises:
        ConfigError: as `edit_configs`.
    """
    found = triggering(edits)
    return None if found is None else found[0].target(found[1])
