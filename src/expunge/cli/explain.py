"""`expunge bench RECIPE --explain`: from the published definition to ours, without a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.cli.options import show_json
from expunge.cli.output import say, tell

if TYPE_CHECKING:
    from expunge.studies.recipe import Experiment

SHIPPED = "results"
"""The folder of committed results, beside that of the recipes."""


def explain(
    recipe: Path, experiment: "Experiment", folder: Path, words: str, as_json: bool
) -> None:
    """Show the differences between what a recipe's published values are and what it measures.

    What they cost is taken from the results in `folder`, else from committed ones of the recipe.
    `words` are the options that the recipe was read with.

    Raises:
        ConfigError: the recipe names no published values.
        DataError: the results in `folder` cannot be read.
    """
    from expunge.errors import ConfigError
    from expunge.report.steps import Asked, steps, steps_text
    from expunge.studies.folder import plain

    if not experiment.published:
        raise ConfigError(f"{recipe} names no published values: add [[published]] to compare with")
    others = _committed(recipe)
    path = _results_of(experiment, folder, others)
    asked = Asked(
        recipe=str(recipe),
        words=words,
        settings=plain(experiment),
        published=experiment.published,
        configs=_by_method(experiment, "config"),
        chosen_by=_by_method(experiment, "chosen_by"),
    )
    results = None if path is None else others[path]
    found = steps(asked, results, {str(name): document for name, document in others.items()})
    if as_json:
        show_json(
            {
                "recipe": str(recipe),
                "results": None if path is None else str(path),
                "steps": [step.to_json() for step in found],
            }
        )
        return
    for line in steps_text(asked, found):
        say(line)
    say(f"Results: {'none of this recipe yet' if path is None else path}")


def _by_method(experiment: "Experiment", what: str) -> dict[tuple[str, str], Any]:
    """By method and scenario: its settings, or how they were chosen."""
    from expunge.config import to_mapping

    return {
        (label, scenario): (
            to_mapping(experiment.method_config(label, scenario))
            if what == "config"
            else experiment.chosen_by(label, scenario)
        )
        for label in experiment.methods
        for scenario in experiment.scenarios
    }


def _committed(recipe: Path) -> dict[Path, Mapping[str, Any]]:
    """The results of grids in the folder beside the recipe's; empty if there is none."""
    from expunge.report.leaderboard import read_folder

    folder = recipe.resolve().parent.parent / SHIPPED
    if not folder.is_dir():
        return {}
    found = read_folder(folder)
    for line in found.unread:
        tell(f"not read: {line}")
    return {each.path: each.document for each in found.grids}


def _results_of(
    experiment: "Experiment", folder: Path, others: dict[Path, Mapping[str, Any]]
) -> Path | None:
    """The results of the recipe at its scale: those of the folder, which join the others, first."""
    from expunge.report import load_results
    from expunge.studies.folder import RESULTS

    own = folder / RESULTS
    if own.exists():
        others[own] = load_results(own)
        return own
    chosen = experiment.recipe
    for path, document in others.items():
        said = document.get("recipe")
        scale = said.get("scale", "paper") if isinstance(said, Mapping) else "paper"
        if chosen is not None and (path.parent.name, scale) == (chosen.name, chosen.scale):
            return path
    return None
