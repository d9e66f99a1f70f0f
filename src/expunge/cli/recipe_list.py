"""`expunge bench --list`: the recipes that come with the package."""

from dataclasses import asdict
from itertools import groupby

from expunge.cli.options import show_json
from expunge.cli.output import say
from expunge.cli.plans import duration
from expunge.studies.shipped import Listed, catalogue


def show_recipes(as_json: bool) -> None:
    """Print every shipped recipe: what it makes, its scales and size, and where its data are."""
    entries = sorted(catalogue(), key=lambda each: each.command)
    if as_json:
        show_json([asdict(each) for each in entries])
        return
    for command, by_command in groupby(entries, key=lambda each: each.command):
        say(f"{command} NAME")
        for name, scales in groupby(by_command, key=lambda each: each.name):
            listed = list(scales)
            say(f"  {name}: {listed[0].makes or listed[0].title}")
            for each in listed:
                say(f"    {each.scale}: {_size(each)}")
    say(
        "Each with its scales, for --scale. Unlearning, retraining included, took as long in the "
        "committed results; training and measuring come on top."
    )


def _size(each: Listed) -> str:
    parts = [f"{each.seeds} seed{'s' * (each.seeds > 1)}"]
    parts += [] if each.cells is None else [f"{each.cells} cells"]
    parts += [f"data {each.data}{' from the hub' if each.hub else ''}"]
    parts += [] if each.seconds is None else [f"unlearning {duration(each.seconds)}"]
    return "; ".join(parts)
