"""The settings of the attribution study: the table `[attribution]` of a recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from expunge.attribution import get_attributor
from expunge.attribution.weights import RULES, WeightsConfig
from expunge.config import from_mapping
from expunge.errors import ConfigError, unknown
from expunge.graph.targets import parse_targets
from expunge.settings import check_range
from expunge.statistics.claims import check_contrast, check_names
from expunge.studies.claims import claim_tables
from expunge.studies.recipe import (
    Chosen,
    Experiment,
    parse_experiment,
    read_recipe,
    recipe_tables,
)
from expunge.studies.scales import PAPER, placed

TABLE = "attribution"
ATTRIBUTOR = "attributor"
MEASURES = ("lds", "ua", "ra", "ta", "asr", "kept")
RANDOM, CHANCE = "random", "chance"


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """One claim, named before anything is measured: the first side is higher than the second.

    Raises:
        ConfigError: the measure lacks what says where it is taken, the effect is not positive, or
            both sides are the same.
    """

    name: str
    """The claim in words."""
    measure: Literal["lds", "ua", "ra", "ta", "asr", "kept"]
    """`lds` of two attributors at a `retained` share; or of two rules at a `share` of the weights
    in a `scenario`: a percentage after resetting them, or `kept`, the percentage that OMP keeps at
    a `sparsity`."""
    first: str
    second: str
    effect: float
    """The smallest difference worth a claim, in the measure's unit."""
    direction: Literal["lower", "higher"] = "higher"
    retained: float | None = None
    scenario: str | None = None
    share: float | None = None
    sparsity: float | None = None

    def __post_init__(self) -> None:
        needs = ["retained"] if self.measure == "lds" else ["scenario", "share"]
        needs += ["sparsity"] if self.measure == "kept" else []
        for name in needs:
            if getattr(self, name) is None:
                raise ConfigError(f"claim {self.name!r}: {self.measure} needs {name}")
        check_contrast(self.name, self.effect, self.first, self.second)


@dataclass(frozen=True, kw_only=True)
class AttributionSettings:
    """What the study measures, besides the recipe's models.

    Raises:
        ConfigError: an unknown attributor or setting, a claim about what is not measured, or two
            claims with the same name.
    """

    attributors: Mapping[str, Mapping[str, Any]]
    """By label: an attributor's settings, and `attributor`, its name where the label is not."""
    targets: str = "draw:50"
    """The test samples whose predictions are attributed."""
    retained: tuple[float, ...] = (0.5, 0.9)
    """Shares of the training samples that subset models are trained on."""
    subsets: int = 50
    """Subset models for each share."""
    again: bool = True
    """Also train the same subsets by another seed, for the ceiling."""
    memorisation: bool = True
    """Also estimate memorisation, from models of half of the samples."""
    weights: WeightsConfig = field(default_factory=WeightsConfig)
    """Which weights are reset, for each scenario of the recipe."""
    claims: tuple[Contrast, ...] = ()

    def __post_init__(self) -> None:
        parse_targets(self.targets)
        if not self.attributors:
            raise ConfigError("attributors is empty: expected at least one")
        for label in self.attributors:
            self.config(label)
        if not self.retained or len(set(self.retained)) < len(self.retained):
            raise ConfigError(f"retained must list different shares, got {list(self.retained)}")
        for share in self.retained:
            check_range("each share of retained", share, 0, 1)
            if not 0 < share < 1:
                raise ConfigError(f"each share of retained must be between 0 and 1, got {share!r}")
        check_range("subsets", self.subsets, 3, None)
        check_names([claim.name for claim in self.claims])
        for claim in self.claims:
            self._check(claim)

    def attributor(self, label: str) -> str:
        """The name of the attributor with this label."""
        return str(self.attributors[label].get(ATTRIBUTOR, label))

    def config(self, label: str) -> Any:
        """The settings of the attributor with this label.

        Raises:
            ConfigError: an unknown attributor or setting.
        """
        given = {key: value for key, value in self.attributors[label].items() if key != ATTRIBUTOR}
        config = get_attributor(self.attributor(label)).config
        return from_mapping(config, given, f"attribution.attributors.{label}")

    def _check(self, claim: Contrast) -> None:
        where = f"claim {claim.name!r}"
        rules = (*RULES, RANDOM) if claim.measure != "kept" else (*RULES, CHANCE)
        sides = tuple(self.attributors) if claim.measure == "lds" else rules
        for side in (claim.first, claim.second):
            if side not in sides:
                raise ConfigError(f"{where}: {unknown('side', side, sides)}")
        places = {
            "retained": self.retained,
            "share": self.weights.shares,
            "sparsity": self.weights.sparsities,
        }
        for name, there in places.items():
            if (asked := getattr(claim, name)) is not None and asked not in there:
                raise ConfigError(f"{where}: the study has {name} {list(there)}, got {asked}")


def read_attribution(path: Path, scale: str = PAPER) -> tuple[Experiment, AttributionSettings]:
    """The models and the study that a TOML file describes, at one of its scales.

    Raises:
        ConfigError: the file is missing, is not TOML, or has no table `[attribution]` or no such
            scale.
    """
    experiment, settings = parse_attribution(read_recipe(path), str(path), scale)
    return replace(experiment, recipe=Chosen(name=path.stem, scale=scale)), settings


def parse_attribution(
    text: str, where: str, scale: str = PAPER
) -> tuple[Experiment, AttributionSettings]:
    """The same from TOML text."""
    experiment = parse_experiment(text, where, scale)
    table = recipe_tables(text, where, scale).get(TABLE)
    where = placed(where, scale)
    if not isinstance(table, Mapping):
        raise ConfigError(
            f"{where}: expected a table [attribution] with [attribution.attributors.NAME]"
        )
    table = dict(table)
    inner = f"{where}: attribution"
    if isinstance(table.get("weights"), Mapping):
        table["weights"] = from_mapping(WeightsConfig, table["weights"], f"{inner}.weights")
    table["claims"] = tuple(
        from_mapping(Contrast, each, f"{inner}.claims")
        for each in claim_tables(table.get("claims", []), "attribution.claims", where)
    )
    settings = from_mapping(AttributionSettings, table, inner)
    for claim in settings.claims:
        if claim.scenario is not None and claim.scenario not in experiment.scenarios:
            raise ConfigError(
                f"{inner}: claim {claim.name!r}: "
                f"{unknown('scenario', claim.scenario, experiment.scenarios)}"
            )
    return experiment, settings
