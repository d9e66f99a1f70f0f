"""`expunge leaderboard`: every method of a folder of results, by its mean gap."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from expunge.cli.options import AsJson, show_json
from expunge.cli.output import say, tell
from expunge.cli.tables import print_tables
from expunge.cli.targets import check_file

if TYPE_CHECKING:
    from expunge.report.leaderboard import Found

_ENDINGS = (".md", ".html")


def leaderboard(
    folder: Annotated[
        Path, typer.Argument(help="A folder with results as RECIPE/NAME.json; default: results.")
    ] = Path("results"),
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the page to this file, .md or .html.", metavar="FILE"),
    ] = None,
    recipes: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the recipes that results are held against; default: recipes beside "
            "the folder of results.",
            metavar="DIR",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rank the methods of every result by their mean gap to Retrain, with intervals."""
    from expunge.errors import ConfigError
    from expunge.report.leaderboard import as_json as json_of
    from expunge.report.leaderboard import boards, read_folder
    from expunge.report.leaderboard_page import beginning, page_of, write_leaderboard

    if out is not None:
        if out.suffix not in _ENDINGS:
            raise ConfigError(f"--out {out}: expected a file that ends in .md or .html")
        check_file(out, begins=beginning(out))
    found = read_folder(folder)
    where = folder.resolve().parent / "recipes" if recipes is None else recipes
    listed = [board for each in found.grids for board in boards(each, _differs(each, where))]
    parts = page_of(listed, found)
    if out is not None:
        write_leaderboard(out, parts, f"expunge leaderboard {folder} --out {out}")
    if as_json:
        others = {"studies": [str(path) for path in found.studies], "unread": [*found.unread]}
        show_json({"boards": [json_of(board) for board in listed], **others})
    elif out is not None:
        say(f"Leaderboard: {out}")
    else:
        for part in parts:
            say(f"\n{part.heading}")
            for paragraph in part.words:
                say(paragraph)
            print_tables(part.tables)
    for line in found.unread:
        tell(f"not read: {line}")
    if found.unread:
        raise typer.Exit(1)


def _differs(found: "Found", recipes: Path) -> list[str]:
    """The settings in which a result differs from its recipe, or why that is not known."""
    from expunge.errors import ConfigError
    from expunge.studies.belonging import differences

    recipe = recipes / f"{found.recipe}.toml"
    if not recipe.is_file():
        return [f"all, as there is no {recipe.name} in {recipes}"]
    try:
        return differences(found.document["settings"], recipe, found.said)
    except ConfigError as error:
        return [f"all, as {error}"]
