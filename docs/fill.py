"""Fill the documentation's tables from measured results: `python docs/fill.py`.

Between `<!-- results/NAME.json -->` and `<!-- end -->` stands what that file holds.
"""

import json
import re
from pathlib import Path

from expunge.report import findings, load_results
from expunge.report.aggregate import aggregate
from expunge.report.text import as_markdown, to_markdown
from expunge.report.trojan import trojan_table

ROOT = Path(__file__).parent.parent
PLACE = re.compile(r"(<!-- (results/[\w./-]+\.json) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    for path in sorted((ROOT / "docs").rglob("*.md")):
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


def filled(text: str) -> str:
    """The text with every table as its file of results has it now."""
    return PLACE.sub(lambda found: found[1] + table(ROOT / found[2]) + found[3], text)


def table(path: Path) -> str:
    """What a file of results holds, as Markdown: cells of a grid, figures, growth, searches."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if "figures" in document:
        body = figures(document)
    elif "exponents" in document:
        body = growth(document)
    elif "tuning" in document.get("settings", {}):
        body = searches(document)
    elif "asr" in document.get("metrics", {}):
        body = trojan(path)
    else:
        body = to_markdown(load_results(path))
    makers = document["makers"] if "makers" in document else [document["env"]]
    return f"{body.rstrip()}\n\n{source(path, makers)}\n"


def trojan(path: Path) -> str:
    """Attack success and accuracy over sparsity, one table a scenario, with its verdicts."""
    results = load_results(path)
    tables = [trojan_table(scenario, results["settings"]) for scenario in aggregate(results)]
    claims = [claim for scenario in aggregate(results) for claim in findings(scenario).claims]
    body = "\n".join(as_markdown(table) for table in tables if table is not None)
    return "\n".join((body, *(f"{claim}  " for claim in claims)))


def figures(document: dict) -> str:
    lines = [
        "| figure | value | spread | n | floor | target | met |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for item in document["figures"]:
        low, high = item["spread"]
        floor, target = (shown(item[key]) for key in ("floor", "target"))
        met = {True: "yes", False: "**no**", None: "—"}[item["met"]]
        lines.append(
            f"| {item['name']} | {shown(item['value'])} {item['unit']} | "
            f"{shown(low)}-{shown(high)} | {item['n']} | {floor} | {target} | {met} |"
        )
    return "\n".join(lines)


def growth(document: dict) -> str:
    """A row for each method: the exponents of its time and memory, and its peak in MiB."""
    along = ("samples", "forget", "parameters")
    names = ("D", "D_f", "parameters")
    heads = [f"{quantity} in {name}" for quantity in ("time", "memory") for name in names]
    lines = [
        f"| method | {' | '.join(heads)} | MiB of its own | MiB of the process |",
        "|---|" + "---:|" * (len(heads) + 2),
    ]
    for row in document["exponents"]:
        powers = [row[quantity][key] for quantity in ("time", "memory") for key in along]
        peaks = [row[key] / 2**20 for key in ("held_bytes", "peak_bytes")]
        cells = [*(f"{power:.2f}" for power in powers), *(f"{peak:,.0f}" for peak in peaks)]
        lines.append(f"| {row['method']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def searches(document: dict) -> str:
    ways = list(document["rows"][0]["gap"])
    lines = [
        f"| forget | method | {' | '.join(ways)} | ρ | n |",
        "|---|---|" + "--:|" * (len(ways) + 2),
    ]
    for row in document["rows"]:
        values = [*(row["gap"][way] for way in ways), row["rank_correlation"]]
        cells = " | ".join("—" if value is None else f"{value:.2f}" for value in values)
        lines.append(f"| {row['scenario']} | {row['method']} | {cells} | {row['n']} |")
    return "\n".join(lines)


def shown(value: float | None) -> str:
    return "—" if value is None else f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def source(path: Path, makers: list[dict]) -> str:
    where = "; ".join(dict.fromkeys(place(maker) for maker in makers))
    return f"From `{path.relative_to(ROOT)}`: {where}."


def place(env: dict) -> str:
    parts = [env.get("cpu"), f"{env.get('cores')} cores", env.get("device"), env.get("precision")]
    return ", ".join(str(part) for part in parts if part not in (None, "None cores"))


if __name__ == "__main__":
    main()
