"""The tables of the comparison of pruners, from a document by hand."""

import json

import pytest

from expunge.errors import DataError
from expunge.report.claims_table import claims_table
from expunge.report.pruning import draw_pruning, load_pruning, pruning_tables


def spread(mean, sd=None):
    return {"mean": mean, "sd": sd}


def document():
    shared = {"kept": spread(0.9, 0.01), "chance": spread(0.05), "chance_by_layer": spread(0.1)}
    return {
        "schema": 1,
        "claims": [
            {
                "name": "cheaper",
                "measure": "cost",
                "direction": "higher",
                "effect": 5.0,
                "verdict": "holds",
                "difference": 13.5,
                "low": 11.0,
                "high": 16.0,
                "n": 3,
            }
        ],
        "summary": [
            {
                "pruner": "omp",
                "sparsity": 0.95,
                "rounds": 1,
                "n": 3,
                "failed": 1,
                "cost": spread(1.02, 0.03),
                "accuracy": spread(-0.5, 0.2),
                "overlaps": [
                    {
                        "scenario": "class:3",
                        "against": against,
                        "n": 3,
                        "jaccard": spread(0.8, 0.02),
                        **shared,
                    }
                    for against in ("forget", "random", "order")
                ],
            }
        ],
    }


def test_numbers_have_their_spread_and_their_n():
    claims, cost, overlaps = pruning_tables(document())
    assert claims.rows == [["cheaper", "holds", "×13.5", "×11 to ×16", "higher by ×5", "3"]]
    assert cost.rows == [["95 % OMP", "1", "1.02 ± 0.03", "-0.50 ± 0.20", "3"]]
    assert "1 seeds gave no model" in cost.notes[1]
    assert overlaps.rows[0][1:] == [
        "without D_f",
        "0.800 ± 0.020",
        "0.900 ± 0.010",
        "0.050",
        "0.100",
        "3",
    ]
    assert len(overlaps.rows) == 3
    assert [each.name for each in draw_pruning(document())] == ["pruning-class-3"]


def test_a_claim_that_is_not_settled_has_no_numbers():
    claim = {**document()["claims"][0], "measure": "jaccard", "direction": "within"}
    claim |= {"difference": None, "low": None, "high": None, "n": 0, "effect": 0.05}
    assert claims_table([claim]).rows[0][2:] == ["—", "—", "within 0.05", "0"]


@pytest.mark.parametrize("change", [{"schema": 9}, {"summary": None}, {"claims": None}])
def test_another_document_is_refused(tmp_path, change):
    path = tmp_path / "pruning.json"
    path.write_text(json.dumps({**document(), **change}))
    with pytest.raises(DataError, match=r"pruning\.json"):
        load_pruning(path)
