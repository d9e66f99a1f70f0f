"""An experiment: one dataset, one network, a grid of scenarios, sparsities, methods and seeds."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from expunge.config import from_mapping, to_mapping
from expunge.data.spec import DataSpec
from expunge.errors import ConfigError, shown, some, unknown
from expunge.graph.kinds.judge import Judging
from expunge.methods import get_method
from expunge.metrics import DEFAULT_METRICS, DEFAULTS, metric_of_a_model
from expunge.models.networks import task_of
from expunge.models.spec import NetworkSettings
from expunge.models.trainings import training_for
from expunge.scenarios.parse import SCENARIO_KINDS, parse
from expunge.settings import PRECISIONS, Training, check_choice, check_range
from expunge.sparsity import get_pruner
from expunge.statistics.claims import Claim
from expunge.studies.claims import check_claims, parse_claims

CHOSEN_BY = "chosen_by"
SPARSITIES = "sparsities"
OF_STUDIES = ("attribution",)
"""Tables that a study of its own reads; a grid has no use for them."""


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
    """Methods by name, each with its settings; a table `class`, `random` or the like among them
    holds those for one kind of scenario. `chosen_by` among them says how they were chosen, and
    `sparsities` at which of the grid's the method is run, if not at all."""
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

    def __post_init__(self) -> None:
        lists = {"scenarios": self.scenarios, "seeds": self.seeds, "metrics": self.metrics}
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
        for scenario in self.scenarios:
            parse(scenario)
            for method in self.methods:
                self.method_config(method, scenario)
                self.chosen_by(method, scenario)
        for pruner in self.pruners:
            self.pruner_configs(pruner)
        for method in self.methods:
            self._check_sparsities(method)
        for metric in self.metrics:
            metric_of_a_model(metric)
        if not isinstance(self.retrain_again, bool):
            raise ConfigError(f"retrain_again must be true or false, got {self.retrain_again!r}")
        if self.retrain_again and "retrain" not in self.methods:
            raise ConfigError("retrain_again needs Retrain itself: add [methods.retrain]")
        check_claims(self)

    def method_config(self, name: str, scenario: str) -> Any:
        """The settings of method `name` in `scenario`.

        Raises:
            ConfigError: an unknown method or setting.
        """
        method = get_method(name)
        common, special = self._method_tables(name, scenario)
        settings = {**common, **special}
        settings.pop(CHOSEN_BY, None)
        return from_mapping(method.config, settings, f"methods.{name}")

    def chosen_by(self, name: str, scenario: str) -> str | None:
        """How the settings of method `name` in `scenario` were chosen; None if not given.

        A table for one kind of scenario has its own `chosen_by`, because its settings differ from
        those of the method's table.

        Raises:
            ConfigError: `chosen_by` is not text.
        """
        common, special = self._method_tables(name, scenario)
        said = (special or common).get(CHOSEN_BY)
        if said is not None and not (isinstance(said, str) and said.strip()):
            raise ConfigError(
                f"methods.{name}: {CHOSEN_BY} must be a text such as 'no_oracle', got {said!r}"
            )
        return said

    @property
    def sparsities(self) -> tuple[float, ...]:
        """The sparsities of the grid, ascending, with 0 for the dense network."""
        found = {config.sparsity for name in self.pruners for config in self.pruner_configs(name)}
        return tuple(sorted({0.0, *found}))

    def runs_at(self, name: str, sparsity: float) -> bool:
        """Whether method `name` is run on models of this sparsity."""
        asked = self.methods[name].get(SPARSITIES)
        return asked is None or sparsity in asked

    def refuse_sparsities(self, what: str) -> None:
        """Refuse methods at some sparsities only, for a study where `what` is so at every one.

        Raises:
            ConfigError: names the method.
        """
        for name, settings in self.methods.items():
            if SPARSITIES in settings:
                raise ConfigError(
                    f"methods.{name}: {what} at every sparsity: take out {SPARSITIES}"
                )

    def _check_sparsities(self, name: str) -> None:
        """Refuse `sparsities` that are not some of the grid's."""
        asked, there = self.methods[name].get(SPARSITIES), self.sparsities
        if asked is None:
            return
        if not isinstance(asked, list) or not asked or len(set(map(str, asked))) < len(asked):
            raise ConfigError(
                f"methods.{name}: {SPARSITIES} must be a list of different ones such as "
                f"[0.0, 0.95], got {shown(asked)}"
            )
        if strange := [each for each in asked if isinstance(each, bool) or each not in there]:
            raise ConfigError(
                f"methods.{name}: {SPARSITIES} must be of the grid's, {list(there)}, "
                f"got {some(map(str, strange))}"
            )

    def _method_tables(
        self, name: str, scenario: str
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """A method's settings for all scenarios, and for those of the kind of `scenario`."""
        kinds = SCENARIO_KINDS
        given = self.methods[name]
        for key, value in given.items():
            if key in kinds and not isinstance(value, Mapping):
                raise ConfigError(
                    f"methods.{name}: {key} must be a table of settings for scenarios of this "
                    f"kind, got {shown(value)}"
                )
            if isinstance(value, Mapping) and key not in kinds:
                raise ConfigError(f"methods.{name}: {unknown('kind of scenario', key, kinds)}")
        common = {key: value for key, value in given.items() if key not in (*kinds, SPARSITIES)}
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


def read_experiment(path: Path) -> Experiment:
    """The experiment that a TOML file describes.

    Raises:
        ConfigError: the file is missing, not TOML, or not an experiment.
    """
    return parse_experiment(read_recipe(path), str(path))


def read_recipe(path: Path) -> str:
    """The text of a recipe.

    Raises:
        ConfigError: the file is missing, or not text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the recipe {path}: {error}") from None


def parse_experiment(text: str, where: str) -> Experiment:
    """The experiment that TOML text describes.

    Raises:
        ConfigError: the text is not TOML, or not an experiment.
    """
    tables = parse_tables(text, where)
    for name in OF_STUDIES:
        tables.pop(name, None)
    return experiment_from(tables, where)


def parse_tables(text: str, where: str) -> dict[str, Any]:
    """The tables of a recipe.

    Raises:
        ConfigError: the text is not TOML.
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not TOML: {' '.join(str(error).split())}") from None


def experiment_from(tables: dict[str, Any], where: str) -> Experiment:
    """The experiment that a recipe's tables describe.

    Raises:
        ConfigError: they are not an experiment.
    """
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
    return from_mapping(Experiment, tables, where)


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
    """The experiment with other seeds, or with its data read from another place."""
    if seeds is not None:
        experiment = replace(experiment, seeds=seeds)
    if source is not None:
        experiment = replace(experiment, data=replace(experiment.data, source=source))
    return experiment
