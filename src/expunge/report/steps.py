"""From the published definition of a number to ours, one difference at a time, with what it costs.

What one document of results can say is computed from it; what two can that differ in nothing else,
from those; the rest is not measured, and the command that would measure it is named.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from expunge.published import UNSET, Difference, Published, differences
from expunge.report.aggregate import Scenario, aggregate
from expunge.report.costs import Cost, between, of_choice, of_definition, of_draws, of_reference
from expunge.report.draws import DRAWN
from expunge.report.wording import RETRAIN, flat, listed, with_bounds

_COPY = "expunge bench COPY"

PARTS: Mapping[str, tuple[str, ...]] = {
    "copy of the data": ("data.source", "data.name", "data.config"),
    "number of images": ("data.train_limit", "data.test_limit", "data.validation_fraction"),
    "edits of the data": ("data.edits",),
    "network": ("network",),
    "epochs": ("training.epochs",),
    "augmentation": ("training.crop_padding", "training.flip"),
    "rest of the training": ("training",),
}
"""Settings that are one difference together; one that several hold belongs to the first."""

NOTE = (
    "Points of mean gap, or of the measure that is named, with 95 % intervals over seeds. What is "
    "measured in another pair of results is what that difference costs there."
)


@dataclass(frozen=True)
class Step:
    """One difference between the published definition and ours."""

    name: str
    published: str
    ours: str
    costs: tuple[Cost, ...] = ()
    measure: str = ""
    """What would measure it, where nothing here does."""

    def to_json(self) -> dict[str, Any]:
        """As a program reads it."""
        return {
            "name": self.name,
            "published": self.published,
            "ours": self.ours,
            "costs": [cost.to_json() for cost in self.costs],
            "not_measured": None if self.costs else self.measure,
        }


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A recipe as far as its comparison with what is published needs it."""

    recipe: str
    """Its file."""
    words: str
    """Options of the command that reads it so, such as ` --scale cpu`; empty for none."""
    settings: Mapping[str, Any]
    published: Sequence[Published]
    configs: Mapping[tuple[str, str], Mapping[str, Any]]
    """By method and scenario: all settings of the method."""
    chosen_by: Mapping[tuple[str, str], str | None]
    """By method and scenario: how they were chosen."""


def steps(
    asked: Asked, results: Mapping[str, Any] | None, others: Mapping[str, Mapping[str, Any]]
) -> list[Step]:
    """The differences between what is published and what a recipe measures.

    `results` is its document, if there is one; `others` are documents by name, in which two may
    differ in just one of the settings.
    """
    scenarios = () if results is None else aggregate(results)
    measure = f"expunge bench {asked.recipe}{asked.words}"
    found = [
        *_settings(asked, others),
        *_precision(asked),
        *_methods(asked),
        *_choice(asked, results, scenarios),
        *_draws(asked, scenarios, measure),
    ]
    if any(cell.method == RETRAIN for cell in asked.published):  # else no gap is published
        found += [_reference(scenarios, measure), _definition(scenarios, measure)]
    return found


def same(asked: Asked) -> list[str]:
    """The settings that are as published."""
    differing = {each.name for each in _differing(asked)}
    named = dict.fromkeys(name for cell in asked.published for name in cell.setting)
    return [
        name
        for name in named
        if not any(each == name or each.startswith(f"{name}.") for each in differing)
    ]


def steps_text(asked: Asked, found: Sequence[Step]) -> list[str]:
    """The same for people, a line each; what is as published stands last."""
    lines = ["From the published definition to ours"]
    for number, step in enumerate(found, start=1):
        lines += ["", f"{number}. {step.name}"]
        lines += [f"   published: {step.published}", f"   ours:      {step.ours}"]
        lines += [f"   costs:     {_cost_text(cost)}" for cost in step.costs]
        if not step.costs:
            lines += ["   costs:     not measured", f"   would:     {step.measure}"]
    alike = same(asked)
    lines += ["", *([f"As published: {listed(alike)}."] if alike else []), NOTE]
    return lines


def _cost_text(cost: Cost) -> str:
    if cost.interval is None:
        return f"{cost.what}: {cost.mean:+.2f}, n = {cost.n}".replace("-", "−")
    return f"{cost.what}: {with_bounds(cost.interval, f', n = {cost.n}')}"


def _differing(asked: Asked) -> list[Difference]:
    found = {
        each.name: each
        for cell in asked.published
        for each in differences(cell.setting, asked.settings)
    }
    return list(found.values())


def _settings(asked: Asked, others: Mapping[str, Mapping[str, Any]]) -> Iterator[Step]:
    """A step for each group of settings that is not as published."""
    left = _differing(asked)
    for name, keys in {**PARTS, "other settings": ("",)}.items():
        group = [each for each in left if _within(each.name, keys)]
        left = [each for each in left if each not in group]
        if not group:
            continue
        changes = listed([_toml(each) for each in group])
        yield Step(
            name=name,
            published=_said(group, 1),
            ours=_said(group, 2),
            costs=tuple(_of_pairs(group, keys, others)),
            measure=f"run a copy of {asked.recipe} with {changes}: {_COPY}{asked.words}",
        )


def _toml(each: Difference) -> str:
    """A setting in a recipe, as it was published."""
    if each.published == UNSET:
        return f"no {each.name}"
    return f"{each.name} = {json.dumps(each.published)}"


def _within(name: str, keys: Sequence[str]) -> bool:
    return any(not key or name == key or name.startswith(f"{key}.") for key in keys)


def _said(group: Sequence[Difference], place: int) -> str:
    return ", ".join(f"{each.name.rpartition('.')[2]} {each[place]}" for each in group)


def _of_pairs(
    group: Sequence[Difference], keys: Sequence[str], others: Mapping[str, Mapping[str, Any]]
) -> Iterator[Cost]:
    """What the difference costs between two documents that differ in nothing else."""
    theirs = {each.name: each.published for each in group}
    ours = {each.name: each.ours for each in group}
    for one, published in others.items():
        if differences(theirs, published["settings"]):
            continue
        for other, document in others.items():
            if other == one or differences(ours, document["settings"]):
                continue
            if all(_within(name, keys) for name in _apart(published, document)):
                yield from between(document, published, f"{other} minus {one}")


def _apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    """The names of the settings of models in which two documents differ."""
    names = ("data", "network", "training", "precision", "methods", "pruners")
    tables = [{name: each["settings"].get(name, {}) for name in names} for each in (one, other)]
    ways = [each["pruners"] for each in tables]
    if all(isinstance(each, Mapping) for each in ways):
        # Cells pair by pruner and sparsity: what only one document has of these gives no pair.
        for table in tables:
            table["pruners"] = {
                name: {key: value for key, value in config.items() if key != "sparsity"}
                for name, config in table["pruners"].items()
                if all(name in each for each in ways)
            }
    both = [dict(flat(each)) for each in tables]
    return {key for key in {**both[0], **both[1]} if both[0].get(key) != both[1].get(key)}


def _precision(asked: Asked) -> Iterator[Step]:
    ours = asked.settings.get("precision")
    if ours is not None:
        yield Step(
            name="precision of training",
            published="not said",
            ours=str(ours),
            measure=f'run copies of {asked.recipe} with precision = "32-true" and "bf16-mixed": '
            f"{_COPY}{asked.words}",
        )


def _methods(asked: Asked) -> Iterator[Step]:
    """Methods of other settings of their own than published."""
    found: dict[str, Difference] = {}
    for cell in asked.published:
        config = asked.configs.get((cell.method, cell.scenario))
        if config is None:
            continue
        for each in differences(cell.config, config):
            name = f"{cell.method}.{each.name}"
            found.setdefault(name, each._replace(name=name))
    if found:
        yield Step(
            name="settings of methods",
            published=", ".join(f"{each.name} {each.published}" for each in found.values()),
            ours=", ".join(f"{each.name} {each.ours}" for each in found.values()),
            measure=f"run a copy of {asked.recipe} with the published ones beside its own, as "
            f"further labels: {_COPY}{asked.words}",
        )


def _choice(
    asked: Asked, results: Mapping[str, Any] | None, scenarios: Sequence[Scenario]
) -> Iterator[Step]:
    """Methods whose settings were chosen otherwise than published."""
    theirs: dict[str, str] = {}
    ours: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    for cell in asked.published:
        place = (cell.method, cell.scenario)
        if place in seen or place not in asked.chosen_by:
            continue
        seen.add(place)  # a later source may have chosen otherwise
        how = asked.chosen_by[place]
        if how != cell.chosen_by:
            name = f"{cell.method} in {cell.scenario}"
            theirs[name], ours[name] = cell.chosen_by or "given", how or "given"
    if theirs:
        yield Step(
            name="choice of settings",
            published=", ".join(f"{name}: {how}" for name, how in theirs.items()),
            ours=", ".join(f"{name}: {how}" for name, how in ours.items()),
            costs=tuple(of_choice(results, scenarios)),
            measure="add labels whose settings are chosen as published to a copy of "
            f"{asked.recipe}: {_COPY}{asked.words}",
        )


def _draws(asked: Asked, scenarios: Sequence[Scenario], measure: str) -> Iterator[Step]:
    """A published value of one draw, against a mean over draws."""
    said = {cell.draws for cell in asked.published if cell.draws and DRAWN & set(cell.values)}
    costs = [cost for scenario in scenarios for cost in of_draws(scenario)]
    counts = sorted(
        {
            draws["n"]
            for scenario in scenarios
            for group in scenario.groups.values()
            for by_seed in group.draws.values()
            for draws in by_seed.values()
        }
    )
    if said:
        ours = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else "".join(map(str, counts))
        yield Step(
            name="draws of the attacker’s sample",
            published=", ".join(map(str, sorted(said))),
            ours=f"mean over {ours or 'many'}",
            costs=tuple(costs),
            measure=measure,
        )


def _reference(scenarios: Sequence[Scenario], measure: str) -> Step:
    """To which Retrain the gap of a sparse model is."""
    return Step(
        name="reference of sparse models",
        published="Retrain at the same sparsity",
        ours="the same; to dense Retrain the mean gap would be more by",
        costs=tuple(of_reference(scenarios)),
        measure=measure,
    )


def _definition(scenarios: Sequence[Scenario], measure: str) -> Step:
    """The difference of two means, against the mean of the differences at each seed."""
    return Step(
        name="definition of the gap",
        published="difference of the means",
        ours="mean of the differences at each seed, which is more by",
        costs=tuple(of_definition(scenarios)),
        measure=f"{measure} --seeds 3" if scenarios else measure,
    )
