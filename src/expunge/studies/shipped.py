"""The recipes that come with the package: finding them by name, and what each makes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import fsum
from pathlib import Path

from expunge.data.sources import find_source
from expunge.errors import ConfigError, DataError, unknown
from expunge.studies.commands import command_of, study_of
from expunge.studies.recipe import MAKES, parse_tables, read_experiment, read_recipe
from expunge.studies.scales import PAPER, scales_of
from expunge.studies.subsets import SUBSETS
from expunge.studies.transfer.study import read_transfer

RECIPES = Path(__file__).parent.parent / "recipes"
"""The folder of the shipped recipes."""
RESULTS = RECIPES.resolve().parent / "results"
"""The committed results, beside the recipes; only in a checkout."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One recipe at one of its scales."""

    name: str
    scale: str
    title: str
    makes: str
    """What of the paper it makes; empty if nothing."""
    command: str
    """The command that runs it, such as `expunge bench`."""
    data: str
    """Where its data are read from."""
    hub: bool
    """Whether that is the hub."""
    seeds: int
    cells: int | None
    """The models that are measured; None for studies that are not grids."""
    subsets: tuple[str, ...]
    """What `--only` takes by name."""
    seconds: float | None
    """Unlearning and retraining of all cells, as the committed results say; None without results.
    Training and pruning of the original models, and measuring, come on top."""


def shipped() -> dict[str, Path]:
    """The recipes that come with the package, by name."""
    return {path.stem: path for path in sorted(RECIPES.glob("*.toml"), key=lambda path: path.stem)}


def find_recipe(given: Path) -> Path:
    """The recipe at a path, or the shipped one of that name.

    Raises:
        ConfigError: there is no such file, and no such recipe.
    """
    if given.is_file() or given.suffix or len(given.parts) != 1:
        return given
    there = shipped()
    if given.name not in there:
        raise ConfigError(f"there is no file {given}: {unknown('recipe', given.name, there)}")
    return there[given.name]


def catalogue() -> Iterator[Listed]:
    """Every shipped recipe at every scale, in the order of their names.

    Raises:
        ConfigError: a recipe is damaged.
        DataError: a committed result cannot be read.
    """
    measured = _measured()
    for name, path in shipped().items():
        tables = parse_tables(read_recipe(path), str(path))
        for scale in scales_of(tables, str(path)):
            if study_of(tables) == "transfer":
                found = read_transfer(path, scale).experiment
            else:
                found = read_experiment(path, scale)
            command = command_of(tables, found.training)
            yield Listed(
                name=name,
                scale=scale,
                title=found.title,
                makes=str(tables.get(MAKES, "")),
                command=f"expunge {command}",
                data=found.data.source,
                hub=_from_hub(found.data.source),
                seeds=len(found.seeds),
                cells=found.cell_count if command == "bench" else None,
                subsets=tuple(tables.get(SUBSETS, {})),
                seconds=measured.get((name, scale)),
            )


def _from_hub(source: str) -> bool:
    try:
        return find_source(source).name == "hub"
    except DataError:  # a folder that is not here
        return False


def _measured() -> dict[tuple[str, str], float]:
    """By recipe and scale, the seconds of unlearning in the committed results of whole grids."""
    found = {}
    for path in sorted(RESULTS.glob("*/*.json")):
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"cannot read results {path}: {error}") from None
        if path.parent.name not in shipped() or "cells" not in document:
            continue
        # Documents of before they named their recipe lie in its folder.
        recipe = document.get("recipe", {"name": path.parent.name, "scale": PAPER, "only": None})
        if recipe["only"] is None:
            seconds = fsum(cell["rte_s"] or 0.0 for cell in document["cells"])
            found[recipe["name"], recipe["scale"]] = seconds
    return found
