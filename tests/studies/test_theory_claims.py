"""Claims about the theorem's quantities: their verdicts by hand, and what is refused."""

import json
import math
import statistics
from pathlib import Path

import pytest
from tests.studies.test_theory import RECIPE

from expunge.errors import ConfigError
from expunge.statistics.intervals import half_width
from expunge.studies.recipe import parse_experiment
from expunge.studies.theory import settings_of
from expunge.studies.theory_claims import (
    TheoryClaim,
    judge_theory,
    parse_theory_claims,
    read_theory,
)

RECIPES = Path(__file__).parents[2] / "recipes"

EXPERIMENT = parse_experiment(RECIPE, "tiny")
FACTOR = {
    "name": "lower",
    "scenario": "class:3",
    "pruner": "omp",
    "measure": "error",
    "sparsity": 0.5,
    "direction": "lower",
    "effect": 2.0,
}
TREND = {
    "name": "falls",
    "scenario": "class:3",
    "pruner": "omp",
    "measure": "correlation",
    "of": "sparsity",
    "direction": "lower",
    "effect": 0.8,
}


def point(seed, sparsity, error, scenario="class:3"):
    return {
        "seed": seed,
        "scenario": scenario,
        "pruner": "omp" if sparsity else "none",
        "sparsity": sparsity,
        "distances": {"add_back": error},
        "moved": 2 * error,
    }


def points():
    rows = []
    for seed, ratio in enumerate((3.0, 4.0, 5.0)):
        rows += [point(seed, 0.0, ratio), point(seed, 0.5, 1.0), point(seed, 0.9, 0.5)]
        rows.append(point(seed, 0.5, 99.0, scenario="random:0.1"))
    return rows


def test_a_factor_is_a_difference_of_logarithms_over_seeds():
    found = judge_theory(TheoryClaim(**FACTOR), points())
    logs = [-math.log(ratio) for ratio in (3, 4, 5)]
    mean, reach = statistics.fmean(logs), half_width(3) * statistics.stdev(logs)
    assert found["difference"] == pytest.approx(math.exp(mean))
    assert found["low"] == pytest.approx(math.exp(mean - reach))
    assert found["high"] == pytest.approx(math.exp(mean + reach))
    assert (found["verdict"], found["n"]) == ("holds", 3)
    assert judge_theory(TheoryClaim(**{**FACTOR, "effect": 20.0}), points())["verdict"] == (
        "does not hold"
    )


def test_a_correlation_is_taken_within_each_seed():
    """Over all seeds together it would not be -1: their errors overlap."""
    rows = points()
    found = judge_theory(TheoryClaim(**TREND), rows)
    assert found["difference"] == pytest.approx(-1)
    assert (found["verdict"], found["n"]) == ("holds", 3)
    claim = TheoryClaim(**{**TREND, "of": "moved", "direction": "higher"})
    assert judge_theory(claim, rows)["difference"] == pytest.approx(1)
    rows[2]["distances"]["add_back"] = 50.0
    assert judge_theory(TheoryClaim(**TREND), rows)["verdict"] == "not settled"


def test_few_sparsities_give_no_correlation():
    rows = [each for each in points() if each["sparsity"] != 0.9]
    found = judge_theory(TheoryClaim(**TREND), rows)
    assert (found["verdict"], found["n"], found["difference"]) == ("not settled", 0, None)


@pytest.mark.parametrize("name", ["theory-digits", "theory-digits-short"])
def test_seeds_that_had_been_seen_judge_no_shipped_claim(name):
    """A document holds its claims as named beforehand."""
    path = RECIPES / f"{name}.toml"
    (seen, none), (unseen, claims) = (read_theory(path, scale) for scale in ("paper", "unseen"))
    assert not set(seen.seeds) & set(unseen.seeds)
    assert (len(none), len(claims)) == (0, 4)


def test_claims_are_part_of_the_settings():
    claims = parse_theory_claims({"claims": [FACTOR, TREND]}, EXPERIMENT, "tiny")
    assert [each["name"] for each in settings_of(EXPERIMENT, claims)["theory"]["claims"]] == [
        "lower",
        "falls",
    ]
    assert "theory" not in settings_of(EXPERIMENT, ())


def test_a_part_of_a_recipe_leaves_out_the_claims_about_the_rest(tmp_path):
    recipe = tmp_path / "tiny.toml"
    claims = [FACTOR, {**TREND, "scenario": "random:0.1"}]
    tables = [
        "\n".join(f"{name} = {json.dumps(value)}" for name, value in claim.items())
        for claim in claims
    ]
    text = RECIPE.replace('["class:3"]', '["class:3", "random:0.1"]')
    recipe.write_text(text + "".join(f"\n[[theory.claims]]\n{table}" for table in tables))
    assert [claim.name for claim in read_theory(recipe)[1]] == ["lower", "falls"]
    part, kept = read_theory(recipe, only="class:3")
    assert [claim.name for claim in kept] == ["lower"]
    assert part.recipe.left_out == ("scenario random:0.1", "claim 'falls'")
    recipe.write_text(recipe.read_text().replace('pruner = "omp"', 'pruner = "imp"'))
    with pytest.raises(ConfigError, match="unknown pruner 'imp'"):
        read_theory(recipe, only="class:3")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"claim": []}, "holds claims only"),
        ({"claims": [3]}, r"theory.claims must be tables, each under \[\[theory.claims\]\]"),
        ({"claims": [{**FACTOR, "scenario": "class:4"}]}, "class:4"),
        ({"claims": [{**FACTOR, "pruner": "imp"}]}, "imp"),
        ({"claims": [{**FACTOR, "sparsity": 0.6}]}, "0.6"),
        ({"claims": [{**FACTOR, "effect": 0.5}]}, "factor above 1"),
        ({"claims": [{**FACTOR, "of": "moved"}]}, "no of"),
        ({"claims": [{**TREND, "sparsity": 0.5}]}, "no sparsity"),
        ({"claims": [{**TREND, "of": "moon"}]}, "one of moved"),
        ({"claims": [{**TREND, "effect": 1.5}]}, "at most 1"),
        ({"claims": [TREND, TREND]}, "twice"),
        ({"claims": [{**TREND, "nmae": "x"}]}, "nmae"),
    ],
)
def test_what_is_not_a_claim_is_refused(table, message):
    with pytest.raises(ConfigError, match=message):
        parse_theory_claims(table, EXPERIMENT, "tiny")
