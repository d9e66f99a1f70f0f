"""Print a plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from expunge.cli.options import show_json
from expunge.cli.output import say, show_table, tell

if TYPE_CHECKING:
    from expunge.graph.graph import Graph
    from expunge.graph.plan import Plan
    from expunge.studies.recipe import Chosen


def print_plan(plan: Plan) -> None:
    """Print for each kind how many nodes are there and missing, and how long those may take."""
    from rich.table import Table

    table = Table(header_style="bold")
    for column in ("kind", "nodes", "there", "missing", "time"):
        table.add_column(column, justify="left" if column == "kind" else "right")
    for kind, nodes, there, seconds in plan.by_kind():
        missing = nodes - there
        time = "" if not missing else "not known" if seconds is None else duration(seconds)
        table.add_row(kind, str(nodes), str(there), str(missing), time)
    show_table(table)
    unknown = sum(seconds is None for seconds in plan.seconds.values())
    line = f"{len(plan.missing)} of {len(plan.graph)} nodes are missing"
    if plan.missing and unknown < len(plan.missing):
        line += f"; one process may take {duration(plan.total())}"
    if unknown:
        line += f"; the store has no times for {unknown} of them"
    say(line + ".")


def duration(seconds: float) -> str:
    """Seconds in seconds, minutes or hours.

    >>> duration(0.34), duration(75), duration(7260)
    ('0.3 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def show_graph(
    graph: Graph,
    picture: Path | None,
    as_json: bool,
    recipe: Chosen | None = None,
    searches: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Show which nodes of a graph are missing, how long they may take, and of which recipe.

    `searches` come before: how many `searches`, `trials` in all, and `nodes_at_most` of those.
    """
    from expunge.config import to_mapping
    from expunge.graph.plan import plan

    for line in graph.notes:
        tell(line)
    planned = plan(graph)
    if picture is not None:
        from expunge.graph.picture import draw

        draw(planned, picture)
    if as_json:
        about = {} if recipe is None else {"recipe": to_mapping(recipe)}
        before = {"before": dict(searches)} if searches else {}
        show_json({**about, **planned.to_json(), **before})
        return
    if recipe is not None:
        part = "" if recipe.only is None else f", only {recipe.only}"
        say(f"Recipe {recipe.name} at scale {recipe.scale}{part}.")
    print_plan(planned)
    if searches:
        say(
            f"Before it come {searches['searches']} searches of {searches['trials']} trials in "
            f"all: at most {searches['nodes_at_most']} nodes, and the models that are searched on. "
            "What they find takes the place of the settings above."
        )
