"""The page's JSON: what the comparison draws is what the cells say."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from expunge.report import render_html
from expunge.report.aggregate import aggregate
from expunge.report.comparison import comparison_json
from expunge.report.text import to_text


def document(results):
    return json.loads(comparison_json(aggregate(results)))


def values(results, of, method, pruner, scenario="class:3"):
    return [
        of(cell)
        for cell in results["cells"]
        if (cell["scenario"], cell["method"], cell["pruner"]) == (scenario, method, pruner)
    ]


def entry(scenario, method, measure, level):
    by = {each["label"]: each for each in scenario["methods"]}
    shorts = [each["short"] for each in scenario["measures"]]
    levels = [each["label"] for each in scenario["levels"]]
    return by[method]["cells"][shorts.index(measure)][levels.index(level)]


@pytest.mark.parametrize(
    ("measure", "of"),
    [
        ("UA", lambda cell: cell["metrics"]["ua"]),
        ("MIA-privacy", lambda cell: cell["metrics"]["mia_privacy"]),
        ("Mean gap", lambda cell: cell["gap"]["avg"]),
        ("Mean gap to dense Retrain", lambda cell: cell["gap_dense"]["avg"]),
        ("RTE", lambda cell: cell["rte_s"]),
    ],
)
def test_means_and_bands_are_those_of_the_cells(results, measure, of):
    scenario = document(results)["scenarios"][0]
    for pruner, level in (("none", "dense"), ("omp", "95 % OMP")):
        seeds = values(results, of, "ga", pruner)
        found = entry(scenario, "GA", measure, level)
        assert found["mean"] == pytest.approx(np.mean(seeds))
        assert found["std"] == pytest.approx(np.std(seeds, ddof=1))
        assert found["n"] == 3
        low, high = stats.ttest_1samp(seeds, 0).confidence_interval(0.95)
        assert found["band"] == [pytest.approx(low), pytest.approx(high), "interval"]


def test_texts_are_those_of_the_tables(results):
    scenario = document(results)["scenarios"][0]
    dense = to_text(results)[0]
    for row in dense.rows:
        for measure, printed in zip(dense.header[1:], row[1:], strict=True):
            found = entry(scenario, row[0], measure, "dense")
            assert printed.startswith(found["text"])
            assert "beside" not in found or printed.endswith(f"({found['beside']})")
    missing = entry(scenario, "ℓ1-sparse", "UA", "95 % OMP")
    assert missing == {"text": "—", "why": "ℓ1-sparse was not run at this sparsity."}


def test_gaps_and_places_are_there_to_draw(results):
    scenario = document(results)["scenarios"][0]
    gaps = values(results, lambda cell: cell["gap"]["ua"], "ft", "omp")
    found = entry(scenario, "FT", "UA", "95 % OMP")
    assert found["gap"] == pytest.approx(np.mean(gaps))
    assert found["radius"] == pytest.approx(1 - np.mean(gaps) / scenario["radar"]["scale"])
    assert entry(scenario, "Retrain", "Mean gap", "dense")["mean"] == 0
    assert [level["across"] for level in scenario["levels"]] == [0, pytest.approx(-math.log(0.05))]
    sparsity = entry(scenario, "ℓ1-sparse", "Sparsity, measured", "dense")
    assert sparsity["mean"] == pytest.approx(41.2)


def test_what_cannot_be_shown_says_why(results, without_reference):
    assert document(without_reference)["scenarios"][0]["radar"]["why_not"].startswith("No radar")
    one_level = [cell for cell in results["cells"] if cell["pruner"] == "none"]
    scenario = document(results | {"cells": one_level})["scenarios"][0]
    assert scenario["curves"]["why_not"].startswith("No curves over sparsity")
    html = render_html(results | {"cells": one_level})
    assert html.count("<p>No curves over sparsity: one level was measured, dense.</p>") == 2


def test_no_name_ends_the_script_that_the_json_stands_in(results):
    for cell in results["cells"]:
        if cell["method"] == "ga":
            cell["method"] = "</script><!--&]]>__proto__"
    text = comparison_json(aggregate(results))
    assert not {"<", ">", "&"} & set(text)
    names = [each["label"] for each in json.loads(text)["scenarios"][0]["methods"]]
    assert "</script><!--&]]>--proto--" in names
