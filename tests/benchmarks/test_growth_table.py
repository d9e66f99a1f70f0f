"""The documentation's table of growth."""

import importlib.util

from tests.conftest import ROOT


def test_a_row_for_each_method_in_mib(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))  # as for a script that lies there
    spec = importlib.util.spec_from_file_location("fill", ROOT / "docs" / "fill.py")
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)
    powers = {"samples": 1.004, "forget": -0.25, "parameters": 0.5}
    row = {
        "method": "ft",
        "time": powers,
        "memory": {key: value + 1 for key, value in powers.items()},
        "held_bytes": 3 * 2**20,
        "peak_bytes": 2000 * 2**20,
    }
    lines = fill.growth({"exponents": [row]}).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[-1] == "| ft | 1.00 | -0.25 | 0.50 | 2.00 | 0.75 | 1.50 | 3 | 2,000 |"
