"""`expunge bench --list`, and recipes by their names."""

import json

from tests.cli.conftest import ok


def test_shipped_recipes_are_listed(command):
    entries = json.loads(ok(command("bench", "--list", "--json")))
    (main,) = [each for each in entries if (each["name"], each["scale"]) == ("cifar10", "cpu")]
    assert main["makes"].startswith("main table")
    assert (main["seeds"], main["hub"]) == (3, False)
    shown = ok(command("bench", "--list"))
    for each in entries:
        assert each["name"] in shown
    for head in ("expunge bench", "expunge theory", "expunge pruning", "expunge transfer"):
        assert head in shown


def test_a_shipped_recipe_is_run_by_its_name(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = ok(command("bench", "l1-schedules", "--seeds", "1", "--dry-run"))
    assert "Recipe l1-schedules at scale paper." in out
    for study, name in (("theory", "theory-digits"), ("attribution", "attribution-digits")):
        assert "missing" in ok(command(study, name, "--seeds", "1", "--dry-run"))


def test_a_recipe_of_another_command_is_named(command):
    code, _, err = command("bench", "transfer-8px")
    assert code == 2
    assert "transfer-8px.toml is a recipe of another command: run it by expunge transfer" in err


def test_a_damaged_result_is_named(command, tmp_path, monkeypatch):
    (tmp_path / "sparsity").mkdir()
    (tmp_path / "sparsity" / "cut.json").write_text('{"cells": [')
    monkeypatch.setattr("expunge.studies.shipped.RESULTS", tmp_path)
    code, out, err = command("bench", "--list")
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert "cut.json: Expecting value" in line


def test_a_device_that_is_not_here_is_refused_before_anything(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for more in ([], ["--dry-run"]):
        code, out, err = command("bench", "l1-schedules", "--device", "cda", *more)
        assert (code, out) == (2, "")
        (line,) = err.splitlines()
        assert "device 'cda' is not available: expected auto" in line
        assert not [*tmp_path.iterdir()]


def test_a_bench_without_a_recipe_says_where_there_are_some(command):
    code, _, err = command("bench")
    assert code == 2
    assert "expunge bench --list" in err
    code, _, err = command("bench", "cifar1O")
    assert code == 2
    assert "did you mean 'cifar10'" in err
