"""`expunge bench` at a scale and in part: what is run, shown, kept and said to reproduce it."""

import json
import os

from tests.cli.conftest import ok

from expunge.report.results import load_results

RECIPE = """
title = "Large"
scenarios = ["class:3", "random:0.1"]
seeds = [0, 1, 2]
metrics = ["ua", "ta"]
[data]
source = "nobody/has-this"
[network]
name = "resnet18"
[training]
epochs = 182
[methods.retrain]
[methods.ft]
epochs = 1
[methods.slow]
method = "ft"
title = "FT, slowly"
epochs = 1
lr = 1e-3
[subsets.slow_only]
methods = ["slow"]
scenarios = ["class:3"]
seeds = [1]
[scales.cpu.data]
source = "digits"
train_limit = 60
test_limit = 30
[scales.cpu.network]
name = "resnet8"
width = 0.25
[scales.cpu.training]
epochs = 1
rewind_epoch = 0
"""


def test_a_subset_at_a_scale_is_run_shown_and_kept(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = tmp_path / "table.toml"
    recipe.write_text(RECIPE)
    asked = ["bench", "table.toml", "--scale", "cpu", "--only", "slow_only"]
    code, out, err = command(*asked, "--dry-run")
    assert code == 0, err
    assert "Recipe table at scale cpu, only slow_only." in out
    assert "--only slow_only leaves out scenario random:0.1; method ft; seeds 0, 2" in err
    plan = json.loads(ok(command(*asked, "--dry-run", "--json")))
    assert plan["recipe"]["scale"] == "cpu"
    assert plan["recipe"]["left_out"] == ["scenario random:0.1", "method ft", "seeds 0, 2"]
    assert "FT, slowly" in ok(command(*asked))
    results = load_results(tmp_path / "table-cpu" / "results.json")
    assert {(cell["method"], cell.get("of"), cell["seed"]) for cell in results["cells"]} == {
        ("original", None, 1),
        ("retrain", None, 1),
        ("slow", "ft", 1),
    }
    digest = results["recipe"].pop("digest")
    assert len(digest) == 32
    assert results["recipe"] == {"name": "table", "scale": "cpu", "only": "slow_only"}
    assert results["reproduce"] == "expunge bench table.toml --scale cpu --only slow_only"
    report = tmp_path / "table-cpu" / "report.html"
    report.write_text("of older results")
    assert "FT, slowly" in ok(command(*results["reproduce"].split()[1:]))
    assert report.read_text() == "of older results"
    os.utime(report, (0, 0))
    ok(command(*asked))
    assert "FT, slowly" in report.read_text()


def test_a_scale_or_part_that_is_not_there_is_refused_before_any_work(command, tmp_path):
    recipe = tmp_path / "table.toml"
    recipe.write_text(RECIPE)
    for asked, message in (
        (["--scale", "gpu"], "unknown scale 'gpu': expected one of paper, cpu"),
        (["--only", "slowly"], "unknown subset, method or scenario 'slowly'"),
    ):
        for study in ("bench", "theory"):
            code, _, err = command(study, recipe, *asked, "--out", tmp_path / "out")
            assert code == 2
            assert message in err
            assert not (tmp_path / "out").exists()
