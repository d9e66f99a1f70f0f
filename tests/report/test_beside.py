"""Published beside measured: what is tested, what has a direction, and what is left unsaid."""

import json
import statistics

import pytest
from scipy import stats
from tests.report.conftest import build

from expunge.report import check_results, render_html, to_markdown, to_text
from expunge.report.aggregate import aggregate
from expunge.report.beside import beside
from expunge.report.beside_tables import tables_of, to_json

SETTING = {"network.name": "resnet18", "training.epochs": 182}
PLACE = {"scenario": "class:3", "source": "A paper", "how": "read", "n": 10, "setting": SETTING}
# By method and sparsity: UA and RA with deviations, as in the paper's table.
THEIRS = {
    ("retrain", 0.0): ([100.0, 0.0], [100.0, 0.01]),
    ("ft", 0.0): ([22.5, 8.2], [99.87, 0.04]),
    ("ga", 0.0): ([93.1, 2.3], [92.6, 0.25]),
    ("ft", 0.95): ([73.6, 9.5], [99.87, 0.05]),
    ("iu", 0.0): ([87.8, 2.2], [98.0, 0.2]),
}


def published(**changes):
    return [
        PLACE
        | {"method": method, "sparsity": sparsity, "pruner": "omp" if sparsity else "none"}
        | {"values": {"ua": ua, "ra": ra}}
        | changes
        for (method, sparsity), (ua, ra) in THEIRS.items()
    ]


def document(seeds, cells=None, **settings):
    results = build(seeds)
    results["settings"] |= {"network": {"name": "resnet18"}, **settings}
    results["settings"]["published"] = published() if cells is None else cells
    return check_results(results)


@pytest.fixture(scope="module")
def six():
    """Six seeds at the published setting."""
    return document(6)


@pytest.fixture(scope="module")
def three():
    """Three seeds of another network."""
    return document(3, network={"name": "resnet20s"})


def of(results, scenario="class:3"):
    return beside(aggregate(results), results)[scenario]


def value(found, method, metric, sparsity=0.0):
    (one,) = (
        each
        for each in found.values
        if (each.cell.method, each.metric, each.level.sparsity) == (method, metric, sparsity)
    )
    return one


def measured(results, method, metric, pruner="none", scenario="class:3"):
    place = (scenario, pruner, method)
    return [
        cell["metrics"][metric]
        for cell in results["cells"]
        if (cell["scenario"], cell["pruner"], cell["method"]) == place
    ]


def test_at_the_published_setting_every_value_is_tested_by_welch_as_one_family(six):
    found = of(six)
    p = {}
    for (method, sparsity), both in THEIRS.items():
        for metric, (mean, deviation) in zip(("ua", "ra"), both, strict=True):
            ours = measured(six, method, metric, "omp" if sparsity else "none")
            if not ours:
                continue
            test = stats.ttest_ind_from_stats(
                *(statistics.fmean(ours), statistics.stdev(ours), len(ours)),
                *(mean, deviation, 10),
                equal_var=False,
            )
            tested = value(found, method, metric, sparsity).compared
            assert tested.p == pytest.approx(test.pvalue, abs=1e-12)
            p[method, metric, sparsity] = test.pvalue
    assert len(p) == 8
    smallest = min(p, key=p.get)
    assert value(found, *smallest).compared.corrected == pytest.approx(min(1, 8 * p[smallest]))


def test_a_wide_interval_that_contains_the_published_value_is_no_agreement(six):
    """FT's deviation is 8 points: it settles nothing; RA is within a point."""
    found = of(six)
    ua, ra = (value(found, "ft", metric).compared for metric in ("ua", "ra"))
    assert ua.interval.holds_zero
    assert ua.verdict == "not settled"
    assert ra.verdict == "agrees"
    table, _ = tables_of(found, whole=True)
    said = {(row[1], row[2], row[0]): row[5] for row in table.rows}
    assert said["FT", "UA", "dense"].endswith(": not settled")
    assert said["FT", "RA", "dense"].endswith(": agrees within 1 point")
    assert "p = 1.000" in said["FT", "UA", "dense"]
    for page in (render_html(six), to_markdown(six), " ".join(map(str, to_text(six)))):
        # A verdict of agreement stands where its test is, and nowhere else.
        assert page.count("agrees within") == page.count("agrees within 1 point")


def test_a_value_far_off_differs(six):
    cells = published()
    cells[2]["values"] = {"ua": [60.0, 2.3], "ra": [92.6, 0.25]}
    assert value(of(document(6, cells)), "ga", "ua").compared.verdict == "differs"


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        ({"how": "digitised"}, {}),
        ({"how": "unverified"}, {}),
        ({"n": None}, {}),
        ({"setting": {}}, {}),
        ({}, {"network": {"name": "resnet20s"}}),
        ({}, {"training": {"epochs": 16}}),
        ({"config": {"lr": 1.0}}, {}),
        ({"chosen_by": "oracle"}, {}),
    ],
)
def test_what_is_not_known_well_enough_or_of_another_setting_is_not_tested(changes, settings):
    cells = [
        {key: each for key, each in cell.items() if each is not None}
        for cell in published(**changes)
    ]
    found = of(document(6, cells, **settings))
    assert found.values
    assert all(each.compared is None for each in found.values)


def test_a_method_of_other_settings_is_named_and_not_tested(six):
    cells = published()
    cells[1]["config"] = {"epochs": 10, "lr": 0.05}
    found = of(document(6, cells))
    assert value(found, "ft", "ua").compared is None
    assert value(found, "ga", "ua").compared is not None
    (first, *_) = tables_of(found, whole=True)[0].notes
    assert first.endswith("Of other settings, and so not tested: FT (lr 0.01, 0.05 there).")
    cells[1] |= {"config": {}, "chosen_by": "oracle"}
    (first, *_) = tables_of(of(document(6, cells)), whole=True)[0].notes
    assert first.endswith("not tested: FT (chosen by hand, oracle there).")


def test_another_scale_is_not_the_published_setting(six):
    assert of(six | {"recipe": {"scale": "paper"}}).values[0].compared is not None
    found = of(six | {"recipe": {"scale": "cpu"}})
    assert all(each.compared is None for each in found.values)
    assert tables_of(found, whole=True)[0].notes[0].startswith("The recipe’s scale cpu, not")


def test_too_few_seeds_are_not_tested_but_have_a_direction():
    found = of(document(3))
    assert not found.elsewhere
    assert all(each.compared is None for each in found.values)
    assert value(found, "ft", "ua").effect.sign == "same"
    assert "Fewer than 5 seeds are not tested." in tables_of(found, whole=True)[0].notes[0]


def test_elsewhere_there_are_directions_only(three):
    found = of(three)
    assert [each.name for each in found.elsewhere] == ["network.name"]
    effect = value(found, "ft", "ua").effect
    assert (effect.second[0], effect.sign) == ("retrain", "same")
    assert effect.published.estimate == pytest.approx(-77.5)
    ours, theirs = measured(three, "ft", "ua"), measured(three, "retrain", "ua")
    expected = stats.ttest_rel(ours, theirs).confidence_interval()
    assert (effect.ours.low, effect.ours.high) == pytest.approx(tuple(expected))
    table, effects = tables_of(found, whole=True)
    assert tables_of(found, whole=True, effects=False) == [table]
    assert effects.title in to_markdown(three)
    assert effects.title not in to_markdown(three, effects=False)
    assert table.title in to_markdown(three, effects=False)
    assert "network.name resnet20s (resnet18 there)" in table.notes[0]
    rows = {tuple(row[:2]): row for row in effects.rows}
    assert rows["FT − GA, dense [1]", "UA"][4] == "same direction"
    assert rows["FT: 95 % OMP − dense [1]", "UA"][4] == "same direction"
    # FT's RA is published as 99.87 both dense and sparse: there is no effect to follow.
    assert ("FT: 95 % OMP − dense [1]", "RA") not in rows


def test_an_effect_the_other_way_is_named():
    cells = published()
    cells[1]["values"], cells[2]["values"] = cells[2]["values"], cells[1]["values"]
    found = of(document(3, cells))
    effect = next(
        each
        for each in found.effects
        if (each.first[0], each.second[0], each.metric) == ("ft", "ga", "ua")
    )
    assert effect.sign == "opposite"
    (note,) = (each for each in tables_of(found, whole=False)[0].notes if "Opposite" in each)
    assert "FT − GA, dense [1] (UA)" in note
    assert f"Of {len(found.effects)} published effects" in note


def test_one_seed_settles_no_direction():
    found = of(document(1))
    assert {each.sign for each in found.effects} == {"not settled"}


def test_an_unverified_number_gives_no_direction():
    found = of(document(3, published(how="unverified")))
    assert found.values
    assert not found.effects
    assert all(each.effect is None for each in found.values)


def test_both_gaps_stand_there_by_name():
    """Ours per seed is the mean of the gaps, theirs the gap of the means."""
    four = {"ua": [80.0], "ra": [99.0], "ta": [94.0], "mia_efficacy": [70.0]}
    retrain = {"ua": [100.0], "ra": [100.0], "ta": [95.0], "mia_efficacy": [100.0]}
    cells = [
        PLACE | {"method": "ga", "values": four},
        PLACE | {"method": "retrain", "values": retrain},
    ]
    results = document(3, cells)
    gap = value(of(results), "ga", "gap").gap
    assert gap.published == pytest.approx((20 + 1 + 1 + 30) / 4)
    per_seed = [
        cell["gap"]["avg"]
        for cell in results["cells"]
        if (cell["scenario"], cell["pruner"], cell["method"]) == ("class:3", "none", "ga")
    ]
    assert gap.per_seed == pytest.approx(statistics.fmean(per_seed))
    apart = [
        abs(
            statistics.fmean(measured(results, "ga", m))
            - statistics.fmean(measured(results, "retrain", m))
        )
        for m in four
    ]
    assert gap.of_means == pytest.approx(statistics.fmean(apart))
    rows = {row[2]: row for row in tables_of(of(results), whole=False)[0].rows if row[1] == "GA"}
    assert rows["Mean gap, of means"][3] == "13.00 [1]"
    assert rows["Mean gap, per seed"][3] == "—"


def test_what_was_not_measured_and_every_source_are_named(three):
    cells = published() + published(source="Another paper", how="digitised")
    notes = tables_of(of(document(3, cells)), whole=False)[0].notes
    assert "Published and not measured here: IU (dense)." in notes
    assert "[1] A paper (read, n = 10)." in notes
    assert "[2] Another paper (digitised, n = 10)." in notes


def test_effects_are_within_one_source(three):
    cells = published()[:2] + published(source="Another paper")[2:3]
    found = of(document(3, cells))
    assert {(each.first[0], each.second[0]) for each in found.effects} == {("ft", "retrain")}


def test_run_times_are_shown_and_not_compared():
    cells = [PLACE | {"method": "ft", "values": {"rte_s": [151.2]}}]
    found = of(document(6, cells))
    assert value(found, "ft", "rte_s").compared is None
    (row,) = tables_of(found, whole=True)[0].rows
    assert row[3] == "2.52 min [1]"
    assert row[5] == "—"


def test_the_section_is_in_every_form_where_something_is_published(three, results):
    title = "Forget class 3: published beside measured"
    page = render_html(three)
    assert title in page
    assert "<h3>Published beside measured</h3>" in page
    assert "Published effects, and their direction here" in page
    assert "settings.published" not in page
    assert title in to_markdown(three)
    assert [table.title for table in to_text(three)].count(title) == 1
    assert "ublished" not in to_markdown(results)


def test_json_holds_the_same(six, three):
    for results in (six, three):
        found = to_json(of(results))
        assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert to_json(of(six))["published_setting"]
    there = {(each["method"], each["metric"], each["sparsity"]): each for each in found["values"]}
    assert there["ft", "ua", 0.0]["test"] is None
    assert there["ft", "ua", 0.0]["direction"]["direction"] == "same"
    assert found["differences"] == [
        {"setting": "network.name", "published": "resnet18", "ours": "resnet20s"}
    ]
    assert found["not_measured"] == [{"method": "iu", "pruner": "none", "sparsity": 0.0}]


def test_a_digitised_value_is_as_sure_as_it_can_be_read():
    cells = [
        PLACE | {"method": "ft", "values": {"ua": [94.0]}, "error": {"ua": 0.3}},
        PLACE | {"method": "ga", "values": {"ua": [93.5]}, "error": {"ua": 0.3}},
    ]
    assert not of(document(3, cells)).effects
    cells[0]["error"] = {"ua": 0.1}
    assert len(of(document(3, cells)).effects) == 1
