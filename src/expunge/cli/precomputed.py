"""What `expunge evaluate --logits` prints."""

from typing import Any

from expunge.cli.output import say, show_table

_SAID = (
    "KLOM: of all models, with its standard error; “half” and “floor” are of half as many a side: "
    "unlearned against retrained, and retrained against retrained. Compare these two."
)


def print_compared(found: dict[str, Any]) -> None:
    """Every method of every forget set, and what was read."""
    read = found["read"]
    say(f"Read {read['margins']} files of margins and {read['logits']} of logits.")
    for line in found["left_out"]:
        say(f"Left out: {line}.")
    for each in found["compared"]:
        _print_case(each)
    if any(each["klom"] for each in found["compared"]):
        say(f"\n{_SAID}")


def _print_case(each: dict[str, Any]) -> None:
    where = f"{each['data']}, {each['network']}, {each['forget_set']}"
    say(f"\n{each['method']}, {where}")
    if each["klom"] is not None:
        _print_klom(each)
    if each["klom_reason"] is not None:
        say(f"{'No KLOM' if each['klom'] is None else 'Not everywhere'}: {each['klom_reason']}.")
    if each["metrics"] is None:
        say(f"No UA, RA and TA: {each['metrics_reason']}.")
    else:
        _print_accuracies(each)


def _print_klom(each: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(header_style="bold")
    table.add_column("KLOM, nats", no_wrap=True)
    for name in ("models", "samples", "mean", "half", "floor", "95th\npercentile", "half", "floor"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, value in each["klom"].items():
        models = each["models"][name]
        cells = [f"{models['unlearned']}, {models['retrained']}", str(each["samples"][name])]
        for key in ("mean", "p95"):
            cells += [
                f"{value[key]:.2f}±{value[f'{key}_error']:.2f}",
                f"{value[f'half_{key}']:.2f}",
                f"{value[f'floor_{key}']:.2f}±{value[f'floor_{key}_error']:.2f}",
            ]
        table.add_row(name, *cells)
    show_table(table)


def _print_accuracies(each: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(header_style="bold")
    table.add_column("metric", no_wrap=True)
    for name in ("unlearned", "retrained"):
        table.add_column(f"{name},\nmean over models (95 %)", justify="right", no_wrap=True)
    for name, sides in each["metrics"].items():
        table.add_row(name.upper(), *map(_ranged, sides.values()))
    show_table(table)
    say(
        f"Mean gap over UA, RA and TA, by model: {_ranged(each['gap'])}; between retrained models: "
        f"{_ranged(each['gap_floor'])}."
    )


def _ranged(interval: dict[str, Any] | None) -> str:
    if interval is None:
        return "—"
    n = f"n = {interval['n']}"
    if interval["low"] is None:
        return f"{interval['mean']:.2f}, {n}"
    return f"{interval['mean']:.2f} ({interval['low']:.2f} to {interval['high']:.2f}), {n}"
