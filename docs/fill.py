"""Fill the documentation's tables from measured results: `python docs/fill.py`.

Between `<!-- results/FOLDER/NAME.json -->` and `<!-- end -->` stands what that file holds, after
`<!-- results/FOLDER/ -->` what every file of the folder does. After `<!-- overview of PART -->` and
`<!-- tests of PART -->` stand the verdicts on the claims of a part of `claims.toml`.
"""

import json
import re
from pathlib import Path
from statistics import fmean, stdev

import claims

from expunge.report import findings, load_results
from expunge.report.aggregate import Scenario, aggregate
from expunge.report.attribution import attribution_tables
from expunge.report.environments import made_by
from expunge.report.pruning import pruning_tables
from expunge.report.study import study_of
from expunge.report.text import TextTable, as_markdown, escaped_text, to_markdown
from expunge.report.theory import theory_tables
from expunge.report.transfer import transfer_tables
from expunge.report.trojan import trojan_table
from expunge.report.wording import scenario_label

ROOT = Path(__file__).parent.parent
PLACE = re.compile(r"(<!-- (results/[\w./-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
OF_STUDIES = {
    "attribution": attribution_tables,
    "pruning": pruning_tables,
    "theory": theory_tables,
    "transfer": transfer_tables,
}
CLAIMS = re.compile(r"(<!-- (overview|tests) of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    for path in sorted((ROOT / "docs").rglob("*.md")):
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")


def filled(text: str) -> str:
    """The text with every table as the results have it now."""
    text = PLACE.sub(lambda found: found[1] + tables(ROOT / found[2]) + found[3], text)
    return CLAIMS.sub(lambda found: found[1] + verdicts(found[2], found[3]) + found[4], text)


def verdicts(what: str, part: str) -> str:
    """The claims of a part with their verdicts, or the tests behind these."""
    show = claims.overview if what == "overview" else claims.tests
    return f"{show(part)}\n"


def tables(path: Path) -> str:
    """What a file of results holds, or every file of a recipe's folder."""
    if path.suffix == ".json":
        return table(path)
    there = sorted(path.glob("*.json"))
    if not there:
        return f"Not run: `{claims.command(path.name)}`.\n"
    return "\n".join(map(table, there))


def table(path: Path) -> str:
    """What a file of results holds, as Markdown: cells, figures, growth, searches, detectors."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if "figures" in document:
        body = figures(document)
    elif "exponents" in document:
        body = growth(document)
    elif "detectors" in document:
        body = detectors(document)
    elif "wrong_labels" in document:
        body = wrong_labels(document)
    elif "tuning" in document.get("settings", {}):
        body = searches(document)
    elif "carriers" in document:
        body = causes(document)
    elif "asr" in document.get("metrics", {}):
        body = trojan(path)
    elif study := study_of(document):
        body = "\n".join(map(as_markdown, OF_STUDIES[study](claims.OF_STUDIES[study](path))))
    else:
        body = grid(path) + by_group(document)
    makers = document["makers"] if "makers" in document else [document["env"]]
    return f"{body.rstrip()}\n\n{source(path, makers)}\n"


def grid(path: Path) -> str:
    """The main table of every scenario; over more than two sparsities, the gap and TA alone."""
    results = load_results(path)
    found = aggregate(results)
    if max(len(scenario.levels) for scenario in found) <= 2:
        text = to_markdown(results, effects=False)
        if text == to_markdown(results):
            return text
        command = f"expunge report {path.relative_to(ROOT)} --export markdown table.md"
        return f"{text}\nEvery published difference beside ours: `{command}`.\n"
    return "\n".join(
        over_levels(scenario, measure)
        for scenario in found
        for measure in ("gap", "ta")
        if any(measure in group.by_seed for group in scenario.groups.values())
    )


def over_levels(scenario: Scenario, measure: str) -> str:
    """A measure of every method at every sparsity: mean ± sample deviation over seeds."""
    rows = []
    for method in scenario.rows:
        cells = []
        for level in scenario.levels:
            group = scenario.get(method, level)
            values = [] if group is None else [*group.by_seed.get(measure, {}).values()]
            spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
            cells.append(f"{fmean(values):.1f}{spread}" if values else "—")
        if any(cell != "—" for cell in cells):
            rows.append([escaped_text(scenario.title(method)), *cells])
    title = "mean gap to Retrain" if measure == "gap" else "test accuracy TA"
    return as_markdown(
        TextTable(
            title=f"{scenario_label(scenario.name)}: {title}",
            header=["Method", *(level.label for level in scenario.levels)],
            rows=rows,
            notes=[f"n = {len(scenario.seeds)} seeds; — where it was not run, or has no Retrain."],
        )
    )


def trojan(path: Path) -> str:
    """Attack success and accuracy over sparsity, one table a scenario, with its verdicts."""
    results = load_results(path)
    tables = [trojan_table(scenario, results["settings"]) for scenario in aggregate(results)]
    claims = [claim for scenario in aggregate(results) for claim in findings(scenario).claims]
    body = "\n".join(as_markdown(table) for table in tables if table is not None)
    return "\n".join((body, *(f"{claim}  " for claim in claims)))


def causes(document: dict) -> str:
    """What fine-tuning leaves of a Trojan by what moves weights, by the mask, and where it is."""
    lines = [
        "| unlearning, dense | epochs | retained loss | poison loss | weights moved | ASR | SA |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for rows in grouped(document["fading"], ("method", "lr", "weight_decay", "gamma", "epochs")):
        named = [
            f"{name} {rows[0][name]:g}"
            for name in ("lr", "weight_decay", "gamma")
            if name in rows[0]
        ]
        moved = over(rows, "moved", 100) + " %" if "moved" in rows[0] else "—"
        lines.append(
            f"| {', '.join((rows[0]['method'], *named))} | {rows[0].get('epochs', '—')} | "
            f"{fmean(row['retain_loss'] for row in rows):.2g} | "
            f"{fmean(row['forget_loss'] for row in rows):.2g} | {moved} | "
            f"{over(rows, 'asr')} | {over(rows, 'sa')} |"
        )
    lines += [
        "",
        "| sparsity | mask and weights | retained loss | ASR before | ASR after FT | SA after FT |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    for rows in grouped(document["sparse"], ("sparsity", "way")):
        before, after = ([row[when] for row in rows] for when in ("before", "after"))
        lines.append(
            f"| {rows[0]['sparsity']:.0%} | {rows[0]['way']} | "
            f"{fmean(row['retain_loss'] for row in before):.2g} | {over(before, 'asr')} | "
            f"{over(after, 'asr')} | {over(after, 'sa')} |"
        )
    kept = [*document["carriers"][0]["kept_by_omp"]]
    lines += [
        "",
        "| weights set to zero | ASR | SA | as many at random: ASR | SA | "
        + " | ".join(f"kept by OMP at {float(each):.0%}" for each in kept)
        + " |",
        "|---:|" + "---:|" * (4 + len(kept)),
    ]
    for rows in grouped(document["carriers"], ("share",)):
        of, others, masks = (
            [row[part] for row in rows] for part in ("carriers", "random", "kept_by_omp")
        )
        cells = [over(each, key) for each in (of, others) for key in ("asr", "sa")]
        cells += [f"{over(masks, each)} %" for each in kept]
        lines.append(f"| {rows[0]['share']:.1%} | {' | '.join(cells)} |")
    return "\n".join(lines)


def grouped(rows: list[dict], keys: tuple[str, ...]) -> list[list[dict]]:
    """The rows of all seeds that agree in `keys`, in the order of the first."""
    found: dict[tuple, list[dict]] = {}
    for row in rows:
        found.setdefault(tuple(row.get(key) for key in keys), []).append(row)
    return [*found.values()]


def over(rows: list[dict], key: str, scale: float = 1.0) -> str:
    """Mean and sample deviation over seeds."""
    values = [scale * row[key] for row in rows]
    return f"{fmean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


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


def detectors(document: dict) -> str:
    """A row for each share of poison and detector: means over seeds, and their intervals."""
    lines = [
        "| poison | detector | AUROC | recall | precision | false positives | ASR | n |",
        "|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in document["detectors"]:
        cells = " | ".join(
            ranged(row[name]) for name in ("auroc", "recall", "precision", "false_positives")
        )
        poison = f"{100 * row['share']:g} %, {row['poisoned']}"
        lines.append(f"| {poison} | {row['detector']} | {cells} | {row['asr']:.1f} | {row['n']} |")
    return "\n".join(lines)


def wrong_labels(document: dict) -> str:
    """A row for each loss that looks for wrong labels: means over seeds, and their intervals."""
    lines = ["| loss | AUROC | recall | precision | false positives | n |", "|---|" + "---:|" * 5]
    for row in document["wrong_labels"]:
        cells = " | ".join(
            ranged(row[name]) for name in ("auroc", "recall", "precision", "false_positives")
        )
        lines.append(f"| {row['detector']} | {cells} | {row['n']} |")
    return "\n".join(lines)


def ranged(interval: dict | None) -> str:
    """A mean in percent with its interval, as far as percentages go."""
    if interval is None:
        return "—"
    low, high = max(0, interval["low"]), min(100, interval["high"])
    return f"{interval['estimate']:.1f} ({low:.1f}-{high:.1f})"


def by_group(document: dict) -> str:
    """A row for each method and sparsity of a grid on biased data; empty for other grids."""
    names = ("worst_group_accuracy", "conflicting_accuracy", "ta")
    if not set(names) <= document.get("metrics", {}).keys():
        return ""
    titles = [document["metrics"][name]["title"] for name in names]
    lines = [
        f"\n\n| method | sparsity | {' | '.join(titles)} |",
        "|---|---|" + "---:|" * len(names),
    ]
    rows: dict[tuple[float, str], list[dict]] = {}
    for cell in document["cells"]:
        rows.setdefault((cell["sparsity"], cell["method"]), []).append(cell["metrics"])
    for (sparsity, method), found in sorted(rows.items(), key=lambda row: row[0][0]):
        cells = []
        for name in names:
            values = [each[name] for each in found if each[name] is not None]
            spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
            cells.append(f"{fmean(values):.1f}{spread}" if values else "—")
        lines.append(f"| {method} | {sparsity:.0%} | {' | '.join(cells)} |")
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
    # Benchmarks name the machine's accelerator, if it has one, results the device that they used.
    used = [{"device": maker.get("accelerator"), **maker} for maker in makers]
    where = "; ".join(dict.fromkeys(map(made_by, used)))
    return f"From `{path.relative_to(ROOT)}`: {where}."


if __name__ == "__main__":
    main()
