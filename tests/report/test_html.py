import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from expunge.errors import DataError, StoreError
from expunge.metrics import get_metric
from expunge.report import render_html, write_report
from expunge.report.measures import AVG_GAP, AVG_GAP_DENSE, CORE, FURTHER, RTE, SPARSITY

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Tags, attributes and text; fails on tags that do not close."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text, self.sources = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.sources += [value for name, value in attrs if name in ("src", "href", "srcset")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def html(three_seeds):
    return render_html(three_seeds)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_page_is_whole_and_needs_nothing_from_outside(html, page):
    assert html.startswith("<!DOCTYPE html>\n<html lang=") or html.lstrip().startswith("<!DOCTYPE")
    assert all(source.startswith(("#", "data:,")) for source in page.sources)
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(set(ids)) == len(ids)
    targets = {source[1:] for source in page.sources if source.startswith("#")}
    assert targets <= set(ids)


def test_the_order_of_the_page(page):
    sections = [attrs["id"] for tag, attrs in page.tags if tag == "section"]
    assert sections == [
        *("summary", "compare", "scenario-1", "scenario-2"),
        *("glossary", "runs", "settings", "reproduce"),
    ]


def test_every_measure_is_explained_with_what_is_good(html, three_seeds):
    measured = [each for each in (*CORE, *FURTHER) if each.key in three_seeds["metrics"]]
    assert len(measured) > 6
    for measure in (*measured, AVG_GAP, AVG_GAP_DENSE, RTE, SPARSITY):
        assert f"<dt>{measure.short}" in html
        assert "Good: " + measure.good.replace("'", "&#39;") in html
    assert "neither higher nor lower" in html


def test_a_report_explains_what_it_measures_and_nothing_else(results):
    metric = get_metric("asr")
    results["metrics"]["asr"] = {"title": metric.title, "unit": "percent", "compared": False}
    del results["metrics"]["drift"]
    for cell in results["cells"]:
        cell["metrics"]["asr"] = 99.0
        del cell["metrics"]["drift"]
    html = render_html(results)
    terms = re.findall(r"<dt>([^<]*?) ?(?:<span>|</dt>)", html.split('id="glossary"')[1])
    assert terms.count("ASR") == 1
    assert metric.summary.replace("'", "&#39;") in html
    assert "Drift" not in terms
    header = html.split('id="runs"')[1].split("</thead>")[0]
    assert ">ASR<" in header
    assert "Drift" not in header


def test_headers_can_be_sorted_by_keyboard(page):
    sortable = [attrs for tag, attrs in page.tags if tag == "th" and "aria-sort" in attrs]
    buttons = [attrs for tag, attrs in page.tags if tag == "button"]
    assert len(sortable) == len([each for each in buttons if "data-all" not in each]) > 40
    assert {attrs["aria-sort"] for attrs in sortable} == {"none"}


def test_retrain_and_original_are_set_apart(html):
    table = html.split('<tbody class="references">')[1].split("</tbody>")[0]
    assert re.findall(r'class="name">([^<]*)<', table) == ["Retrain", "Original"]


def test_figures_are_inline_and_described(page):
    drawings = [attrs for tag, attrs in page.tags if tag == "svg"]
    assert len(drawings) == 12
    assert all(attrs["aria-label"] for attrs in drawings)


def test_settings_environment_and_command_are_there(html):
    for text in ("training.milestones", "[91, 136]", "methods[4].gamma", "0.0005"):
        assert text in html
    assert "<dt>packages.torch</dt><dd>2.6.0</dd>" in html
    assert html.count("<summary>Environment</summary>") == 1
    assert "Made by expunge 0.1.0." in html
    assert "expunge bench recipes/cifar10-resnet18.toml --out results/cifar10" in html
    assert "epochs=10, lr=0.01" in html


NASTY = "<script>alert(1)</script>"


def test_how_settings_were_chosen_stands_beside_them(one_seed):
    chosen = next(cell for cell in one_seed["cells"] if cell["method"] == "ga")
    chosen["chosen_by"] = "no_oracle"
    html = render_html(one_seed)
    assert html.count("(chosen by no_oracle)") == 1
    assert "lr=0.0001 (chosen by no_oracle)" in html
    chosen["chosen_by"] = 3
    with pytest.raises(DataError, match="chosen_by"):
        render_html(one_seed)


def test_hostile_text_is_text(results):
    def spoil(value):
        if isinstance(value, dict):
            return {(key if key in KEPT else key + NASTY): spoil(v) for key, v in value.items()}
        if isinstance(value, list):
            return [spoil(item) for item in value]
        return value + NASTY + "\"'" if isinstance(value, str) else value

    KEPT = set(results["cells"][0]) | {"forget", "retain", "test", "before", "after", "avg"}
    KEPT |= set(results["cells"][0]["metrics"]) | {"0", "unit", "title", "compared"}
    KEPT |= set(results["cells"][0]["draws"]["mia_efficacy"])
    results["cells"] = [cell for cell in results["cells"] if cell["seed"] == 0]
    spoilt = {key: spoil(value) if key != "schema" else value for key, value in results.items()}
    html = render_html(spoilt)
    assert html.count("<script") == 2
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    Page(html)


def test_without_a_reference_the_reason_stands_under_the_table(without_reference):
    html = render_html(without_reference)
    assert "<li>Retrain was not run at this sparsity.</li>" in html
    assert "nothing to compare with" in html


def test_one_seed_is_cautioned(one_seed):
    one_seed["cells"] = [cell for cell in one_seed["cells"] if cell["pruner"] == "none"]
    one_seed["makers"], one_seed["settings"] = [{}], {}
    html = render_html(one_seed)
    assert html.count('class="caution">Caution, n = 1') == 2
    assert "from a single seed" in html
    assert html.count("None recorded") == 2
    assert "±0" not in html
    Page(html)


def test_the_report_and_its_figures_are_written_whole(one_seed, folder):
    path = write_report(one_seed, folder)
    assert path == folder / "report.html"
    assert path.read_text(encoding="utf-8") == render_html(one_seed)
    assert sorted(item.name for item in folder.iterdir()) == ["figures", "report.html"]
    assert len(list((folder / "figures").iterdir())) == 12


def test_nothing_is_written_for_a_bad_document(results, folder):
    del results["cells"][0]["method"]
    with pytest.raises(DataError, match="missing method"):
        write_report(results, folder)
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_named(one_seed, tmp_path):
    (tmp_path / "file").touch()
    one_seed["cells"] = one_seed["cells"][:1]
    with pytest.raises(StoreError, match="cannot write"):
        write_report(one_seed, tmp_path / "file")


def test_no_torch(one_seed, tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(one_seed))
    code = (
        "import sys\n"
        "from expunge.report import load_results, to_markdown, write_report\n"
        "from pathlib import Path\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "results = load_results(folder / 'results.json')\n"
        "to_markdown(results)\n"
        "write_report(results, folder)\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
        "assert 'matplotlib.pyplot' not in sys.modules, 'pyplot was imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_environments_are_numbered_and_marked(made_elsewhere):
    made_elsewhere["makers"].append({**made_elsewhere["makers"][0], "engine": "processes"})
    for cell in made_elsewhere["cells"]:
        cell["made_by"] = cell["seed"]
    html = render_html(made_elsewhere)
    Page(html)
    assert "<summary>Environment 1</summary>" in html
    assert "<summary>Environment 2</summary>" in html
    assert "<summary>Environment 3</summary>" not in html
    assert html.count("seeds 0 and 2 by environment 1; seed 1 by environment 2.") == 4
    assert "<dt>Date</dt><dd>several</dd>" in html
    assert "<dt>Device</dt><dd>Example GPU</dd>" in html
    assert ">Environment</button>" in html


def test_one_environment_needs_no_column(html):
    assert ">Environment</button>" not in html
    assert 'class="made"' not in html


def test_a_document_of_schema_1_is_reported(schema_1):
    html = render_html(schema_1)
    assert "<dt>Date</dt><dd>2026-01-31</dd>" in html
    assert "41.20 %" in html
    Page(html)


def test_another_packages_metric_is_in_the_page(one_seed):
    one_seed["metrics"]["leak"] = {"unit": "bits", "compared": False, "title": "Leakage"}
    for cell in one_seed["cells"]:
        cell["metrics"]["leak"] = 0.5
    html = render_html(one_seed)
    assert html.count(">Leakage, bits</button>") == 1
    assert ">Leakage, bits</th>" in html


def test_runs_show_counts_and_the_interval_of_test_accuracy(one_seed):
    cell = one_seed["cells"][2]
    cell["metrics"] |= {"ua": 22.0, "ta": 94.0}
    cell["samples"] = {
        "ua": {"count": 110, "n": 500},
        "ta": {"count": 940, "n": 1000, "low": 92.35, "high": 95.3},
    }
    html = render_html(one_seed)
    assert "22.00 (110 of 500)" in html
    assert "94.00 (92.35 to 95.30)" in html


@pytest.mark.parametrize(
    "samples", [{"ua": 3}, {"ua": {"count": 1}}, {"ua": {"count": 1, "n": 2, "low": "x"}}]
)
def test_samples_that_say_nothing_are_refused(one_seed, samples):
    one_seed["cells"][0]["samples"] = samples
    with pytest.raises(DataError, match="samples"):
        render_html(one_seed)
