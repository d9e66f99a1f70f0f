"""The page of results: verdicts are those of the results, and a new result is all that it takes."""

import importlib
import json
import math
import shutil
import tomllib
from pathlib import Path

import pytest

from expunge.errors import ConfigError
from expunge.report.verdicts import FAILS, HOLDS, OPEN, TheoryContrast, of_grid, of_study, of_theory
from expunge.statistics.claims import Claim, Side
from expunge.statistics.intervals import paired_t
from expunge.studies.commands import study_of
from expunge.studies.recipe import read_experiment
from tests.report.conftest import build

ROOT = Path(__file__).parent.parent


def claim(**changes):
    asked = {
        "name": "FT has a lower UA than Retrain",
        "scenario": "class:3",
        "first": Side(method="ft"),
        "second": Side(method="retrain"),
        "direction": "lower",
        "effect": 10.0,
        "measure": "ua",
    }
    return Claim(**{**asked, **changes})


def values(results, method):
    return {
        cell["seed"]: cell["metrics"]["ua"]
        for cell in results["cells"]
        if (cell["method"], cell["scenario"], cell["pruner"]) == (method, "class:3", "none")
    }


@pytest.fixture
def results():
    return json.loads(json.dumps(build(3)))


def test_a_grid_answers_by_the_difference_over_its_seeds(results):
    ft, retrain = values(results, "ft"), values(results, "retrain")
    expected = paired_t([ft[seed] - retrain[seed] for seed in ft])
    found = of_grid(results, claim())
    assert (found.verdict, found.n) == (HOLDS, 3)
    numbers = (abs(expected.estimate), abs(expected.low), abs(expected.high))
    assert found.figure == (
        "UA, FT dense minus Retrain dense: −{:.2f} (−{:.2f} to −{:.2f}); "
        "asked about: lower by at least 10".format(*numbers)
    )
    assert of_grid(results, claim(direction="higher")).verdict == FAILS
    assert of_grid(results, claim(effect=500.0)).verdict == FAILS


def test_one_seed_settles_nothing_and_what_was_not_measured_is_no_answer(results):
    found = of_grid(json.loads(json.dumps(build(1))), claim())
    assert (found.verdict, found.n) == (OPEN, 1)
    assert "of one seed, which has no interval" in found.figure
    assert of_grid(results, claim(scenario="class:5")) is None
    assert of_grid(results, claim(second=Side(method="retrain_again"))) is None


def test_a_claim_is_beforehand_if_the_results_own_settings_have_it(results):
    assert not of_grid(results, claim()).beforehand
    sides = {"first": {"method": "ft"}, "second": {"method": "retrain"}}
    named = {"name": claim().name, "scenario": "class:3", "direction": "lower", "effect": 10.0}
    results["settings"]["claims"] = [{**named, **sides, "measure": "ua"}]
    assert of_grid(results, claim()).beforehand
    assert not of_grid(results, claim(effect=20.0)).beforehand
    seen = "these seeds"
    results["settings"]["claims"][0]["seen"] = seen
    assert not of_grid(results, claim(seen=seen)).beforehand


def test_there_is_no_verdict_on_a_trojan_that_was_not_there(results):
    for cell in results["cells"]:
        cell["metrics"]["asr"] = 20.0
    results["metrics"]["asr"] = {"title": "ASR", "unit": "percent", "compared": False}
    found = of_grid(results, claim(measure="asr"))
    assert found.verdict == OPEN
    assert "too little of a Trojan" in found.figure


def test_studies_give_their_own_verdicts():
    path = ROOT / "results/attribution-digits/epyc-2-cores.json"
    document = json.loads(path.read_text())
    for each in document["claims"]:
        found = of_study(document, each["name"])
        assert found.verdict == {"holds": HOLDS, "not settled": OPEN}[each["verdict"]]
        assert found.n == each["n"]
        assert f"{abs(each['difference']):.3g}" in found.figure
    assert of_study(document, "another") is None
    difference = {"estimate": 1.25, "low": None, "high": None, "n": 2}
    of_transfer = {"number": 6, "against": "random", "effect": 0.5, "difference": difference}
    document = {"removals": [], "claim": {**of_transfer, "verdict": "not settled"}}
    found = of_study(document, None)
    assert (found.verdict, found.n) == (OPEN, 2)
    assert "6 harmful classes minus random: +1.25 (the same in both seeds," in found.figure
    assert of_study({"removals": [], "claim": None}, None) is None


def test_a_factor_is_no_difference():
    """Zero is no change of a difference, one of a factor: no sign stands before it."""
    asked = {"name": "a", "what": "cost, IMP over OMP", "direction": "higher", "effect": 5.0}
    found = {"verdict": "holds", "difference": 13.46, "low": 7.411, "high": 24.44, "n": 3}
    cost = {**asked, **found, "measure": "cost"}
    assert of_study({"claims": [cost]}, "a").figure == (
        "cost, IMP over OMP: ×13.5 (×7.41 to ×24.4); asked about: higher by a factor of at least 5"
    )
    overlap = {**asked, **found, "measure": "jaccard", "difference": -0.0004, "low": -0.002}
    overlap |= {"high": 0.0, "direction": "within", "effect": 0.001}
    assert of_study({"claims": [overlap]}, "a").figure.endswith(
        ": −0.0004 (−0.002 to 0); asked about: within 0.001"
    )


def test_the_theorems_quantities_are_compared_by_seed():
    path = ROOT / "results/theory-digits-short/epyc-2-cores.json"
    document = json.loads(path.read_text())
    by_level = {
        level: {
            point["seed"]: point["distances"]["add_back"]
            for point in document["points"]
            if (point["scenario"], point["sparsity"]) == ("random:0.1", level)
        }
        for level in (0.0, 0.95)
    }
    expected = paired_t([by_level[0.95][seed] - by_level[0.0][seed] for seed in by_level[0.0]])
    asked = {"scenario": "random:0.1", "quantity": "add_back", "pruner": "omp", "sparsity": 0.95}
    found = of_theory(document, TheoryContrast(**asked, direction="lower", effect=0.01))
    assert f"{expected.estimate:+.3g}".replace("-", "−") in found.figure
    assert (found.n, math.isfinite(expected.low)) == (3, True)
    # A method that diverged at one seed has no distance there.
    next(point for point in document["points"] if point["sparsity"] == 0.95)["distances"] |= {
        "ft": None
    }
    contrast = TheoryContrast(
        **{**asked, "quantity": "ft", "scenario": "class:3"}, direction="lower", effect=0.01
    )
    assert of_theory(document, contrast).n == 2
    asked["sparsity"] = 0.42
    assert of_theory(document, TheoryContrast(**asked, direction="lower", effect=0.01)) is None


@pytest.fixture
def page(monkeypatch):
    """The module that makes the page, as `python docs/fill.py` imports it."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return importlib.import_module("claims")


@pytest.fixture
def project(page, tmp_path, monkeypatch):
    """A project of one recipe, and one claim with one test."""
    monkeypatch.setattr(page, "ROOT", tmp_path)
    monkeypatch.setattr(page, "CLAIMS", tmp_path / "claims.toml")
    (tmp_path / "recipes").mkdir()
    shutil.copy(ROOT / "recipes/mislabelled-digits.toml", tmp_path / "recipes")
    name = "ℓ1-sparse unlearning of the suspects raises testing accuracy by 2 points, dense"
    test = f'[[paper.tests]]\nrecipe = "mislabelled-digits"\nclaim = "{name}"\n'
    (tmp_path / "claims.toml").write_text(f'[[paper]]\ntext = "It helps"\n{test}')
    return tmp_path


def add(project, name="here.json", **changes):
    folder = project / "results/mislabelled-digits"
    folder.mkdir(parents=True, exist_ok=True)
    there = json.loads((ROOT / "results/mislabelled-digits/epyc-2-cores.json").read_text())
    del there["blake2b"]
    (folder / name).write_text(json.dumps({**there, **changes}))


def test_a_result_is_all_that_a_verdict_needs(page, project):
    assert "| 1. It helps | not run | 1 not run |" in page.overview("paper")
    assert "`expunge bench recipes/mislabelled-digits.toml`" in page.tests("paper")
    add(project)
    assert "| 1. It helps | holds | 1 holds |" in page.overview("paper")
    shown = page.tests("paper")
    assert "| holds | TA, ℓ1-sparse dense minus Original dense: +6.04 (+1.86 to +10.21);" in shown
    add(project, "there.json")
    assert "| 1. It helps | holds | 2 holds |" in page.overview("paper")
    assert "dense (here) |" in page.tests("paper")
    assert "dense (there) |" in page.tests("paper")


def test_the_overview_counts_what_was_not_named_beforehand(page, project):
    add(project)
    settings = json.loads((project / "results/mislabelled-digits/here.json").read_text())[
        "settings"
    ]
    add(project, "late.json", settings={**settings, "claims": []})
    assert "| 1. It helps | holds | 2 holds (1 not named beforehand) |" in page.overview("paper")
    assert "| holds (not named beforehand) |" in page.tests("paper")


def test_a_command_loses_its_folder_and_nothing_else(page, project):
    add(project, reproduce="expunge bench a.toml --out here --scale cpu")
    assert "| `expunge bench a.toml --scale cpu` |" in page.tests("paper")


def test_results_of_every_scale_answer(page, project):
    add(project)
    said = {"name": "mislabelled-digits", "scale": "cpu", "only": None, "digest": "x"}
    add(project, "there.json", recipe=said)
    shown = page.tests("paper")
    assert "dense (here) |" in shown
    assert "dense (cpu, there) |" in shown


def test_where_nothing_was_run_the_command_is_of_the_scale_for_two_cores(page, project):
    recipe = project / "recipes/mislabelled-digits.toml"
    recipe.write_text(recipe.read_text() + "[scales.cpu]\nseeds = [0, 1]\n")
    assert "`expunge bench recipes/mislabelled-digits.toml --scale cpu`" in page.tests("paper")
    text = page.CLAIMS.read_text()
    page.CLAIMS.write_text(text.replace("\nclaim =", '\nscale = "paper"\nclaim ='))
    assert "`expunge bench recipes/mislabelled-digits.toml`" in page.tests("paper")
    page.CLAIMS.write_text(text.replace("\nclaim =", '\nscale = "gpu"\nclaim ='))
    with pytest.raises(ConfigError, match="unknown scale 'gpu'"):
        page.tests("paper")


def test_what_cannot_be_tested_here_says_why(page, project):
    text = '[[paper]]\ntext = "It scales"\n[[paper.tests]]\nuntestable = "needs ImageNet"\n'
    page.CLAIMS.write_text(text)
    assert "| 1. It scales | not testable here | 1 not testable here |" in page.overview("paper")
    assert "| needs ImageNet | not testable here | — | — | — |" in page.tests("paper")


def test_a_test_of_what_is_not_there_is_refused(page, project):
    text = page.CLAIMS.read_text()
    page.CLAIMS.write_text(text.replace("raises testing", "raises tasting"))
    with pytest.raises(ConfigError, match=r"mislabelled-digits.toml: unknown claim"):
        page.overview("paper")
    page.CLAIMS.write_text(text.replace("recipe =", "recipes ="))
    with pytest.raises(ConfigError, match=r"claims.toml: It helps: unknown key 'recipes'"):
        page.overview("paper")


CONTRAST = 'scenario = "class:3", quantity = "add_back", pruner = "omp", sparsity = 0.95'


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ('claim = "e(m) rises with sparsity"', "unknown claim 'e"),
        ("", "unknown claim ''"),
        (CONTRAST.replace("add_back", "add_bak"), "unknown quantity 'add_bak'"),
        (CONTRAST.replace("class:3", "class:4"), "unknown scenario 'class:4'"),
        (CONTRAST.replace("omp", "imp"), "unknown pruner 'imp'"),
    ],
)
def test_what_a_study_has_not_is_not_called_not_run(page, project, wrong, message):
    shutil.copy(ROOT / "recipes/theory-digits.toml", project / "recipes")
    text = '[[paper]]\ntext = "a"\n[[paper.tests]]\nrecipe = "theory-digits"\n'
    contrast = 'claim = "a"\ntheory = {{ {}, direction = "lower", effect = 1.0 }}'
    page.CLAIMS.write_text(text + (contrast.format(wrong) if "quantity" in wrong else wrong))
    with pytest.raises(ConfigError, match=message):
        page.overview("paper")
    for right in ('claim = "e(m) falls with sparsity, a class"', contrast.format(CONTRAST)):
        page.CLAIMS.write_text(text + right)
        assert "| 1. a | not run | 1 not run |" in page.overview("paper")


def test_no_claim_of_a_recipe_is_left_out(page):
    """One that does not hold would not be missed."""
    listed = {
        (test["recipe"], test.get("claim"))
        for part in ("paper", "applications")
        for each in page.listed(part)
        for test in each["tests"]
        if "recipe" in test
    }
    assert len(page.listed("paper")) == 8
    with_results = {folder.name for folder in (ROOT / "results").iterdir()} - {"benchmarks"}
    for name in with_results | {name for name, _ in listed}:
        recipe = ROOT / "recipes" / f"{name}.toml"
        tables = tomllib.loads(recipe.read_text())
        if study_of(tables) == "transfer":
            continue
        studies = [
            scale.get(each, {})
            for scale in (tables, *tables.get("scales", {}).values())
            for each in ("attribution", "pruning", "theory")
        ]
        named = {each["name"] for study in studies for each in study.get("claims", [])}
        named |= {each.name for each in read_experiment(recipe).claims}
        assert {(name, each) for each in named} <= listed


def test_a_test_that_was_not_run_leaves_a_claim_open(page, project):
    add(project)
    text = page.CLAIMS.read_text()
    shutil.copy(project / "recipes/mislabelled-digits.toml", project / "recipes/other.toml")
    test = text[text.index("[[paper.tests]]") :]
    page.CLAIMS.write_text(text + test.replace('"mislabelled-digits"', '"other"'))
    assert "| 1. It helps | not settled | 1 holds, 1 not run |" in page.overview("paper")
