"""From the published definition to ours: what each difference costs, against sums by hand."""

import copy
import statistics

import pytest
from scipy import stats
from tests.report.conftest import build

from expunge.published import Published
from expunge.report import check_results
from expunge.report.steps import Asked, steps, steps_text

SETTING = {"data.source": "cifar", "data.train_limit": "none", "training.epochs": 182}
SETTING |= {"training.flip": True, "network.name": "resnet18"}
OURS = {
    "data": {"source": "cifar", "train_limit": 5000},
    "network": {"name": "resnet18"},
    "training": {"epochs": 16, "flip": True},
    "precision": "auto",
    "scenarios": ["class:3"],
}


def cell(method="ft", **changes):
    given = {"scenario": "class:3", "method": method, "source": "S", "how": "read", "n": 10}
    given |= {"values": {"ua": (22.5, 8.2), "mia_efficacy": (75.0, 14.7)}, "setting": SETTING}
    return Published(**(given | changes))


def asked(*cells, config=None, chosen_by=None, settings=OURS):
    return Asked(
        recipe="r.toml",
        words=" --scale cpu",
        settings=settings,
        published=cells or (cell(), cell("retrain")),
        configs={("ft", "class:3"): config or {}},
        chosen_by={("ft", "class:3"): chosen_by},
    )


def found(about, results=None, others=None):
    return {step.name: step for step in steps(about, results, others or {})}


@pytest.fixture(scope="module")
def results():
    document = build(3)
    document["cells"] = [c for c in document["cells"] if c["scenario"] == "class:3"]
    return check_results(document)


def by_seed(document, method, pruner, field, key="avg"):
    return [
        c[field][key] for c in document["cells"] if (c["method"], c["pruner"]) == (method, pruner)
    ]


def cost(step, words):
    (one,) = (each for each in step.costs if each.what == words)
    return one


def test_settings_that_differ_are_steps_and_the_others_are_named():
    there = found(asked())
    assert (there["epochs"].published, there["epochs"].ours) == ("epochs 182", "epochs 16")
    assert there["number of images"].ours == "train_limit 5000"
    assert "network" not in there
    assert "augmentation" not in there
    assert there["epochs"].measure == (
        "run a copy of r.toml with training.epochs = 182: expunge bench COPY --scale cpu"
    )
    assert "with no data.train_limit:" in there["number of images"].measure
    lines = steps_text(asked(), [*there.values()])
    assert "As published: data.source, training.flip and network.name." in lines
    assert lines.count("   costs:     not measured") == len(there)


def test_two_results_that_differ_in_nothing_else_say_what_it_costs(results):
    """Not where a second setting differs, and not where the pair is of other values."""
    long, short = copy.deepcopy(results), copy.deepcopy(results)
    for document, epochs in ((long, 182), (short, 16)):
        document["settings"] |= {"training": {"epochs": epochs, "flip": True}, "methods": {}}
    for c in short["cells"]:
        if c["method"] == "ft":
            c["gap"]["avg"] += 2.0 + c["seed"]
    others = {"long.json": long, "short.json": short}
    step = found(asked(), None, others)["epochs"]
    found_cost = cost(step, "Forget class 3, FT, dense (short.json minus long.json)")
    reach = 4.302653 * 1.0 / 3**0.5
    assert (found_cost.mean, found_cost.n) == (pytest.approx(3.0), 3)
    assert found_cost.interval.low == pytest.approx(3.0 - reach, abs=1e-4)
    assert len(step.costs) == 5, "three methods dense, two of them sparse"
    assert found(asked(), None, others)["number of images"].costs == ()
    for document, other in ((long, 182), (short, 16)):
        document["settings"]["training"]["epochs"] = 40
        assert found(asked(), None, others)["epochs"].costs == ()
        document["settings"]["training"]["epochs"] = other
    assert found(asked(), None, others)["epochs"].costs
    short["settings"]["network"] = {"name": "resnet20s"}
    assert found(asked(), None, others)["epochs"].costs == ()


def test_pruners_that_differ_are_a_second_difference_and_sparsities_are_none(results):
    long, short = copy.deepcopy(results), copy.deepcopy(results)
    for document, epochs in ((long, 182), (short, 16)):
        document["settings"] |= {"training": {"epochs": epochs, "flip": True}, "methods": {}}
    others = {"long.json": long, "short.json": short}
    long["settings"]["pruners"] = {"omp": {"sparsity": [0.95]}, "imp": {"sparsity": 0.9}}
    short["settings"]["pruners"] = {"omp": {"sparsity": [0.9, 0.95]}}
    assert found(asked(), None, others)["epochs"].costs
    short["settings"]["pruners"]["omp"]["epochs"] = 3
    assert found(asked(), None, others)["epochs"].costs == ()


def test_a_seed_that_one_result_lacks_costs_nothing(results):
    long, short = copy.deepcopy(results), copy.deepcopy(results)
    for document, epochs in ((long, 182), (short, 16)):
        document["settings"] |= {"training": {"epochs": epochs, "flip": True}, "methods": {}}
    long["cells"] = [c for c in long["cells"] if c["seed"] == 1]
    for c in short["cells"]:
        c["gap"] = c["gap"] and {**c["gap"], "avg": c["gap"]["avg"] + 2.0}
    step = found(asked(), None, {"long.json": long, "short.json": short})["epochs"]
    one = cost(step, "Forget class 3, FT, dense (short.json minus long.json)")
    assert (one.mean, one.n, one.interval) == (pytest.approx(2.0), 1, None)


def test_the_reference_of_sparse_models_is_computed_from_one_document(results):
    step = found(asked(), results)["reference of sparse models"]
    one = cost(step, "Forget class 3, FT, 95 % OMP")
    dense, own = (by_seed(results, "ft", "omp", field) for field in ("gap_dense", "gap"))
    expected = stats.ttest_rel(dense, own).confidence_interval()
    assert one.mean == pytest.approx(statistics.fmean(dense) - statistics.fmean(own))
    assert (one.interval.low, one.interval.high) == pytest.approx(tuple(expected))
    assert len(step.costs) == 2, "dense models have one reference"


def test_the_definition_of_the_gap_is_computed_from_one_document(results):
    for seed, value in enumerate((3.0, -2.0, -4.0)):  # signs differ: the mean of gaps is larger
        for c in results["cells"]:
            if (c["method"], c["pruner"], c["seed"]) == ("ft", "none", seed):
                retrain = next(
                    r
                    for r in results["cells"]
                    if (r["method"], r["pruner"], r["seed"]) == ("retrain", "none", seed)
                )
                for key in ("ua", "ra", "ta", "mia_efficacy"):
                    c["metrics"][key] = retrain["metrics"][key] + value
                    c["gap"][key] = abs(value)
    step = found(asked(), results)["definition of the gap"]
    one = cost(step, "Forget class 3, FT, dense")
    assert one.mean == pytest.approx((3 + 2 + 4) / 3 - abs(3 - 2 - 4) / 3)
    assert one.n == 3

    def excess(*values):
        return (sum(map(abs, values)) - abs(sum(values))) / len(values)

    left = [excess(-2, -4), excess(3, -4), excess(3, -2)]
    pseudo = [3 * one.mean - 2 * each for each in left]
    reach = stats.sem(pseudo) * stats.t.ppf(0.975, 2)
    assert one.interval.high - one.interval.low == pytest.approx(2 * reach)
    ga = cost(step, "Forget class 3, GA, dense")
    assert ga.mean == pytest.approx(0.0, abs=1e-9), "where no sign differs nothing is lost"


def test_draws_are_of_one_document_too(results):
    about = asked(cell(draws=1))
    step = found(about, results)["draws of the attacker’s sample"]
    assert (step.published, step.ours) == ("1", "mean over 20")
    (one, _) = step.costs
    assert one.what.startswith("Forget class 3: deviation of one draw of MIA-efficacy")
    assert (one.mean, one.n) == (pytest.approx(0.5), 3)
    document = copy.deepcopy(results)
    for c in document["cells"]:
        c["metrics"]["mia_efficacy_one_draw"] = c["metrics"]["mia_efficacy"] + 1.5
    costs = found(about, document)["draws of the attacker’s sample"].costs
    assert [each.mean for each in costs[2:]] == [pytest.approx(1.5)] * 5
    assert "draws of the attacker’s sample" not in found(asked(), results)


def test_settings_of_methods_and_their_choice():
    about = asked(
        cell(config={"epochs": 10, "lr": 0.01}, chosen_by="oracle"),
        cell(source="T", config={"epochs": 10}),
        config={"epochs": 10, "lr": 0.05},
        chosen_by="no_oracle",
    )
    there = found(about)
    assert there["settings of methods"].published == "ft.lr 0.01"
    assert there["settings of methods"].ours == "ft.lr 0.05"
    choice = there["choice of settings"]
    assert (choice.published, choice.ours) == ("ft in class:3: oracle", "ft in class:3: no_oracle")
    assert choice.measure.startswith("add labels whose settings are chosen as published")
    same = found(asked(cell(chosen_by="oracle"), chosen_by="oracle"))
    assert "choice of settings" not in same
    assert "settings of methods" not in same


def test_two_labels_of_a_method_say_what_a_search_by_the_gap_gains(results):
    document = copy.deepcopy(results)
    for c in [*document["cells"]]:
        if c["method"] == "ft":
            c["chosen_by"] = "no_oracle"
            document["cells"].append(
                {**copy.deepcopy(c), "method": "ft_best", "of": "ft", "chosen_by": "oracle"}
            )
            document["cells"][-1]["gap"]["avg"] -= 1.0
    about = asked(cell(chosen_by="oracle"), chosen_by="no_oracle")
    costs = found(about, check_results(document))["choice of settings"].costs
    assert [each.mean for each in costs] == [pytest.approx(1.0)] * 2
    assert costs[0].what == "Forget class 3, FT, dense minus FT (ft_best)"


def test_where_no_gap_is_published_nothing_is_said_of_gaps(results):
    assert "definition of the gap" in found(asked(), results)
    assert not {"definition of the gap", "reference of sparse models"} & set(
        found(asked(cell()), results)
    )


def test_one_seed_has_no_interval(one_seed):
    step = found(asked(), one_seed)["reference of sparse models"]
    assert {each.interval for each in step.costs} == {None}
    assert {each.n for each in step.costs} == {1}
    assert found(asked(), one_seed)["definition of the gap"].costs == ()
    assert step.to_json()["costs"][0]["low"] is None
