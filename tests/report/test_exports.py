"""Results for other programs: the CSV and LaTeX say what the cells say."""

import csv
import io
import re
import shutil
import subprocess

import pytest

from expunge.errors import ConfigError
from expunge.report.exports import EXPORTS, export_path, get_export
from expunge.report.latex import escaped, to_latex
from expunge.report.tidy import to_csv


def rows(results):
    return list(csv.DictReader(io.StringIO(to_csv(results))))


def of(found, method, pruner="none", seed=0, scenario="class:3"):
    return {
        row["measure"]: row
        for row in found
        if (row["scenario"], row["method"], row["pruner"], row["seed"])
        == (scenario, method, pruner, str(seed))
    }


def test_every_number_of_a_cell_has_its_row(results, find):
    find("ga")["attacks"] = {"confidence": {"efficacy": 12.5}}
    find("ga")["group_accuracy"] = {"patch of 0": {"1": 50.0, "2": None}}
    found, cell = of(rows(results), "ga"), find("ga")
    for key, value in cell["metrics"].items():
        assert float(found[key]["value"]) == value
    assert found["weight_distance"]["unit"] == "norm"
    assert float(found["gap.ua"]["value"]) == cell["gap"]["ua"]
    assert float(found["gap"]["value"]) == cell["gap"]["avg"]
    assert (found["gap"]["unit"], found["rte_s"]["unit"]) == ("points", "s")
    assert float(found["gap_dense"]["value"]) == cell["gap_dense"]["avg"]
    assert float(found["rte_s"]["value"]) == cell["rte_s"]
    assert float(found["sparsity_at.0"]["value"]) == 0.0
    assert float(found["attacks.confidence.efficacy"]["value"]) == 12.5
    assert found["group_accuracy.patch of 0.2"]["reason"] == "no reason is recorded"
    assert all((row["value"] == "") == (row["reason"] != "") for row in rows(results))
    assert len({tuple(row.values())[:6] for row in rows(results)}) == len(rows(results))


def test_what_is_missing_says_why(results, find):
    cell = find("ft")
    cell |= {"gap": None, "gap_reason": "no reference", "gap_dense": None}
    cell["metrics"]["ta_forgotten"] = None
    cell["reasons"] = {"ta_forgotten": "no such samples"}
    failed = find("ga")
    failed |= {"failed": "the loss is nan", "gap": None, "rte_s": None}
    failed["metrics"] = dict.fromkeys(failed["metrics"])
    found = rows(results)
    assert of(found, "ft")["ta_forgotten"]["reason"] == "no such samples"
    assert of(found, "ft")["gap"]["reason"] == "no reference"
    assert of(found, "original")["rte_s"]["reason"] == "nothing was unlearned"
    assert of(found, "ga")["ua"]["reason"] == "the loss is nan"
    assert of(found, "ga")["rte_s"]["reason"] == "the loss is nan"


def test_names_with_commas_and_quotes_come_back(results):
    name = 'ids:"a, b"\n.csv'
    for cell in results["cells"]:
        cell["scenario"] = cell["scenario"].replace("class:3", name)
    assert name in {row["scenario"] for row in rows(results)}


def test_documents_of_schema_1_have_units_too(schema_1):
    found = of(rows(schema_1), "ga")
    assert (found["ua"]["unit"], found["drift"]["unit"]) == ("percent", "norm")


# LaTeX


def columns(line):
    """How many columns a row of a table fills."""
    cells = re.split(r"(?<!\\)&", line)
    spans = [re.search(r"\\multicolumn\{(\d+)\}", cell) for cell in cells]
    return sum(1 if span is None else int(span[1]) for span in spans)


def check_structure(text):
    """Balanced environments and braces, and as many columns in every row as are declared."""
    opened = []
    for word, name in re.findall(r"\\(begin|end)\{([a-z*]+)\}", text):
        if word == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    depth = 0
    for line in text.splitlines():
        if line.startswith("% "):
            continue
        for char in re.sub(r"\\[\\{}%]", "", line):
            depth += (char == "{") - (char == "}")
            assert depth >= 0
    assert depth == 0
    tables = re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", text, re.DOTALL)
    for declared, body in tables:
        filled = [line for line in body.splitlines() if line.endswith("\\\\")]
        assert {columns(line) for line in filled} == {len(declared)}
    return tables


def test_the_papers_layout_dense_beside_sparse(results, find):
    text = to_latex(results)
    tables = check_structure(text)
    assert len(tables) == 2
    assert tables[0][0] == "l" + "r" * 12
    heads = re.findall(r"\\multicolumn\{2\}\{c\}\{([^}]*)\}", tables[0][1])
    assert heads == ["UA", "MIA-efficacy", "RA", "TA", "Mean gap", "RTE"]
    (row,) = [line for line in tables[0][1].splitlines() if line.startswith("GA &")]
    seeds = [find("ga", seed=seed) for seed in range(3)]
    mean = sum(cell["metrics"]["ua"] for cell in seeds) / 3
    gap = sum(cell["gap"]["ua"] for cell in seeds) / 3
    cell = row.split(" & ")[1]
    assert cell.startswith((f"{mean:.2f}$\\pm$", f"\\textbf{{{mean:.2f}$\\pm$"))
    assert f"({gap:.2f})" in cell
    assert r"$\ell$1-sparse" in tables[0][1]
    caption = re.search(r"\\caption\{(.*)\}", text)[1]
    for words in ("n = 3 seeds (0, 1, 2)", "Example CPU, 16 cores, Example GPU, bf16-mixed"):
        assert words in caption
    assert len(set(re.findall(r"\\label\{(.*)\}", text))) == 2


def test_many_levels_stand_below_each_other(one_seed):
    more = [
        {**cell, "sparsity": sparsity}
        for sparsity in (0.5, 0.75)
        for cell in one_seed["cells"]
        if cell["pruner"] == "omp"
    ]
    one_seed["cells"] += more
    text = to_latex(one_seed)
    tables = check_structure(text)
    assert tables[0][0] == "l" + "r" * 6
    assert re.findall(r"\\emph\{(.*)\}\}", tables[0][1]) == [
        "dense",
        *(f"{percent} \\% OMP" for percent in (50, 75, 95)),
    ]
    assert "n = 1: seed 0 alone" in text
    assert r"\pm" not in tables[0][1]


def test_published_values_have_their_tables(one_seed):
    cell = {"scenario": "class:3", "method": "ft", "source": "A & B", "how": "read", "n": 10}
    one_seed["settings"]["published"] = [cell | {"values": {"ua": [22.5, 8.2]}}]
    text = to_latex(one_seed)
    assert len(check_structure(text)) > 2
    assert r"\label{tab:published}" in text
    assert r"A \& B" in text


NASTY = '\\a{b}_c^d~e#f$g%h&i<j>k|l"m\\\\ \\end{tabular}'


def test_special_characters_print_as_themselves(one_seed):
    for cell in one_seed["cells"]:
        if cell["method"] == "ga":
            cell["method"] = NASTY
    one_seed["title"] = f"{NASTY}\nℓ 漢"
    text = to_latex(one_seed)
    check_structure(text)
    assert r"\end{tabular}_" not in text
    assert text.splitlines()[1] == "% Needs XeLaTeX or LuaLaTeX, for these letters: 漢"
    assert escaped("50 % & more_x") == r"50 \% \& more\_x"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_it_compiles(results, tmp_path):
    results["title"] = NASTY
    (tmp_path / "table.tex").write_text(to_latex(results))
    (tmp_path / "all.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs,graphicx}\\begin{document}"
        "\\input{table}\\end{document}"
    )
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# Where they go


def test_a_folder_gets_a_name_and_a_file_keeps_its_own(tmp_path):
    assert export_path(EXPORTS["latex"], tmp_path) == tmp_path / "results.tex"
    assert export_path(EXPORTS["csv"], tmp_path / "new") == tmp_path / "new" / "results.csv"
    assert export_path(EXPORTS["csv"], tmp_path / "a.txt") == tmp_path / "a.txt"
    assert export_path(EXPORTS["csv"], tmp_path / "a.dir").name == "a.dir"
    with pytest.raises(ConfigError, match=r"unknown export 'tex'.*did you mean 'latex'"):
        get_export("tex")
