import copy

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


FORBIDDEN = ("closest", "helped", "hurt", "best", "better", "worse", "winner")


def words_of(found):
    return " ".join((*found.lead, *found.claims, *found.rest))


def test_from_one_seed_there_are_only_values(one_seed):
    for scenario in aggregate(one_seed):
        found = findings(scenario)
        assert found.lead[0].startswith("Dense: mean gap to Retrain, in points: FT ")
        assert not any(word in words_of(found).lower() for word in (*FORBIDDEN, "lowest", "lower"))
        assert found.rest[-1].startswith(
            "Caution, n = 1: one seed. No difference can be told from chance"
        )
        assert " → " in " ".join(found.rest)


def test_no_words_of_praise_from_any_number_of_seeds(results):
    for scenario in aggregate(results):
        assert not any(word in words_of(findings(scenario)).lower() for word in FORBIDDEN)


def test_what_can_be_told_from_the_lowest_is_told_with_its_interval(set_gaps, read):
    set_gaps("ft", [25, 25, 26])
    set_gaps("ga", [7, 7, 7])
    set_gaps("l1_sparse", [1, 1, 1.3])
    lead, _ = read()
    # Differences 24, 24, 24.7 and 6, 6, 5.7; half the width is 2.484 deviations.
    assert lead[0] == (
        "Dense: ℓ1-sparse has the lowest mean gap to Retrain, 1.10 points; all others can be told "
        "from it: FT +24.23 (+23.23 to +25.24) and GA +5.90 (+5.47 to +6.33)."
    )


def test_the_set_that_cannot_be_told_from_the_lowest_is_named(set_gaps, read):
    set_gaps("ft", [9, 9, 9])
    set_gaps("ga", [2, 3, 4])
    set_gaps("l1_sparse", [2, 2, 2.3])
    lead, _ = read()
    assert lead[0].startswith(
        "Dense: GA and ℓ1-sparse cannot be told from the lowest mean gap to Retrain, 2.10 points "
        "(ℓ1-sparse). Told from it: FT +6.90 ("
    )


def test_where_nothing_can_be_told_nothing_is(set_gaps, read):
    set_gaps("ft", [1, 9, 4])
    set_gaps("ga", [2, 3, 4])
    set_gaps("l1_sparse", [2, 2, 2.3])
    assert read()[0][0] == (
        "Dense: no method can be told from the one with the lowest mean gap to Retrain "
        "(ℓ1-sparse, 2.10 points). In points: FT 4.67, GA 3.00 and ℓ1-sparse 2.10."
    )


def test_seeds_are_paired(set_gaps, read):
    """Between seeds gaps vary by 40 points; within each, GA is 1 point above."""
    set_gaps("ft", [99, 99, 99])
    set_gaps("l1_sparse", [10, 30, 50])
    set_gaps("ga", [11, 31.1, 50.9])
    assert "ℓ1-sparse has the lowest mean gap to Retrain, 30.00 points" in read()[0][0]
    set_gaps("ga", [31.1, 50.9, 11])
    assert "cannot be told from the lowest" in read()[0][0]


@pytest.mark.parametrize(
    ("dense", "sparse", "words"),
    [
        ([10, 10, 11], [4, 4, 5], "lower for FT 10.33 → 4.33, −6.00 (the same in all 3 seeds)"),
        ([4, 4, 5], [10, 10, 11], "higher for FT 4.33 → 10.33, +6.00 (the same in all 3 seeds)"),
        ([4, 8, 12], [5, 12, 11], "not told from no change for FT 8.00 → 9.33, +1.33 (−4.92 to"),
        (
            [4, 4, 4],
            [4, 4, 4],
            "not told from no change for FT 4.00 → 4.00, 0.00 (the same in all 3 seeds)",
        ),
    ],
)
def test_what_changes_with_sparsity(results, set_gaps, read, dense, sparse, words):
    results["cells"] = [c for c in results["cells"] if c["method"] in ("retrain", "ft")]
    set_gaps("ft", dense)
    set_gaps("ft", sparse, pruner="omp")
    assert f"Change in mean gap from dense to 95 % OMP: {words}" in read()[1]


def test_retrains_own_accuracy_is_told(find, read):
    for seed in range(3):
        find("retrain", seed=seed)["metrics"]["ta"] = 94.0
        find("retrain", pruner="omp", seed=seed)["metrics"]["ta"] = 90.0
    assert (
        "Retrain’s own TA is 94.00 dense and 90.00 at 95 % OMP: −4.00 (the same in all 3 "
        "seeds). Gaps there are to the sparse one." in read()[1]
    )


@pytest.mark.parametrize(("below", "said"), [(0.9, False), (1.1, True)])
@pytest.mark.parametrize("pruner", ["none", "omp"])
def test_a_reference_that_has_not_converged_is_named(find, read, below, said, pruner):
    for seed in range(3):
        find("original", pruner=pruner, seed=seed)["metrics"]["ra"] = 99.0
        find("retrain", pruner=pruner, seed=seed)["metrics"]["ra"] = 99.0 - below
    label = {"none": "dense", "omp": "95 % OMP"}[pruner]
    words = f"Caution, reference not converged: Retrain {label} (RA 97.90, the original 99.00)."
    assert (words in read()[1]) == said


def test_methods_that_cannot_be_told_from_doing_nothing_are_named(results, set_gaps, read):
    results["cells"] = [
        c for c in results["cells"] if c["pruner"] == "none" and c["method"] != "l1_sparse"
    ]
    set_gaps("original", [2, 2, 2])
    set_gaps("ft", [1.5, 2.5, 1.7])
    set_gaps("ga", [3, 3, 3.1])
    start = "The original model, which forgot nothing, is 2.00 points (dense) from Retrain."
    assert (
        f"{start} Not told from doing nothing by their mean gap: FT (dense). Farther from Retrain "
        "than that: GA (dense)." in read()[1]
    )
    set_gaps("ga", [1, 3, 2.2])
    assert f"{start} No method can be told from doing nothing by its mean gap." in read()[1]


def test_a_scenario_with_nothing_to_gain_says_so(set_gaps, read):
    set_gaps("original", [0.5, 0.4, 0.5])
    assert "That leaves little to tell unlearning from doing nothing by (dense)." in read()[1]


def test_the_floor_is_retrain_by_another_seed(results, find, set_gaps, read):
    assert "another seed" not in read()[1]
    for seed in range(3):
        again = copy.deepcopy(find("retrain", seed=seed))
        again["method"] = "retrain_again"
        results["cells"].append(again)
    set_gaps("retrain_again", [1, 1.2, 1.4])
    set_gaps("ft", [25, 25, 26])
    set_gaps("ga", [7, 7, 7])
    set_gaps("l1_sparse", [1, 1, 1.3])
    lead, rest = read()
    assert (
        "Retrain by another seed is 1.20 points (dense) from Retrain: a smaller gap means nothing. "
        "Within that: ℓ1-sparse (dense)." in rest
    )
    assert "another seed" not in " ".join(lead), "it is no method"


def claim(**changes):
    return {
        "name": "sparse FT is closer",
        "scenario": "class:3",
        "measure": "gap",
        "first": {"method": "ft", "pruner": "omp", "sparsity": 0.95},
        "second": {"method": "ft"},
        "direction": "lower",
        "effect": 1.0,
    } | changes


@pytest.mark.parametrize(
    ("sparse", "verdict"),
    [
        ([20, 20, 21], "holds"),
        ([25.2, 25, 26.1], "does not hold"),
        ([20, 30, 25], "not settled"),
    ],
)
def test_a_claim_has_one_of_three_verdicts(results, set_gaps, sparse, verdict):
    set_gaps("ft", [25, 25, 26])
    set_gaps("ft", sparse, pruner="omp")
    results["settings"]["claims"] = [claim(), claim(name="other", scenario="random:0.1")]
    (told,) = findings(aggregate(results)[0]).claims
    assert told.startswith(
        f"Claim “sparse FT is closer”: {verdict}. FT 95 % OMP minus FT dense, mean gap: "
    )
    assert told.endswith("n = 3; stated beforehand: lower by at least 1.")
    assert "all but the claims is descriptive" in findings(aggregate(results)[0]).rest[-1]


def test_a_claim_that_was_named_afterwards_says_so(results):
    results["settings"]["claims"] = [claim(seen="these seeds")]
    found = findings(aggregate(results)[0])
    assert found.claims[0].endswith("stated afterwards (these seeds): lower by at least 1.")
    assert "with no claim named beforehand, all this is descriptive" in found.rest[-1]
    results["settings"]["claims"].append(claim(name="other"))
    rest = findings(aggregate(results)[0]).rest[-1]
    assert "all but the claims named beforehand is descriptive" in rest


@pytest.mark.parametrize(
    ("measure", "label"), [("gap.ua", "gap of UA"), ("ta", "TA"), ("rte_s", "RTE, seconds")]
)
def test_a_claim_may_be_about_any_measure(results, measure, label):
    results["settings"]["claims"] = [claim(measure=measure)]
    (told,) = findings(aggregate(results)[0]).claims
    assert f"FT 95 % OMP minus FT dense, {label}: " in told
    assert "n = 3" in told


def test_one_seed_settles_no_claim(one_seed):
    one_seed["settings"]["claims"] = [claim()]
    (told,) = findings(aggregate(one_seed)[0]).claims
    assert "not settled. FT 95 % OMP minus FT dense, mean gap: fewer than two seeds" in told


def test_seeds_are_counted_and_what_they_can_say(results, read, find):
    assert (
        "Every number is the mean of n = 3 seeds. Intervals are at 95 %, paired by seed: at n = 3 "
        "they reach 2.48 standard deviations of the differences to each side, and no rank test can "
        "go below p = 0.25. They are not corrected for their number, nor for choosing "
        "the lowest by the same seeds: with no claim named beforehand, all this is descriptive."
        in read()[1]
    )
    results["cells"].remove(find("ft", seed=2))
    assert (
        "Seeds: 2 to 3, not the same number for every method; a mean is over those that there are, "
        "a difference over those that both have" in read()[1]
    )


def test_without_a_reference_there_is_no_gap(without_reference):
    found = findings(aggregate(without_reference)[0])
    assert found.lead == (
        "Dense: no gap to Retrain can be given (retrain was not run at this sparsity).",
        "95 % OMP: no gap to Retrain can be given (retrain was not run at this sparsity).",
    )
    (rest,) = found.rest
    assert rest.startswith("Every number is the mean of n = 3 seeds.")


def test_one_method_is_compared_with_no_other(results, read):
    results["cells"] = [c for c in results["cells"] if c["method"] in ("retrain", "ga")]
    assert read()[0][0] == "Dense: mean gap to Retrain, in points: GA 6.75."


def test_references_alone(results, read):
    results["cells"] = [c for c in results["cells"] if c["method"] in ("retrain", "original")]
    lead, rest = read()
    assert lead[0] == "Dense: no gap to Retrain can be given (no method was run)."
    assert "told from doing nothing" not in rest


def test_without_a_dense_level_nothing_is_compared_with_it(results, read):
    for cell in results["cells"]:
        if cell["pruner"] == "none":
            cell["pruner"], cell["sparsity"] = "omp", 0.5
    assert "Change in mean gap" not in read()[1]


def fail(cell, why):
    """A cell whose model diverged, as a benchmark writes it."""
    cell |= {
        "metrics": dict.fromkeys(cell["metrics"]),
        "reasons": dict.fromkeys(cell["metrics"], why),
        **dict.fromkeys(("gap", "gap_dense", "rte_s", "sparsity_at", "confidence")),
        "gap_reason": why,
        "failed": why,
        "draws": {},
    }


def test_a_claim_may_be_of_no_difference(results):
    results["settings"]["claims"] = [claim(direction="within", effect=1)]
    (told,) = findings(aggregate(results)[0]).claims
    assert told.endswith("stated beforehand: within 1.")


def test_a_seed_that_failed_is_no_seed_of_a_mean(results, find, set_gaps, read):
    set_gaps("l1_sparse", [1, 1, 1.3])
    set_gaps("ga", [7, 7, 7])
    set_gaps("ft", [25, 25, 26])
    fail(find("ft", seed=2), "diverged: unlearn-1 (ft: lower lr)")
    results["settings"]["claims"] = [claim()]
    lead, rest = read()
    assert "FT +24.00 (the same in both seeds" not in lead[0]
    assert "FT and ℓ1-sparse cannot be told from the lowest mean gap" in lead[0]
    assert "Caution, 1 of 27 cells failed and hold no numbers: FT (dense, seed 2). A mean" in rest
    assert "Seeds: 2 to 3, not the same number" in rest
    assert ", n = 2); not told from no change for" in rest
    (told,) = findings(aggregate(results)[0]).claims
    assert "n = 2 of 3 seeds; stated beforehand" in told


def test_a_method_that_failed_in_every_seed_leaves_the_others_whole(results, find, read):
    for seed in range(3):
        fail(find("ft", seed=seed), "diverged: unlearn-1 (ft: lower lr)")
    lead, rest = read()
    assert "FT" not in lead[0]
    words = "Caution, 3 of 27 cells failed and hold no numbers: FT (dense, seeds 0, 1 and 2)."
    assert words in rest
    assert "leaves out what went wrong" not in rest
    assert "Every number is the mean of n = 3 seeds." in rest


def test_a_reference_is_compared_with_its_original_seed_by_seed(find, read):
    """A seed in which Retrain failed, and the original is better, does not make it worse."""
    for seed, ra in enumerate((99.0, 90.0, 90.0)):
        find("original", seed=seed)["metrics"]["ra"] = ra
        find("retrain", seed=seed)["metrics"]["ra"] = ra
    find("retrain")["metrics"]["ra"] = None
    assert "not converged" not in read()[1]
