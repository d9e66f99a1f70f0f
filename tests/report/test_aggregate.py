import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expunge.report.aggregate import Level, Summary, aggregate, summarise

DENSE, OMP = Level(0.0, "none"), Level(0.95, "omp")


@given(st.lists(st.none() | st.floats(-1e6, 1e6), max_size=12))
def test_summarise_agrees_with_the_statistics_module(values):
    known = [value for value in values if value is not None]
    summary = summarise(values)
    if not known:
        assert summary is None
        return
    assert summary.n == len(known)
    assert summary.mean == pytest.approx(statistics.fmean(known), rel=1e-12, abs=1e-9)
    if len(known) < 2:
        assert summary.std is None
    else:
        assert summary.std == pytest.approx(statistics.stdev(known), rel=1e-9, abs=1e-6)


def test_every_measure_is_put_together_over_seeds(results):
    first, second = aggregate(results)
    assert [first.name, second.name] == ["class:3", "random:0.1"]
    for scenario in (first, second):
        for (method, level), group in scenario.groups.items():
            cells = [
                cell
                for cell in results["cells"]
                if (cell["scenario"], cell["pruner"], cell["sparsity"], cell["method"])
                == (scenario.name, level.pruner, level.sparsity, method)
            ]
            assert group.seeds == (0, 1, 2)
            for key in ("ua", "ra", "ta", "mia_efficacy"):
                for field in ("metrics", "gap", "gap_dense"):
                    values = [cell[field][key] for cell in cells]
                    summary = getattr(group, field)[key]
                    assert summary.mean == pytest.approx(statistics.fmean(values))
                    assert summary.std == pytest.approx(statistics.stdev(values))
            if method != "original":
                times = [cell["rte_s"] for cell in cells]
                assert group.rte_s.mean == pytest.approx(statistics.fmean(times))


def test_levels_methods_and_rows_are_in_order(results):
    results["cells"].reverse()
    scenario = aggregate(results)[0]
    assert scenario.levels == (DENSE, OMP)
    assert scenario.rows[:2] == ("retrain", "original")
    assert set(scenario.methods) == {"ft", "ga", "l1_sparse"}
    assert scenario.seeds == (0, 1, 2)


def test_the_order_of_cells_does_not_change_a_number(results):
    before = aggregate(results)
    results["cells"].reverse()
    after = {scenario.name: scenario for scenario in aggregate(results)}
    for scenario in before:
        other = after[scenario.name].groups
        for key, group in scenario.groups.items():
            assert dict(other[key].metrics) == dict(group.metrics)


def test_one_seed_has_no_spread(one_seed):
    for scenario in aggregate(one_seed):
        for group in scenario.groups.values():
            assert all(summary.std is None for summary in group.metrics.values())


def test_a_seed_without_a_number_does_not_count(results, find):
    find("ft", seed=1)["metrics"]["ua"] = None
    values = [find("ft", seed=seed)["metrics"]["ua"] for seed in (0, 2)]
    summary = aggregate(results)[0].get("ft", DENSE).metrics["ua"]
    assert summary == Summary(
        pytest.approx(statistics.fmean(values)), pytest.approx(statistics.stdev(values)), 2
    )


def test_what_no_seed_has_is_left_out(without_reference):
    group = aggregate(without_reference)[0].get("ga", OMP)
    assert group.gap == {}
    assert group.gap_dense == {}
    assert group.gap_reason == "retrain was not run at this sparsity"


def test_a_gap_that_is_missing_without_a_reason_says_so(results, find):
    find("ft")["gap"] = None
    assert aggregate(results)[0].get("ft", DENSE).gap_reason == "no reason is recorded"


def test_distributions_are_averaged_bin_by_bin(results, find):
    find("ft", seed=0)["confidence"] = None
    find("ft", seed=1)["confidence"]["after"]["forget"] = [0.0] * 19 + [100.0]
    find("ft", seed=2)["confidence"]["after"]["forget"] = [50.0, 50.0] + [0.0] * 18
    shares = aggregate(results)[0].get("ft", DENSE).confidence["after", "forget"]
    assert shares == (25.0, 25.0, *[0.0] * 17, 50.0)
    assert aggregate(results)[0].get("original", DENSE).confidence == {}
