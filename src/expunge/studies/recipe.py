"""An experiment: one dataset, one network, a grid of scenarios, sparsities, methods and seeds."""

import re
import tomllib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from expunge.config import from_mapping, to_mapping
from expunge.data.spec import DataSpec
from expunge.errors import ConfigError, shown, some, unknown
from expunge.graph.kinds.judge import Judging
from expunge.methods import all_methods, get_method
from expunge.metrics import DEFAULT_METRICS, DEFAULTS, metric_of_a_model
from expunge.models.networks import task_of
from expunge.models.spec import NetworkSettings
from expunge.models.trainings import training_for
from expunge.published import Published
from expunge.scenarios.parse import SCENARIO_KINDS, parse
from expunge.settings import PRECISIONS, Training, check_choice, check_range
from expunge.sparsity import get_pruner
from expunge.statistics.claims import Claim
from expunge.studies.claims import check_claims, parse_claims
from expunge.studies.commands import study_of
from expunge.studies.published import read_published
from expunge.studies.scales import PAPER, SCALES, at_scale, placed
from expunge.studies.searching import SEARCH, Search, parse_search, space_for
from expunge.studies.subsets import SUBSETS, part_of, read_subsets
from expunge.studies.tuning.space import Space

CHOSEN_BY = "chosen_by"
SPARSITIES = "sparsities"
METHOD = "method"
TITLE = "title"
_ABOUT = (METHOD, TITLE, CHOSEN_BY, SPARSITIES)
"""What a method's table says besides the method's settings."""
RESERVED = ("original", "retrain", "retrain_again")
"""Rows of the tables that no label may stand for."""
MAKES = "makes"
"""What of the paper a recipe makes, for listings."""
OF_STUDIES = ("attribution", "pruning", "theory")
"""Tables that a study of its own reads; a grid has no use for them."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Which recipe an experiment is of, and what of the recipe was asked for."""

    name: str
    """The name of the file, without its ending."""
    scale: str = PAPER
    only: str | None = None
    """The subset, or methods and scenarios, in the words of `--only`; None for all of it."""
    left_out: tuple[str, ...] = ()
    """What `only` leaves out, in words."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """A grid as a recipe describes it."""

    title: str
    """The title of the report."""
    data: DataSpec
    """The data to train and test on."""
    network: NetworkSettings
    """What is trained."""
    training: Training
    """How."""
    scenarios: tuple[str, ...]
    """What to forget: `class:3`, `random:0.1`, `draw:0.5:17`, `memorised:0.1`, `ids:FILE`,
    `edited:EDIT`."""
    methods: Mapping[str, Mapping[str, Any]]
    """By label: a method's settings, and `method`, its name where the label is not. A table
    `class`, `random` or the like among them holds those for one kind of scenario. `title` is what
    tables call it, `chosen_by` says how its settings were chosen, and `sparsities` at which of the
    grid's it is run, if not at all."""
    pruners: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Pruners by name, each with its settings; the dense network is always included."""
    seeds: tuple[int, ...] = (0,)
    """The whole grid is made for each."""
    precision: str = "32-true"
    """Precision of training, by Lightning Fabric's name, or `auto`: bf16 where the hardware
    supports it. Evaluation is in float32."""
    metrics: tuple[str, ...] = DEFAULT_METRICS
    """What to measure: see `expunge metrics`."""
    retrain_again: bool = False
    """Also retrain by another seed: its gap to Retrain is the floor below which a gap means
    nothing."""
    judging: Judging | None = None
    """How images that the models make are judged; for models that generate only."""
    claims: tuple[Claim, ...] = ()
    """Contrasts that are named before anything is measured, each with the smallest effect that is
    worth a claim; all else in the report is descriptive."""
    recipe: Chosen | None = None
    """The recipe's file that it was read from; None if it was not read from one."""
    published: tuple[Published, ...] = ()
    """Published values to report beside what is measured; they change nothing that is made."""

    def __post_init__(self) -> None:
        named = [parse(scenario).name for scenario in self.scenarios]
        lists: dict[str, Sequence[object]]
        lists = {"scenarios": named, "seeds": self.seeds, "metrics": self.metrics}
        for name, values in lists.items():
            if not values:
                raise ConfigError(f"{name} is empty: expected at least one")
            if len(set(values)) < len(values):
                raise ConfigError(f"{name} holds one entry twice: {list(values)}")
        for seed in self.seeds:
            check_range("a seed", seed, 0, None)
        check_choice("precision", self.precision, PRECISIONS)
        if not self.methods:
            raise ConfigError("methods is empty: expected at least one")
        self._check_labels()
        for scenario in self.scenarios:
            for label in self.methods:
                self.method_config(label, scenario)
                self.chosen_by(label, scenario)
        for pruner in self.pruners:
            self.pruner_configs(pruner)
        for label in self.methods:
            self._check_sparsities(label)
            self._check_search(label)
        self._check_cells()
        for metric in self.metrics:
            metric_of_a_model(metric)
        if not isinstance(self.retrain_again, bool):
            raise ConfigError(f"retrain_again must be true or false, got {self.retrain_again!r}")
        if self.retrain_again and "retrain" not in self.methods:
            raise ConfigError("retrain_again needs Retrain itself: add [methods.retrain]")
        check_claims(self)

    def method_of(self, label: str) -> str:
        """The name of the method with this label."""
        return str(self.methods[label].get(METHOD, label))

    def title_of(self, label: str) -> str | None:
        """What tables call the method with this label; None if the recipe does not say."""
        return self.methods[label].get(TITLE)

    def method_config(self, label: str, scenario: str) -> Any:
        """The settings in `scenario` of the method with this label.

        Raises:
            ConfigError: an unknown method or setting.
        """
        method = get_method(self.method_of(label))
        return from_mapping(method.config, self._given(label, scenario), f"methods.{label}")

    def _given(self, label: str, scenario: str) -> dict[str, Any]:
        """The settings of a method that the recipe gives in `scenario`."""
        common, special = self._method_tables(label, scenario)
        settings = {key: value for key, value in common.items() if key not in _ABOUT}
        return settings | {key: value for key, value in special.items() if key != CHOSEN_BY}

    def chosen_by(self, label: str, scenario: str) -> str | None:
        """How a method's settings in `scenario` were chosen; None if not given.

        A table for one kind of scenario has its own `chosen_by`, because its settings differ from
        those of the method's table.

        Raises:
            ConfigError: `chosen_by` is not text.
        """
        search = self.search(label)
        if search is not None:
            return search.objective
        common, special = self._method_tables(label, scenario)
        said = (special or common).get(CHOSEN_BY)
        if said is not None and not (isinstance(said, str) and said.strip()):
            raise ConfigError(
                f"methods.{label}: {CHOSEN_BY} must be a text such as 'no_oracle', got {said!r}"
            )
        return said

    def search(self, label: str) -> Search | None:
        """How the settings of the method with this label are chosen by trials; None if given.

        Raises:
            ConfigError: it is not a search.
        """
        given = self.methods[label].get(SEARCH)
        return None if given is None else parse_search(given, f"methods.{label}.{SEARCH}")

    def space(self, label: str, scenario: str) -> Space:
        """What the search of a label's settings tries in `scenario`; settings given are fixed.

        Raises:
            ConfigError: nothing is left to search, or a range does not fit the method.
        """
        search = self.search(label)
        where = f"methods.{label}.{SEARCH}"
        if search is None:
            raise ConfigError(f"{where} is not there")
        return space_for(self.method_of(label), self._given(label, scenario), search, where)

    @property
    def sparsities(self) -> tuple[float, ...]:
        """The sparsities of the grid, ascending, with 0 for the dense network."""
        found = {config.sparsity for name in self.pruners for config in self.pruner_configs(name)}
        return tuple(sorted({0.0, *found}))

    def runs_at(self, label: str, sparsity: float) -> bool:
        """Whether the method with this label is run on models of this sparsity."""
        asked = self.methods[label].get(SPARSITIES)
        return asked is None or sparsity in asked

    @property
    def cell_count(self) -> int:
        """The cells of the grid: at every level the original, and each method that is run there."""
        levels = [0.0]
        for pruner in self.pruners:
            levels += [config.sparsity for config in self.pruner_configs(pruner)]
        ran = [[each for each in self.methods if self.runs_at(each, level)] for level in levels]
        again = sum("retrain" in each for each in ran) if self.retrain_again else 0
        return len(self.seeds) * len(self.scenarios) * (len(levels) + sum(map(len, ran)) + again)

    def refuse_sparsities(self, what: str) -> None:
        """Refuse methods at some sparsities only, for a study where `what` is so at every one.

        Raises:
            ConfigError: names the method.
        """
        for label, settings in self.methods.items():
            if SPARSITIES in settings:
                raise ConfigError(
                    f"methods.{label}: {what} at every sparsity: take out {SPARSITIES}"
                )

    def refuse_labels(self, what: str) -> None:
        """Refuse labels and titles of methods, for a study where `what` is so by their names.

        Raises:
            ConfigError: names the label.
        """
        for label, settings in self.methods.items():
            for key in (METHOD, TITLE):
                if key in settings:
                    raise ConfigError(
                        f"methods.{label}: {what} once for each method, by its name: take out {key}"
                    )

    def refuse_searches(self, what: str) -> None:
        """Refuse searches of settings, for a study where `what` is so by those that are given.

        Raises:
            ConfigError: names the method.
        """
        for label, settings in self.methods.items():
            if SEARCH in settings:
                raise ConfigError(
                    f"methods.{label}: {what} with the settings that are given: take out {SEARCH}, "
                    "which is for expunge bench"
                )

    def _check_labels(self) -> None:
        """Refuse labels that tables could not tell apart, or that hide what they stand for."""
        known, titles = all_methods(), [self.methods[label].get(TITLE) for label in self.methods]
        for label, title in zip(self.methods, titles, strict=True):
            name, where = self.methods[label].get(METHOD, label), f"methods.{label}"
            if not isinstance(name, str) or name not in known:
                also = (
                    "" if METHOD in self.methods[label] else "; a label says which: method = NAME"
                )
                raise ConfigError(f"{where}: {unknown('method', name, known)}{also}")
            if name != label:
                _check_label(label, name, known)
            if title is None:
                continue
            if name == "retrain":
                raise ConfigError(f"{where}: what methods are compared with takes no {TITLE}")
            if not (isinstance(title, str) and title.strip() and "\0" not in title):
                raise ConfigError(f"{where}: {TITLE} must be a text, got {shown(title)}")
            if titles.count(title) > 1:
                raise ConfigError(f"{where}: another method has the title {shown(title)}")

    def _check_cells(self) -> None:
        """Refuse two labels of one method that would make the same cell."""
        for scenario in self.scenarios:
            for one, other in combinations(self.methods, 2):
                if self.method_of(one) != self.method_of(other):
                    continue
                at = [
                    each
                    for each in self.sparsities
                    if self.runs_at(one, each) and self.runs_at(other, each)
                ]
                settings, others = (
                    (self.method_config(each, scenario), self.search(each)) for each in (one, other)
                )
                if at and settings == others:
                    raise ConfigError(
                        f"methods.{one} and methods.{other} are the same in {scenario} at sparsity "
                        f"{some(at)}: take one out, or give it other settings"
                    )

    def _check_sparsities(self, label: str) -> None:
        """Refuse `sparsities` that are not some of the grid's."""
        asked, there = self.methods[label].get(SPARSITIES), self.sparsities
        if asked is None:
            return
        if not isinstance(asked, list) or not asked or len(set(map(str, asked))) < len(asked):
            raise ConfigError(
                f"methods.{label}: {SPARSITIES} must be a list of different ones such as "
                f"[0.0, 0.95], got {shown(asked)}"
            )
        if strange := [each for each in asked if isinstance(each, bool) or each not in there]:
            raise ConfigError(
                f"methods.{label}: {SPARSITIES} must be of the grid's, {list(there)}, "
                f"got {some(map(str, strange))}"
            )

    def _check_search(self, label: str) -> None:
        """Refuse a search on a seed of the table, or of what cannot be searched."""
        search = self.search(label)
        if search is None:
            return
        where = f"methods.{label}.{SEARCH}"
        if search.seed in self.seeds:
            raise ConfigError(
                f"{where}: seed {search.seed} is one of the table's, {list(self.seeds)}: search on "
                "another"
            )
        if self.method_of(label) == "retrain":
            raise ConfigError(f"{where}: retrain is what others are compared with")
        for scenario in self.scenarios:
            if CHOSEN_BY in {**self.methods[label], **self._method_tables(label, scenario)[1]}:
                raise ConfigError(f"{where} says what settings are {CHOSEN_BY}: leave that out")
            self.space(label, scenario)

    def _method_tables(
        self, label: str, scenario: str
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """A method's settings for all scenarios, and for those of the kind of `scenario`."""
        kinds = SCENARIO_KINDS
        given = self.methods[label]
        for key, value in given.items():
            if key in kinds and not isinstance(value, Mapping):
                raise ConfigError(
                    f"methods.{label}: {key} must be a table of settings for scenarios of this "
                    f"kind, got {shown(value)}"
                )
            if isinstance(value, Mapping) and key not in (*kinds, SEARCH):
                known = (*kinds, SEARCH)
                raise ConfigError(f"methods.{label}: {unknown('table', key, known)}")
        common = {key: value for key, value in given.items() if key not in (*kinds, SEARCH)}
        return common, given.get(scenario.partition(":")[0], {})

    def pruner_configs(self, name: str) -> tuple[Any, ...]:
        """The settings of pruner `name`; one for each sparsity, if a list is given.

        Raises:
            ConfigError: an unknown pruner or setting.
        """
        config = get_pruner(name).config
        given = dict(self.pruners[name])
        asked = given.pop("sparsity", config.sparsity)
        found = tuple(
            from_mapping(config, {**given, "sparsity": sparsity}, f"pruners.{name}")
            for sparsity in (asked if isinstance(asked, list) else [asked])
        )
        if not found or len({each.sparsity for each in found}) < len(found):
            raise ConfigError(
                f"pruners.{name}: sparsity must be one number or several different ones, "
                f"got {shown(asked)}"
            )
        return found


def _check_label(label: str, name: str, known: Container[str]) -> None:
    """Refuse a label that would be read as something else than the method that it stands for."""
    where = f"methods.{label}"
    if name == "retrain":
        raise ConfigError(
            f"{where}: {METHOD} must not be 'retrain': a grid has one Retrain to compare with, "
            "[methods.retrain]"
        )
    if label in known or label in RESERVED:
        raise ConfigError(
            f"{where}: {label!r} is a name of its own, and {METHOD} says {name!r}: choose another "
            "label"
        )
    if not re.fullmatch(r"[\w.+-]+", label):
        raise ConfigError(
            f"{where}: a label must be of letters, digits and any of _ . + -, got {shown(label)}"
        )


def read_experiment(path: Path, scale: str = PAPER, only: str | None = None) -> Experiment:
    """The experiment that a TOML file describes, at one of its scales, or a part of it.

    Raises:
        ConfigError: the file is missing, not TOML, or not an experiment, or has no such scale or
            part.
    """
    experiment, left_out = _parsed(read_recipe(path), str(path), scale, only)
    chosen = Chosen(name=path.stem, scale=scale, only=only, left_out=left_out)
    return replace(experiment, recipe=chosen)


def read_recipe(path: Path) -> str:
    """The text of a recipe.

    Raises:
        ConfigError: the file is missing, or not text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the recipe {path}: {error}") from None


def parse_experiment(
    text: str, where: str, scale: str = PAPER, only: str | None = None
) -> Experiment:
    """The experiment that TOML text describes, at one of its scales, or a part of it.

    Raises:
        ConfigError: the text is not TOML, or not an experiment, or has no such scale or part.
    """
    return _parsed(text, where, scale, only)[0]


def _parsed(
    text: str, where: str, scale: str, only: str | None
) -> tuple[Experiment, tuple[str, ...]]:
    """The experiment, and what `only` leaves out."""
    tables, where = recipe_tables(text, where, scale), placed(where, scale)
    for name in OF_STUDIES:
        tables.pop(name, None)
    given = tables.pop(SUBSETS, {})
    experiment = experiment_from(tables, where, inherits=scale != PAPER)
    subsets = read_subsets(given, experiment, where)
    return (experiment, ()) if only is None else part_of(experiment, only, subsets)


def recipe_tables(text: str, where: str, scale: str = PAPER) -> dict[str, Any]:
    """The tables of a recipe at one of its scales, without what is only said about it.

    Raises:
        ConfigError: the text is not TOML, or has no such scale.
    """
    tables = at_scale(parse_tables(text, where), scale, where)
    makes = tables.pop(MAKES, "")
    if not isinstance(makes, str):
        raise ConfigError(f"{where}: {MAKES} must be a text such as 'Table 1', got {shown(makes)}")
    return tables


def parse_tables(text: str, where: str) -> dict[str, Any]:
    """The tables of a recipe.

    Raises:
        ConfigError: the text is not TOML.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not TOML: {' '.join(str(error).split())}") from None


def experiment_from(tables: dict[str, Any], where: str, *, inherits: bool = False) -> Experiment:
    """The experiment that a recipe's tables describe.

    `inherits` says that what is published may be of another scale, with cells that this one lacks.

    Raises:
        ConfigError: they are not an experiment.
    """
    known = [each.name for each in fields(Experiment) if each.name != "recipe"]
    for name in tables:
        if name not in known:
            if (study := study_of(tables)) is not None:
                raise ConfigError(
                    f"{where} is a recipe of another command: run it by expunge {study}"
                )
            known += [*OF_STUDIES, SCALES, SUBSETS, MAKES]
            raise ConfigError(f"{where}: {unknown('setting', name, known)}")
    _read_judging(tables, where)
    parts = {"data": DataSpec, "network": NetworkSettings, "training": Training}
    for name, cls in parts.items():
        if not isinstance(tables.get(name, {}), Mapping):
            raise ConfigError(f"{where}: {name} must be a table")
        given = tables.get(name, {})
        if cls is Training:  # the file overrides the network's default training settings
            given = {**to_mapping(training_for(tables["network"].name)), **given}
        tables[name] = from_mapping(cls, given, f"{where}: {name}")
    task = task_of(tables["network"].name, tables["network"].task)
    tables.setdefault("metrics", list(DEFAULTS[task]))
    for name in ("methods", "pruners"):
        table = tables.get(name, {})
        if not isinstance(table, Mapping) or not all(
            isinstance(value, Mapping) for value in table.values()
        ):
            raise ConfigError(f"{where}: {name} must be tables such as [{name}.NAME]")
    tables["claims"] = parse_claims(tables.get("claims", []), where)
    published = tables.pop("published", [])
    experiment = from_mapping(Experiment, tables, where)
    return replace(experiment, published=read_published(published, experiment, where, inherits))


def _read_judging(tables: dict[str, Any], where: str) -> None:
    """Replace the table `judging`, and those in it, by settings."""
    if "judging" not in tables:
        return
    given = tables["judging"]
    if not isinstance(given, Mapping):
        raise ConfigError(f"{where}: judging must be a table")
    found = dict(given)
    for name, cls in (("network", NetworkSettings), ("training", Training)):
        if name in given:
            if not isinstance(given[name], Mapping):
                raise ConfigError(f"{where}: judging.{name} must be a table")
            found[name] = from_mapping(cls, given[name], f"{where}: judging.{name}")
    tables["judging"] = from_mapping(Judging, found, f"{where}: judging")


def with_overrides(
    experiment: Experiment, *, seeds: tuple[int, ...] | None = None, source: str | None = None
) -> Experiment:
    """The experiment with other seeds, or with its data read from another place.

    Data from another place lose the name that the recipe gives to its own.
    """
    if seeds is not None:
        experiment = replace(experiment, seeds=seeds)
    if source is not None:
        experiment = replace(experiment, data=replace(experiment.data, source=source, name=None))
    return experiment
