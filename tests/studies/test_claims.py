"""Claims in a recipe, and Retrain by another seed in a grid."""

import pytest
from tests.studies.small import TINY, made, planned, tiny

from expunge.config import to_mapping
from expunge.errors import ConfigError
from expunge.graph.model_files import WEIGHTS
from expunge.models.weights import read_tensors
from expunge.report import check_results, findings, to_text
from expunge.report.aggregate import aggregate
from expunge.statistics.claims import Claim, Side
from expunge.studies.folder import claim, collect_grid, plain
from expunge.studies.recipe import parse_experiment

CLAIM = """
[[claims]]
name = "sparse models forget more"
scenario = "class:3"
measure = "ua"
first = { method = "l1_sparse", pruner = "omp", sparsity = 0.5 }
second = { method = "l1_sparse" }
direction = "higher"
effect = 2
"""


def test_a_claim_is_read_from_a_recipe():
    (found,) = tiny(TINY + CLAIM).claims
    assert found == Claim(
        name="sparse models forget more",
        scenario="class:3",
        measure="ua",
        first=Side(method="l1_sparse", pruner="omp", sparsity=0.5),
        second=Side(method="l1_sparse"),
        direction="higher",
        effect=2.0,
    )
    assert tiny().claims == ()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"class:3"\n', '"class:4"\n', "unknown scenario 'class:4'"),
        ('{ method = "l1_sparse" }', '{ method = "ft" }', "unknown method 'ft'"),
        ('"omp"', '"omb"', "unknown pruner 'omb'"),
        ("sparsity = 0.5 }", "sparsity = 0.6 }", r"omp at sparsity \[0.5\], got 0.6"),
        ('measure = "ua"', 'measure = "au"', "unknown measure 'au'"),
        ('measure = "ua"', 'measure = "gap.drift"', "there is no gap of drift"),
        ('measure = "ua"', 'measure = "ta_forgotten"', "unknown measure 'ta_forgotten'"),
        ('"higher"', '"up"', "direction must be one of lower, higher"),
        ("effect = 2", "effect = 0", "effect must be a number above 0"),
        ("effect = 2\n", "", "effect is missing"),
        ("first = ", "frist = ", "first must be a table"),
        ('direction = "higher"', 'direction = "higher"\nsize = 2', "unknown setting 'size'"),
    ],
)
def test_a_claim_that_the_grid_cannot_judge_is_refused(old, new, message):
    assert old in CLAIM
    with pytest.raises(ConfigError, match=message):
        parse_experiment(TINY + CLAIM.replace(old, new), "recipe")


@pytest.mark.parametrize(
    ("removed", "claimed", "message"),
    [
        ("[methods.retrain]\n", 'measure = "gap.ua"', "no gap without the method retrain"),
        ("[methods.retrain]\n", "", "no gap without the method retrain"),
        ('"ua", "ra", "ta", ', "", "none of the metrics that a gap is over is in the recipe"),
        ("", 'measure = "rte_s"', "the original unlearns nothing, so it has no rte_s"),
    ],
)
def test_a_claim_about_what_no_cell_will_hold_is_refused(removed, claimed, message):
    assert removed in TINY
    text = TINY.replace(removed, "") + CLAIM.replace('measure = "ua"', claimed)
    if "rte_s" in claimed:
        text = text.replace('second = { method = "l1_sparse" }', 'second = { method = "original" }')
    with pytest.raises(ConfigError, match=message):
        parse_experiment(text, "recipe")


@pytest.mark.parametrize(
    ("method", "there", "measure", "message"),
    [
        ("l1_sparse", 0.5, "ua", "l1_sparse is not run at sparsity 0.0"),
        ("l1_sparse", 0.0, "ua", "l1_sparse is not run at sparsity 0.5"),
        ("retrain", 0.0, "gap.ua", "there is no gap without retrain at sparsity 0.5"),
        ("retrain", 0.0, "gap", "there is no gap without retrain at sparsity 0.5"),
        ("retrain", 0.5, "gap_dense", "there is no gap without retrain at sparsity 0.0"),
    ],
)
def test_a_claim_about_a_cell_that_is_left_out_is_refused(method, there, measure, message):
    place = f"[methods.{method}]\n"
    text = TINY.replace(place, f"{place}sparsities = [{there}]\n")
    with pytest.raises(ConfigError, match=message):
        parse_experiment(text + CLAIM.replace('"ua"', f'"{measure}"'), "recipe")
    if measure == "gap_dense":
        parse_experiment(text + CLAIM, "recipe")


def test_what_was_seen_before_is_kept_with_the_claim():
    found = tiny(TINY + CLAIM + 'seen = "seed 0"\n')
    assert found.claims[0].seen == "seed 0"
    assert plain(found)["claims"][0]["seen"] == "seed 0"
    assert "seen" not in plain(tiny(TINY + CLAIM))["claims"][0]


def test_retrain_by_another_seed_may_be_a_side_where_it_is_made():
    floor = CLAIM.replace(
        'second = { method = "l1_sparse" }', 'second = { method = "retrain_again" }'
    )
    assert tiny("retrain_again = true\n" + TINY + floor).claims[0].second.method == "retrain_again"
    with pytest.raises(ConfigError, match="unknown method 'retrain_again'"):
        tiny(TINY + floor)
    levels = TINY.replace("[methods.retrain]", "[methods.retrain]\nsparsities = [0.0]")
    sparse = floor.replace('"retrain_again" }', '"retrain_again", pruner = "omp", sparsity = 0.5 }')
    with pytest.raises(ConfigError, match=r"retrain_again is not run at sparsity 0.5"):
        tiny("retrain_again = true\n" + levels + sparse)


def test_claims_are_tables_with_names_of_their_own():
    with pytest.raises(ConfigError, match="recipe: claims must be tables"):
        parse_experiment("claims = 3\n" + TINY, "recipe")
    with pytest.raises(ConfigError, match="'sparse models forget more' is there twice"):
        parse_experiment(TINY + CLAIM + CLAIM, "recipe")


@pytest.mark.parametrize("measure", ["gap", "gap_dense", "gap.ua", "rte_s", "drift"])
def test_a_claim_may_be_about_any_number_of_the_grid(measure):
    text = TINY + CLAIM.replace('"ua"', f'"{measure}"')
    assert parse_experiment(text, "recipe").claims[0].measure == measure


def test_claims_cannot_be_named_afterwards(tmp_path):
    """A folder of results keeps the settings that it was made with."""
    claim(tmp_path, tiny())
    with pytest.raises(Exception, match="an experiment with other settings"):
        claim(tmp_path, tiny(TINY + CLAIM))


def test_retrain_again_needs_retrain():
    text = TINY.replace("[methods.retrain]\n", "")
    for recipe, message in (
        ("retrain_again = true\n" + text, "retrain_again needs Retrain itself"),
        ('retrain_again = "yes"\n' + TINY, "retrain_again must be of type bool"),
    ):
        with pytest.raises(ConfigError, match=message):
            parse_experiment(recipe, "recipe")


ONE = tiny("retrain_again = true\n" + TINY + CLAIM, scenarios=("class:3",))


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    graph, cells = made(tmp_path_factory.mktemp("runs"), ONE)
    return graph, collect_grid(graph.store, ONE, cells, "reproduce")


def test_retrain_by_another_seed_is_another_network_of_the_same_forget_set(grid):
    graph, results = grid
    by_method = {(c["method"], c["pruner"]): c for c in results["cells"]}
    for pruner in ("none", "omp"):
        first, again = by_method["retrain", pruner], by_method["retrain_again", pruner]
        one, other = (graph.node(cell["run"]) for cell in (first, again))
        assert one.parents == other.parents
        assert other.params == {**one.params, "another_seed": True}
        weights = [read_tensors(graph.store.path(cell["run"]) / WEIGHTS) for cell in (first, again)]
        name = next(name for name, tensor in weights[0].items() if tensor.ndim == 4)
        assert not weights[0][name].equal(weights[1][name])
        for key, value in again["metrics"].items():
            if key in again["gap"]:
                assert again["gap"][key] == pytest.approx(abs(value - first["metrics"][key]))
        assert again["rte_s"] > 0
        assert first["gap"]["avg"] == 0


def test_the_report_shows_the_floor_and_the_claim(grid):
    _, results = grid
    table, last = to_text(check_results(results))
    assert [row[0] for row in table.rows] == [
        *("Retrain", "Retrain, another seed", "Original", "ℓ1-sparse"),
    ]
    (found,) = aggregate(results)
    assert any("Retrain by another seed is " in sentence for sentence in findings(found).rest)
    assert any("“sparse models forget more”: not settled" in note for note in last.notes)
    assert results["settings"]["claims"] == [to_mapping(ONE.claims[0])]


def test_without_the_option_nothing_is_retrained_again(tmp_path):
    graph, cells = planned(tmp_path, tiny(scenarios=("class:3",)))
    assert not any("another_seed" in node.params for node in graph)
    assert {cell.method for cell in cells} == {"retrain", "original", "l1_sparse"}


@pytest.mark.parametrize(
    ("epochs", "said"), [("", False), ("epochs = 2", False), ("epochs = 1", True)]
)
def test_a_retrain_of_other_epochs_is_named_in_every_gap_of_the_scenario(tmp_path, epochs, said):
    text = TINY.replace(
        "[methods.retrain]", f"[methods.retrain]\n[methods.retrain.class]\n{epochs}"
    )
    _, cells = planned(tmp_path, tiny(text))
    for cell in cells:
        if said and cell.scenario == "class:3":
            assert cell.gap_note.startswith("Retrain is trained for 1 epoch, the original for 2:")
        else:
            assert cell.gap_note is None
