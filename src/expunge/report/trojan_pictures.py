"""Test images without and with a trigger or mark in a report, and what models say of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from expunge.errors import DataError
from expunge.report.wording import MISSING, level_label, printable

if TYPE_CHECKING:
    from expunge.report.aggregate import Scenario

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """An image, twice."""

    label: str
    clean: str
    """PNG in base64."""
    triggered: str


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a model calls an image."""

    clean: str
    triggered: str
    fooled: bool
    """Whether the trigger changes it."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a model says of every image."""

    level: str
    method: str
    says: tuple[Said, ...]


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The images of a scenario, and the models of one seed."""

    seed: int
    shown_with: str
    """What the second image of each sample has: the trigger, or a mark."""
    samples: tuple[Sample, ...]
    rows: tuple[Row, ...]


def pictures_of(scenario: Scenario, results: Mapping[str, Any]) -> Pictures | None:
    """The pictures of a scenario; None if the document has none."""
    for shown in results.get("pictures", ()):
        if shown["scenario"] == scenario.name:
            return Pictures(
                seed=shown["seed"],
                shown_with=printable(shown.get("with", "the trigger")),
                samples=tuple(
                    Sample(
                        label=printable(each["label"]),
                        clean=each["clean"],
                        triggered=each["triggered"],
                    )
                    for each in shown["samples"]
                ),
                rows=tuple(
                    _row(scenario, each, len(shown["samples"]))
                    for each in sorted(shown["says"], key=lambda each: float(each["sparsity"]))
                ),
            )
    return None


def _row(scenario: Scenario, said: Mapping[str, Any], count: int) -> Row:
    clean, triggered = (said[name] or [MISSING] * count for name in ("clean", "triggered"))
    return Row(
        level=level_label(said["pruner"], float(said["sparsity"])),
        method=scenario.title(said["method"]),
        says=tuple(
            Said(clean=printable(one), triggered=printable(other), fooled=one != other)
            for one, other in zip(clean, triggered, strict=True)
        ),
    )


def check_pictures(pictures: object, source: str) -> None:
    """Refuse pictures that the report could not show.

    Raises:
        DataError: names the place and what was expected.
    """
    if not isinstance(pictures, list):
        raise DataError(f"{source}: pictures must be a list")
    for index, shown in enumerate(pictures):
        place = f"{source}: pictures {index}"
        if not isinstance(shown, dict):
            raise DataError(f"{place}: expected an object")
        samples, says = shown.get("samples"), shown.get("says")
        if not (isinstance(shown.get("scenario"), str) and _is_int(shown.get("seed"))):
            raise DataError(f"{place}: expected a scenario and a seed")
        if not isinstance(shown.get("with", ""), str):
            raise DataError(f"{place}: with must be text")
        if not (isinstance(samples, list) and all(map(_is_sample, samples))):
            raise DataError(f"{place}: samples must have a label and two images in base64")
        if not (isinstance(says, list) and all(_is_said(each, len(samples)) for each in says)):
            raise DataError(
                f"{place}: says must have a pruner, a sparsity, a method and {len(samples)} "
                "classes each of clean and triggered"
            )


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_sample(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("label"), str)
        and all(
            isinstance(value.get(name), str) and _BASE64.fullmatch(value[name]) is not None
            for name in ("clean", "triggered")
        )
    )


def _is_said(value: object, count: int) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("pruner"), str)
        and isinstance(value.get("method"), str)
        and isinstance(value.get("sparsity"), int | float)
        and not isinstance(value.get("sparsity"), bool)
        and all(_are_classes(value.get(name, ()), count) for name in ("clean", "triggered"))
    )


def _are_classes(value: object, count: int) -> bool:
    if value is None:
        return True
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(each, str) for each in value)
    )
