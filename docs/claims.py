"""Tables of claims for the page of results: what `claims.toml` lists, judged by the results.

A claim of the paper, or of an application, has tests. A test names a recipe, and a claim of that
recipe; every result of the recipe answers it. Verdicts, figures and n are computed, never written.
"""

import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from expunge.config import from_mapping
from expunge.errors import ConfigError, unknown
from expunge.report import load_results
from expunge.report.attribution import load_attribution
from expunge.report.pruning import load_pruning
from expunge.report.theory import load_theory
from expunge.report.verdicts import (
    OPEN,
    QUANTITIES,
    Answer,
    TheoryContrast,
    of_grid,
    of_study,
    of_theory,
    together,
)
from expunge.runs import read_document
from expunge.statistics.claims import Claim
from expunge.studies.commands import command_of, study_of
from expunge.studies.recipe import (
    Experiment,
    parse_tables,
    read_experiment,
    read_recipe,
    recipe_tables,
)
from expunge.studies.scales import PAPER, scales_of

ROOT = Path(__file__).parent.parent
CLAIMS = ROOT / "docs" / "claims.toml"
NOT_RUN, UNTESTABLE = "not run", "not testable here"
OF_STUDIES = {
    "attribution": load_attribution,
    "pruning": load_pruning,
    "theory": load_theory,
    "transfer": read_document,
}
"""Studies that are not grids, and what reads their documents."""
_KEYS = {"recipe", "scale", "claim", "theory", "untestable", "command"}
SCALE = "cpu"
"""The scale to run where a recipe has it; its own is the paper's, for a GPU."""


def listed(part: str) -> list[dict]:
    """The claims of a part of `claims.toml`: `paper` or `applications`."""
    claims = tomllib.loads(CLAIMS.read_text(encoding="utf-8"))[part]
    for claim in claims:
        for test in claim["tests"]:
            for key in test.keys() - _KEYS:
                raise ConfigError(f"{CLAIMS.name}: {claim['text']}: {unknown('key', key, _KEYS)}")
    return claims


class Row(NamedTuple):
    """A test, and what one result says of it."""

    test: str
    verdict: str
    named: str = ""
    """Empty for a claim that was named beforehand."""
    figure: str = "—"
    n: str = "—"
    command: str = "—"


def overview(part: str) -> str:
    """One row for each claim: the verdict of its tests together, and how many there are of each."""
    lines = ["| claim | verdict | tests |", "|---|---|---|"]
    for number, claim in enumerate(listed(part), start=1):
        found = list(rows(claim))
        verdicts = [row.verdict for row in found]
        shown = ", ".join(_counted(name, found) for name in dict.fromkeys(verdicts))
        lines.append(f"| {number}. {claim['text']} | {_together(verdicts)} | {shown} |")
    return "\n".join(lines)


def _counted(verdict: str, found: list[Row]) -> str:
    """How many tests have a verdict, and how many of these were not named beforehand."""
    here = [row for row in found if row.verdict == verdict]
    late = sum(1 for row in here if row.named)
    text = f"{len(here)} {verdict}"
    return f"{text} ({late} not named beforehand)" if late else text


def tests(part: str) -> str:
    """For each claim, its tests: verdict, figure, n and command."""
    lines = []
    for number, claim in enumerate(listed(part), start=1):
        lines += [f"**{number}. {claim['text']}**", ""]
        lines += ["| test | verdict | figure | n | command |", "|---|---|---|--:|---|"]
        for row in rows(claim):
            cells = (row.test, row.verdict + row.named, row.figure, row.n, row.command)
            # A bar would end a cell.
            lines.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def _together(verdicts: list[str]) -> str:
    """One verdict for all tests; a test that was not run leaves it open."""
    here = [each for each in verdicts if each != UNTESTABLE]
    if not here:
        return UNTESTABLE
    if set(here) == {NOT_RUN}:
        return NOT_RUN
    return together([OPEN if each == NOT_RUN else each for each in here])


def rows(claim: dict) -> Iterator[Row]:
    """A row for each test and each result that answers it; one that says so where none does."""
    for test in claim["tests"]:
        if "untestable" in test:
            needs = f"`{test['command']}`" if "command" in test else "—"
            yield Row(test["untestable"], UNTESTABLE, command=needs)
            continue
        name = test.get("claim", "Forgetting harmful source classes helps a transfer")
        answers = list(_answers(test))
        for path, document, answer in answers:
            scale = document.get("recipe", {}).get("scale")
            which = ", ".join(each for each in (scale, path.stem) if each is not None)
            yield Row(
                test=name + (f" ({which})" if len(answers) > 1 else ""),
                verdict=answer.verdict,
                named="" if answer.beforehand else " (not named beforehand)",
                figure=answer.figure,
                n=str(answer.n),
                command=f"`{re.sub(r' --out [^ ]+', '', document['reproduce'])}`",
            )
        if not answers:
            yield Row(name, NOT_RUN, command=f"`{command(test['recipe'], test.get('scale'))}`")


def _answers(test: dict) -> Iterator[tuple[Path, dict, Answer]]:
    """What every result of a test's recipe says of it, at whatever scale."""
    recipe = ROOT / "recipes" / f"{test['recipe']}.toml"
    answered = _reader(recipe, test)
    for path in sorted((ROOT / "results" / recipe.stem).glob("*.json")):
        document, answer = answered(path)
        if answer is not None:
            yield path, document, answer


def _reader(recipe: Path, test: dict) -> Callable[[Path], tuple[dict, Answer | None]]:
    """Reads a result of a recipe, and what it says of a test.

    Raises:
        ConfigError: the recipe has no such claim, or does not measure what is compared.
    """
    found = recipe_at(recipe)
    if "theory" in test:
        contrast = from_mapping(TheoryContrast, test["theory"], f"{CLAIMS.name}: theory")
        _check_contrast(contrast, found, recipe.name)
        return _reading(load_theory, lambda document: of_theory(document, contrast))
    # A transfer has one claim, which has no name.
    if found.kind != "transfer" and test.get("claim") not in found.named:
        raise ConfigError(f"{recipe.name}: {unknown('claim', test.get('claim', ''), found.named)}")
    if found.kind in OF_STUDIES:
        load = OF_STUDIES[found.kind]
        return _reading(load, lambda document: of_study(document, test.get("claim")))
    claim = found.claims[test["claim"]]
    return _reading(load_results, lambda document: of_grid(document, claim))


def _check_contrast(contrast: TheoryContrast, recipe: "Recipe", name: str) -> None:
    """Refuse a contrast of what the recipe does not measure: it would stand there as not run."""
    there = recipe.experiment
    if there is None:
        raise ConfigError(f"{name}: expected a recipe of the theorem, got one of {recipe.kind}")
    for what, asked, known in (
        ("scenario", contrast.scenario, there.scenarios),
        ("pruner", contrast.pruner, there.pruners),
        ("quantity", contrast.quantity, (*QUANTITIES, *there.methods)),
    ):
        if asked not in known:
            raise ConfigError(f"{name}: {unknown(what, asked, known)}")


def _reading(
    load: Callable[[Path], dict], answer: Callable[[dict], Answer | None]
) -> Callable[[Path], tuple[dict, Answer | None]]:
    def read(path: Path) -> tuple[dict, Answer | None]:
        document = _loaded(load, path, path.stat().st_mtime_ns)
        return document, answer(document)

    return read


@cache
def _loaded(load: Callable[[Path], dict], path: Path, _changed: int) -> dict:
    """A result, which many tests read."""
    return load(path)


class Recipe(NamedTuple):
    """What this page needs to know of a recipe."""

    kind: str
    """The command that it is for."""
    scales: tuple[str, ...]
    named: tuple[str, ...]
    """The names of its claims, at any scale."""
    experiment: Experiment | None
    """What it measures; None for a study that is not one of methods."""

    @property
    def claims(self) -> dict[str, Claim]:
        """Those of a grid, by name."""
        there = () if self.experiment is None else self.experiment.claims
        return {claim.name: claim for claim in there}


def recipe_at(path: Path) -> Recipe:
    """A recipe; it is read once."""
    text = read_recipe(path)
    return _recipe(path, text)


@cache
def _recipe(path: Path, text: str) -> Recipe:
    tables = parse_tables(text, path.name)
    scales = scales_of(tables, path.name)
    study = study_of(tables)
    if study is not None:
        return Recipe(study, scales, _named(study, text, path, scales), None)
    experiment = read_experiment(path)
    kind = command_of(tables, experiment.training)
    if kind in OF_STUDIES:
        return Recipe(kind, scales, _named(kind, text, path, scales), experiment)
    return Recipe(kind, scales, tuple(each.name for each in experiment.claims), experiment)


def _named(study: str, text: str, path: Path, scales: tuple[str, ...]) -> tuple[str, ...]:
    """The names of a study's claims at all scales: seeds that were seen may have none."""
    tables = (recipe_tables(text, path.name, scale).get(study, {}) for scale in scales)
    return tuple(dict.fromkeys(each["name"] for of in tables for each in of.get("claims", [])))


def command(name: str, scale: str | None = None) -> str:
    """The command that gives a recipe its result, at `scale` or at the one for two cores."""
    recipe = recipe_at(ROOT / "recipes" / f"{name}.toml")
    if scale is not None and scale not in recipe.scales:
        raise ConfigError(f"{name}.toml: {unknown('scale', scale, recipe.scales)}")
    chosen = scale or (SCALE if SCALE in recipe.scales else PAPER)
    return f"expunge {recipe.kind} recipes/{name}.toml" + (
        "" if chosen == PAPER else f" --scale {chosen}"
    )
