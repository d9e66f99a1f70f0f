"""`expunge methods`, `metrics`, `detectors`, `attributors`: what there is, its needs and source."""

from dataclasses import MISSING, fields
from typing import Annotated, Any

import typer

from expunge.cli.options import AsJson, show_json
from expunge.cli.output import say, show_table


def methods(
    name: Annotated[
        str | None, typer.Argument(help="Show this method's or pruner's settings.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List unlearning methods and pruners, or show the settings of one."""
    from expunge.errors import ConfigError, unknown
    from expunge.methods import all_methods
    from expunge.sparsity import PRUNERS

    listed = [("method", method) for method in all_methods().values()]
    entries: list[dict[str, Any]] = [
        {
            "kind": kind,
            "name": item.name,
            "summary": item.summary,
            "needs": sorted(item.needs),
            "tasks": sorted(item.tasks),
            "reads": sorted(item.reads),
            "cite": item.cite,
            "settings": settings(item.config),
        }
        for kind, item in listed
    ]
    entries += [
        {
            "kind": "pruner",
            "name": pruner.name,
            "summary": pruner.summary,
            "needs": ["rebuild", "training"] if pruner.when == "initial" else ["training"],
            "reads": ["forget", "retain"] if pruner.needs_samples else [],
            "tasks": sorted(pruner.tasks),
            "cite": pruner.cite,
            "settings": settings(pruner.config),
        }
        for pruner in PRUNERS
    ]
    if name is not None:
        chosen = [entry for entry in entries if entry["name"] == name]
        if not chosen:
            raise ConfigError(
                unknown("method or pruner", name, [entry["name"] for entry in entries])
            )
        entries = chosen
    if as_json:
        show_json(entries)
    elif name is None:
        _print_list(entries)
    else:
        _print_settings(entries[0])


def metrics(
    name: Annotated[str | None, typer.Argument(help="Show the details of this metric.")] = None,
    as_json: AsJson = False,
) -> None:
    """List metrics with their units and needs, or show the details of one."""
    from expunge.metrics import DEFAULT_METRICS, all_metrics, get_metric
    from expunge.metrics.metric import NEEDS

    listed = all_metrics().values() if name is None else [get_metric(name)]
    entries: list[dict[str, Any]] = [
        {
            "name": metric.name,
            "short": metric.short,
            "title": metric.title,
            "summary": metric.summary,
            "unit": metric.unit,
            "needs": [need for need in NEEDS if need in metric.needs],
            "tasks": sorted(metric.tasks),
            "compared": metric.compared,
            "detailed": metric.detailed,
            "default": metric.name in DEFAULT_METRICS,
            "good": metric.good,
            "version": metric.version,
            "cite": metric.cite,
        }
        for metric in listed
    ]
    if as_json:
        show_json(entries)
    elif name is None:
        _print_metrics(entries)
    else:
        _print_metric(entries[0])


def detectors(
    name: Annotated[str | None, typer.Argument(help="Show this detector's settings.")] = None,
    as_json: AsJson = False,
) -> None:
    """List detectors of suspect training samples, or show the settings of one."""
    from expunge.detectors import all_detectors, get_detector
    from expunge.detectors.evidence import NEEDS

    listed = all_detectors().values() if name is None else [get_detector(name)]
    entries: list[dict[str, Any]] = [
        {
            "name": detector.name,
            "summary": detector.summary,
            "needs": [need for need in NEEDS if need in detector.needs],
            "version": detector.version,
            "cite": detector.cite,
            "settings": settings(detector.config),
        }
        for detector in listed
    ]
    if as_json:
        show_json(entries)
    elif name is None:
        _print_table("Detectors of suspect training samples", entries)
        say("To see the settings of one: expunge detectors NAME")
    else:
        _print_settings(entries[0])


def attributors(
    name: Annotated[str | None, typer.Argument(help="Show this attributor's settings.")] = None,
    as_json: AsJson = False,
) -> None:
    """List attributors, which tell what predictions rest on, or show the settings of one."""
    from expunge.attribution import all_attributors, get_attributor

    listed = all_attributors().values() if name is None else [get_attributor(name)]
    entries: list[dict[str, Any]] = [
        {
            "name": attributor.name,
            "summary": attributor.summary,
            "needs": [attributor.package] if attributor.package else [],
            "version": attributor.version,
            "cite": attributor.cite,
            "settings": settings(attributor.config),
        }
        for attributor in listed
    ]
    if as_json:
        show_json(entries)
    elif name is None:
        _print_table("Attributors", entries)
        say("To see the settings of one: expunge attributors NAME")
    else:
        _print_settings(entries[0])


def settings(config: type[Any]) -> list[dict[str, Any]]:
    """The fields of a configuration: name, type, default and the line that documents each."""
    documentation = field_documentation(config)
    rows = []
    for field in fields(config):
        default = None if field.default is MISSING else field.default
        kind = field.type if isinstance(field.type, str) else str(field.type)
        kind = getattr(field.type, "__name__", kind) if isinstance(field.type, type) else kind
        rows.append(
            {
                "name": field.name,
                "type": kind.replace("typing.", ""),
                "default": default,
                "help": documentation.get(field.name, ""),
            }
        )
    return rows


def field_documentation(config: type[Any]) -> dict[str, str]:
    """The docstring under each field in the source of a dataclass and its bases."""
    import ast
    import inspect
    import textwrap
    from itertools import pairwise

    found: dict[str, str] = {}
    for cls in reversed(config.__mro__[:-1]):
        (written,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        for field, text in pairwise(getattr(written, "body", ())):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
                and isinstance(text.value.value, str)
            ):
                found[field.target.id] = " ".join(text.value.value.split())
    return found


def _print_list(entries: list[dict[str, Any]]) -> None:
    for kind, title in (("method", "Unlearning methods"), ("pruner", "Pruners")):
        _print_table(title, [entry for entry in entries if entry["kind"] == kind])
    say("To see the settings of one: expunge methods NAME")


def _print_table(title: str, entries: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    for column in ("name", "what it does", "needs", "published"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        needs = ", ".join(entry["needs"]) or "-"
        table.add_row(entry["name"], entry["summary"], needs, entry["cite"])
    show_table(table)


def _print_settings(entry: dict[str, Any]) -> None:
    from rich.table import Table

    say(f"{entry['name']}: {entry['summary']}\n{entry['cite']}\n")
    table = Table(header_style="bold")
    for column in ("setting", "type", "default", "meaning"):
        table.add_column(column, overflow="fold")
    for row in entry["settings"]:
        flag = f"--{row['name'].replace('_', '-')}"
        table.add_row(flag, row["type"], str(row["default"]), row["help"])
    show_table(table)


def _print_metrics(entries: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table(title="Metrics", title_justify="left", header_style="bold")
    for column in ("name", "what it measures", "unit", "needs", "published"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        needs = ", ".join(entry["needs"])
        table.add_row(entry["name"], entry["summary"], entry["unit"], needs, entry["cite"])
    show_table(table)
    say("To see the details of one: expunge metrics NAME")


def _print_metric(entry: dict[str, Any]) -> None:
    from rich.table import Table

    say(f"{entry['name']}: {entry['title']}\n{entry['cite']}\n")
    kind = "an object of numbers" if entry["detailed"] else "one number"
    table = Table(show_header=False)
    for _ in range(2):
        table.add_column(overflow="fold")
    table.add_row("what it measures", entry["summary"])
    table.add_row("a good value", entry["good"])
    table.add_row("unit", f"{entry['unit']}, {kind}")
    table.add_row("needs", ", ".join(entry["needs"]))
    table.add_row("in the mean gap", "yes" if entry["compared"] else "no")
    table.add_row("measured by default", "yes" if entry["default"] else "no")
    show_table(table)
