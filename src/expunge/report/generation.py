"""Images that models make, class by class, before and after unlearning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from expunge.errors import DataError
from expunge.report.wording import level_label, printable

if TYPE_CHECKING:
    from expunge.report.aggregate import Scenario

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, kw_only=True)
class Made:
    """What one model makes."""

    level: str
    method: str
    images: tuple[tuple[str, ...], ...]
    """For every class, PNG in base64; empty if the model has diverged."""


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The images of a scenario, of the models of one seed."""

    seed: int
    classes: tuple[str, ...]
    forgotten: tuple[bool, ...]
    """Of each class, whether it was forgotten as a whole."""
    models: tuple[Made, ...]


def grid_of(scenario: Scenario, results: Mapping[str, Any]) -> Grid | None:
    """The images of a scenario, dense models first; None if the document has none."""
    for shown in results.get("images", ()):
        if shown["scenario"] == scenario.name:
            return Grid(
                seed=shown["seed"],
                classes=tuple(map(printable, shown["classes"])),
                forgotten=tuple(shown["forgotten"]),
                models=tuple(
                    Made(
                        level=level_label(each["pruner"], float(each["sparsity"])),
                        method=scenario.title(each["method"]),
                        images=tuple(map(tuple, each["images"] or ())),
                    )
                    for each in sorted(shown["models"], key=lambda each: float(each["sparsity"]))
                ),
            )
    return None


def check_images(images: object, source: str) -> None:
    """Refuse images that the report could not show.

    Raises:
        DataError: names the place and what was expected.
    """
    if not isinstance(images, list):
        raise DataError(f"{source}: images must be a list")
    for index, shown in enumerate(images):
        place = f"{source}: images {index}"
        if not isinstance(shown, dict):
            raise DataError(f"{place}: expected an object")
        seed = shown.get("seed")
        if not isinstance(shown.get("scenario"), str) or type(seed) is not int:
            raise DataError(f"{place}: expected a scenario and a seed")
        classes: Any = shown.get("classes")
        models: Any = shown.get("models")
        if not _are(str, classes) or not _are(bool, shown.get("forgotten"), len(classes)):
            raise DataError(f"{place}: expected names of classes, and for each if it is forgotten")
        if not (isinstance(models, list) and all(_is_made(each, len(classes)) for each in models)):
            raise DataError(
                f"{place}: models must have a pruner, a sparsity, a method and images in base64 "
                f"of {len(classes)} classes"
            )


def _are(kind: type, values: Any, count: int | None = None) -> bool:
    return (
        isinstance(values, list)
        and all(type(each) is kind for each in values)
        and count in (None, len(values))
    )


def _is_made(value: object, count: int) -> bool:
    if not isinstance(value, dict) or "images" not in value:
        return False
    images = value["images"]
    return (
        isinstance(value.get("pruner"), str)
        and isinstance(value.get("method"), str)
        and type(value.get("sparsity")) in (int, float)
        and (
            images is None
            or (
                isinstance(images, list)
                and len(images) == count
                and all(_are(str, each) and all(map(_BASE64.fullmatch, each)) for each in images)
            )
        )
    )
