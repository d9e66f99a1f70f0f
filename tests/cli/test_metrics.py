"""`expunge metrics`, as a person at a terminal meets it."""

import json

from expunge.metrics import COMPARED, DEFAULT_METRICS, METRICS


def ok(result):
    code, out, err = result
    assert code == 0, err
    return out


def test_metrics_are_listed_with_unit_needs_and_citation(command):
    listed = {entry["name"]: entry for entry in json.loads(ok(command("metrics", "--json")))}
    assert list(listed) == [metric.name for metric in METRICS]
    assert all(entry["unit"] and entry["cite"] and entry["needs"] for entry in listed.values())
    assert tuple(name for name, entry in listed.items() if entry["compared"]) == COMPARED
    assert {name for name, entry in listed.items() if entry["default"]} == {*DEFAULT_METRICS}
    assert "mia_privacy" in ok(command("metrics"))


def test_all_about_one(command):
    about = ok(command("metrics", "confidence"))
    assert "percent, an object of numbers" in about
    assert "train, test, base_train, base_test" in about
    (one,) = json.loads(ok(command("metrics", "ua", "--json")))
    assert (one["name"], one["short"], one["compared"]) == ("ua", "UA", True)


def test_an_unknown_one_is_one_line_and_exit_code_2(command):
    code, out, err = command("metrics", "uaa")
    assert (code, out) == (2, "")
    assert err.startswith("error: unknown metric 'uaa'")
    assert "did you mean 'ua'" in err
