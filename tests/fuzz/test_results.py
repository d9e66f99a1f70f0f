import json

import pytest
from hypothesis import given
from tests.fuzz.conftest import changed, fuzz, outcome
from tests.report.conftest import build

from expunge.report import check_results, load_results, to_text
from expunge.report.aggregate import aggregate
from expunge.report.comparison import comparison_json
from expunge.report.contrast import contrast
from expunge.report.contrast_text import contrast_json, difference_tables, setting_lines
from expunge.report.latex import to_latex
from expunge.report.tidy import to_csv
from expunge.runs import Node, read_object

RESULTS = json.loads(json.dumps(build(1)))
RESULTS["cells"] = RESULTS["cells"][:6]
RESULTS["settings"]["published"] = [
    {"scenario": "class:3", "method": method, "source": "S", "how": "read", "n": 10}
    | {"values": {"ua": [22.5, 8.2], "ra": [99.0]}, "setting": {"training.epochs": 182}}
    | {"config": {"epochs": 10}}
    for method in ("ft", "retrain")
]


def report(path):
    return list(to_text(load_results(path)))


def test_the_results_that_are_changed_are_some(folder):
    assert check_results(RESULTS)
    (folder / "results.json").write_text(json.dumps(RESULTS))
    assert report(folder / "results.json")


@pytest.mark.parametrize("depth", [*range(900, 1010, 5), 100_000])
def test_deep_values(folder, depth):
    deep = "[" * depth + "]" * depth
    path = folder / "deep.json"
    path.write_text(json.dumps(RESULTS).replace('"config": {', f'"config": {{"x": {deep}, ', 1))
    outcome(lambda: report(path))
    node = {"kind": "a", "version": 1, "parents": {}, "where": {}, "params": {"x": []}}
    path.write_text(json.dumps(node).replace("[]", deep))
    outcome(lambda: Node.from_json(read_object(path)))


@fuzz(300)
@given(changed(RESULTS))
def test_results(folder, document):
    path = folder / "results.json"
    path.write_text(json.dumps(document))
    outcome(lambda: report(path))


@fuzz(100)
@given(changed({"cells": RESULTS["cells"][0], "metrics": RESULTS["metrics"]}))
def test_cells(folder, parts):
    path = folder / "results.json"
    document = {**RESULTS, "cells": [parts.get("cells")], "metrics": parts.get("metrics")}
    path.write_text(json.dumps(document))
    outcome(lambda: report(path))


def written(path):
    """All that one results document is made into, and what it is against another."""
    document = load_results(path)
    found = [to_csv(document), to_latex(document), comparison_json(aggregate(document))]
    other = contrast(document, check_results(RESULTS))
    return [
        *found,
        setting_lines(other),
        difference_tables(other),
        json.dumps(contrast_json(other)),
    ]


@fuzz(200)
@given(changed(RESULTS))
def test_exports_and_comparisons(folder, document):
    path = folder / "results.json"
    path.write_text(json.dumps(document))
    outcome(lambda: written(path))
