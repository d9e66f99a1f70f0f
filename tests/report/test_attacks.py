import re

import pytest

from expunge.errors import DataError
from expunge.report import check_results, render_html
from expunge.report.aggregate import aggregate
from expunge.report.attacks import ATTACK_HEADER, ATTACK_MEASURES, attack_rows

KEYS = [measure.key for measure in ATTACK_MEASURES]


@pytest.fixture
def attacked(results):
    """Two attacks on every model, whose numbers grow with the seed."""
    for cell in results["cells"]:
        base = dict.fromkeys(KEYS, 50.0 + cell["seed"])
        cell["attacks"] = {
            "confidence_svc": base | {"efficacy": 10.0 * cell["seed"]},
            "modified_entropy_threshold": base | {"forget_auc": None},
        }
    return results


def test_a_row_for_each_model_and_attack_over_seeds(attacked):
    scenario = aggregate(check_results(attacked))[0]
    rows = attack_rows(scenario)
    assert len(rows) == 2 * len(scenario.groups)
    assert all(len(row) == len(ATTACK_HEADER) for row in rows)
    texts = [[text for text, _ in row] for row in rows]
    assert texts[0][:5] == ["dense", "Retrain", "confidence, SVC", "10.00±10.00", "51.00±1.00"]
    assert rows[0][3][1] == 10
    assert texts[1][2] == "modified entropy, threshold"
    assert texts[1][3 + KEYS.index("forget_auc")] == "—"
    assert texts[-1][:2] == ["95 % OMP", "GA"]


def test_they_are_folded_away_and_explained(attacked):
    html = render_html(attacked)
    (first, second) = re.findall(
        r"<details class=\"more\">\s*<summary>Membership attacks one by one.*?</details>",
        html,
        re.S,
    )
    assert "modified entropy, threshold" in first
    assert all(measure.meaning in first for measure in ATTACK_MEASURES)
    assert "forget 10 % at random: membership attacks" in second.lower()
    main = html.split("<details")[0]
    assert "modified entropy" not in main


def test_without_attacks_there_is_no_such_table(results):
    assert "Membership attacks one by one" not in render_html(results)
    results["cells"][0]["attacks"] = None
    check_results(results)


@pytest.mark.parametrize(
    ("attacks", "message"),
    [
        ([], "attacks must be an object or null, got a list"),
        ({"confidence_svc": 3.0}, "attacks: confidence_svc must be an object, got a number"),
        ({"confidence_svc": {"auc": "high"}}, "attacks: confidence_svc: auc must be a number"),
    ],
)
def test_attacks_of_the_wrong_kind_are_refused(results, attacks, message):
    results["cells"][1]["attacks"] = attacks
    with pytest.raises(DataError, match=f"cell 1: {message}"):
        check_results(results)
