"""The demo as it is shipped: what it leaves, and what its report claims."""

import json
import re
import sys

import pytest

from expunge.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("demo") / "demo"


def demo(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["expunge", "demo", "--out", str(folder)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code
    return capsys.readouterr()


@pytest.mark.slow
def test_the_demo(folder, monkeypatch, capsys):
    demo(folder, monkeypatch, capsys)
    results = json.loads((folder / "results.json").read_text())
    cells = {(c["scenario"], c["pruner"], c["method"]): c for c in results["cells"]}
    scenarios = ("class:3", "random:0.1", "edited:relabel")
    assert set(cells) == {
        (scenario, pruner, method)
        for scenario in scenarios
        for pruner in ("none", "omp")
        for method in ("original", "retrain", "ft", "ga", "l1_sparse")
    }

    def found(scenario, method, metric, pruner="none"):
        return cells[scenario, pruner, method]["metrics"][metric]

    for scenario in scenarios:
        for pruner in ("none", "omp"):
            # The original knows all of the forget set by heart; the retrained model does not.
            assert found(scenario, "original", "ua", pruner) < 2
            assert found(scenario, "retrain", "ua", pruner) > 10
            assert found(scenario, "retrain", "ra", pruner) > 98
        gaps = {name: cells[scenario, "none", name]["gap"]["avg"] for name in ("ft", "l1_sparse")}
        assert gaps["l1_sparse"] < gaps["ft"] / 2
    assert found("class:3", "retrain", "ua") == 100
    # Retrain, and ℓ1-sparse unlearning, call the mislabelled by another label: their own.
    for method in ("retrain", "l1_sparse"):
        assert found("edited:relabel", method, "ua") > 95
        better = found("edited:relabel", method, "ta") - found("edited:relabel", "original", "ta")
        assert better > 3
    assert cells["class:3", "omp", "ft"]["sparsity_at"]["0"] == pytest.approx(0.95, abs=0.001)
    trojan = json.loads((folder / "trojan" / "results.json").read_text())
    rates = {cell["method"]: cell["metrics"] for cell in trojan["cells"]}
    # FT leaves the Trojan, ℓ1-sparse does not, and neither costs accuracy.
    assert rates["original"]["asr"] > 95
    assert rates["retrain"]["asr"] < 3
    assert rates["ft"]["asr"] > 90
    assert rates["l1_sparse"]["asr"] < 10
    assert min(each["ta"] for each in rates.values()) > 95
    page = (folder / "report.html").read_text()
    assert len(page) > 100_000
    for said in ("Forget class 3", "Trojan cleanse", "Test images without and with the trigger"):
        assert said in page
    assert len(list((folder / "figures").glob("*.svg"))) >= 6
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    out, err = demo(folder, monkeypatch, capsys)
    assert "digits: 959 images of 1x8x8, 10 classes, no split" in err
    assert "  then edited: relabel (share 0.1)" in err
    assert "edited:relabel: 60 of 600 training samples to forget" in err
    assert "found" in err
    assert not re.findall(r"^ *[\d.]+s ", err, re.MULTILINE)
    assert "Forget class 3, dense" in out
    assert "Forget what badnets changed: Trojan cleanse" in out
    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert {p for p in before | after if before.get(p) != after.get(p)} <= {
        folder / "results.json",
        folder / "trojan" / "results.json",
    }
