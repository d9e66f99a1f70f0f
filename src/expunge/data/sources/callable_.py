"""A custom function that returns the data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.callables import find_callable, user_code
from expunge.data.sources.source import Role, Source
from expunge.data.spec import OF_COLUMNS, OF_IMAGES, OF_SPLITS, DataSpec, refuse
from expunge.errors import DataError

if TYPE_CHECKING:
    from expunge.types import Samples

_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def load_from_callable(spec: DataSpec, cache: Path) -> dict[Role, Samples]:
    """A `Dataset`, or a pair (train, test) of what `as_samples` takes.

    Raises:
        ConfigError: a setting of columns, splits or images is given.
        DataError: it cannot be imported, fails, or returns something else.
    """
    from expunge.data.arrays import table_of
    from expunge.data.tables import join
    from expunge.types import Dataset, Samples

    refuse(spec, *OF_COLUMNS, *OF_SPLITS, *OF_IMAGES)
    make = find_callable(spec.source, DataError)
    with user_code(f"{spec.source!r} raised", DataError):
        made = make()
    name = spec.name or spec.source
    if isinstance(made, Dataset):
        whole: dict[Role, Samples | None] = {
            "train": made.train,
            "test": made.test,
            "validation": made.validation,
        }
        return {role: samples for role, samples in whole.items() if samples is not None}
    if not isinstance(made, tuple | list) or len(made) != 2:
        raise DataError(
            f"{spec.source!r} must return a Dataset or a pair (train, test), "
            f"got {type(made).__name__}"
        )
    train, test = made
    if isinstance(train, Samples) and isinstance(test, Samples):
        return {"train": train, "test": test}
    parts: dict[Role, Any] = {"train": train, "test": test}
    return join(
        {
            role: table_of(part, where=f"{spec.source}, {role}", raw_pixels=spec.raw_pixels)
            for role, part in parts.items()
        },
        name,
    )


SOURCE = Source(
    name="callable",
    form="package.module:callable",
    recognises=lambda source: bool(_NAME.fullmatch(source)),
    load=load_from_callable,
)
