import pytest

from expunge.report.aggregate import aggregate
from expunge.report.summary import findings


@pytest.fixture
def set_gaps(results, find):
    """Set the mean gaps of a method, one a seed, in the first scenario."""

    def set_gaps(method, values, pruner="none"):
        for seed, value in enumerate(values):
            find(method, pruner=pruner, seed=seed)["gap"]["avg"] = value

    return set_gaps


@pytest.fixture
def read(results):
    def read():
        found = findings(aggregate(results)[0])
        return found.lead, " ".join(found.rest)

    return read


def test_the_closest_method_its_distance_and_its_share_of_time(set_gaps, read, find):
    set_gaps("ft", [25, 25, 26])
    set_gaps("ga", [7, 7, 7])
    set_gaps("l1_sparse", [1, 1, 1.3])
    for seed in range(3):
        find("l1_sparse", seed=seed)["rte_s"] = 50.0
        find("retrain", seed=seed)["rte_s"] = 1000.0
    lead, rest = read()
    assert lead[0] == (
        "Dense: ℓ1-sparse is closest to Retrain, 1.10 points away on average, in 5 % of Retrain’s "
        "time; GA is next at 7.00."
    )
    assert "Dense, the" not in rest


def test_an_order_within_the_spread_is_not_settled(set_gaps, read):
    set_gaps("ft", [9, 9, 9])
    set_gaps("ga", [2, 3, 4])
    set_gaps("l1_sparse", [2, 2, 2.3])
    _, rest = read()
    assert (
        "Dense, the 0.90 points between ℓ1-sparse and GA are less than the spread over seeds: "
        "their order is not settled." in rest
    )


@pytest.mark.parametrize(
    ("dense", "sparse", "words"),
    [
        ([10, 10, 11], [4, 4, 5], "helped FT (10.33 → 4.33)"),
        ([4, 4, 5], [10, 10, 11], "hurt FT (4.33 → 10.33)"),
        ([4, 8, 12], [5, 9, 13], "made no clear difference to FT (8.00 → 9.00)"),
        ([4, 4, 4], [4, 4, 4], "made no clear difference to FT (4.00 → 4.00)"),
    ],
)
def test_what_sparsity_did_to_a_method(results, set_gaps, read, dense, sparse, words):
    results["cells"] = [c for c in results["cells"] if c["method"] in ("retrain", "ft")]
    set_gaps("ft", dense)
    set_gaps("ft", sparse, pruner="omp")
    _, rest = read()
    assert f"Against dense, 95 % OMP {words}, in mean gap." in rest


@pytest.mark.parametrize(
    ("ta", "words"),
    [
        (90.0, "Retrain’s own TA is 4.00 points lower at 95 % OMP than dense, so gaps there are"),
        (95.0, "Retrain’s own TA is 1.00 points higher at 95 % OMP than dense."),
        (94.05, "Retrain’s own TA is the same at 95 % OMP (within 0.1 points)."),
    ],
)
def test_a_weaker_reference_is_named(find, read, ta, words):
    for seed in range(3):
        find("retrain", seed=seed)["metrics"]["ta"] = 94.0
        find("retrain", pruner="omp", seed=seed)["metrics"]["ta"] = ta
    assert words in read()[1]


def test_a_scenario_that_does_not_discriminate_says_so(results, set_gaps, read):
    results["cells"] = [
        c for c in results["cells"] if c["pruner"] == "none" and c["method"] != "l1_sparse"
    ]
    set_gaps("original", [2, 2, 2])
    set_gaps("ft", [1.5, 1.5, 1.5])
    set_gaps("ga", [3, 3, 3])
    _, rest = read()
    assert (
        "The original model, which forgot nothing, is 2.00 points (dense) from Retrain. No method "
        "comes 1 point closer: this scenario hardly tells unlearning from doing nothing. "
        "GA (dense) ends no closer than that." in rest
    )


def test_methods_hardly_closer_than_doing_nothing_are_named(set_gaps, read):
    set_gaps("original", [8, 8, 8])
    set_gaps("ft", [7.5, 7.5, 7.5])
    set_gaps("ga", [7.6, 7.6, 7.6])
    set_gaps("l1_sparse", [1, 1, 1])
    _, rest = read()
    assert "FT (dense) and GA (dense) come less than 1 point closer to it than that." in rest
    assert "hardly tells" not in rest


def test_seeds_are_counted(results, one_seed, read, find):
    assert read()[1].endswith("Every number is the mean of n = 3 seeds.")
    results["cells"].remove(find("ft", seed=2))
    assert read()[1].endswith("Seeds: 2 to 3, not the same number for every method.")
    assert findings(aggregate(one_seed)[0]).rest[-1].startswith("Caution, n = 1: there is one seed")


def test_without_a_reference_there_is_no_winner(without_reference):
    found = findings(aggregate(without_reference)[0])
    assert found.lead == (
        "Dense: no gap to Retrain can be given (retrain was not run at this sparsity).",
        "95 % OMP: no gap to Retrain can be given (retrain was not run at this sparsity).",
    )
    assert found.rest == ("Every number is the mean of n = 3 seeds.",)


def test_one_method_is_not_the_closest_of_many(results, read):
    results["cells"] = [c for c in results["cells"] if c["method"] in ("retrain", "ga")]
    assert "GA is the only method with a gap to Retrain" in read()[0][0]


def test_references_alone(results, read):
    results["cells"] = [c for c in results["cells"] if c["method"] in ("retrain", "original")]
    lead, rest = read()
    assert lead[0] == "Dense: no gap to Retrain can be given (no method was run)."
    assert "hardly tells" not in rest


def test_without_a_dense_level_nothing_is_compared_with_it(results, read):
    for cell in results["cells"]:
        if cell["pruner"] == "none":
            cell["pruner"], cell["sparsity"] = "omp", 0.5
    assert "Against" not in read()[1]
