import pytest
from tests.report.test_summary import claim, fail

from expunge.errors import DataError
from expunge.report import to_markdown, to_text
from expunge.report.aggregate import aggregate
from expunge.report.tables import NOT_CONVERGED_NOTE, further_table, main_table


@pytest.fixture
def scenario(results):
    return aggregate(results)[0]


def entry(table, method, short, level):
    row = next(row for row in table.rows if row.method == method)
    column = [m.short for m in table.measures].index(short) * len(table.levels) + level
    return row.entries[column]


def test_dense_stands_beside_sparse_for_every_measure(scenario):
    table = main_table(scenario)
    assert [measure.short for measure in table.measures] == [
        *("UA", "RA", "TA", "MIA-efficacy", "Mean gap", "RTE")
    ]
    assert [level.label for level in table.levels] == ["dense", "95 % OMP"]
    assert [row.label for row in table.rows] == ["Retrain", "Original", "FT", "GA", "ℓ1-sparse"]
    assert [row.reference for row in table.rows] == [True, True, False, False, False]
    assert all(len(row.entries) == 12 for row in table.rows)


def test_an_entry_has_value_spread_and_gap(results, find):
    for seed, (value, gap) in enumerate([(20.0, 79.0), (22.0, 78.0), (24.0, 77.0)]):
        find("ft", seed=seed)["metrics"]["ua"] = value
        find("ft", seed=seed)["gap"]["ua"] = gap
    found = entry(main_table(aggregate(results)[0]), "ft", "UA", 0)
    assert (found.text, found.beside, found.sort) == ("22.00±2.00", "78.00", 78.0)


def test_time_stands_with_its_share_of_retrains(results, find):
    for seed in range(3):
        find("ft", seed=seed)["rte_s"] = 60.0 + seed
        find("retrain", seed=seed)["rte_s"] = 610.0
    found = entry(main_table(aggregate(results)[0]), "ft", "RTE", 0)
    assert (found.text, found.beside) == ("1.02±0.02 min", "10 %")
    assert entry(main_table(aggregate(results)[0]), "retrain", "RTE", 0).beside == ""


def test_no_share_of_a_time_that_is_zero_or_not_known(results, find):
    for seed in range(3):
        find("retrain", seed=seed)["rte_s"] = 0.0
        find("ga", seed=seed)["rte_s"] = None
    table = main_table(aggregate(results)[0])
    assert entry(table, "ft", "RTE", 0).beside == ""
    assert table.notes[entry(table, "ga", "RTE", 0).note - 1] == "The run was not timed."


def test_gaps_that_cannot_be_told_from_the_smallest_are_marked(results, find):
    for seed, noise in enumerate((0.0, 0.2, -0.2)):
        find("original", seed=seed)["gap"]["ua"] = 0.0
        find("ft", seed=seed)["gap"]["ua"] = 0.25
        find("ga", seed=seed)["gap"]["ua"] = 0.3 + noise
        find("l1_sparse", seed=seed)["gap"]["ua"] = 0.5
    table = main_table(aggregate(results)[0])
    marked = {row.method: row.entries[0].low for row in table.rows}
    assert marked == {
        "retrain": False, "original": False, "ft": True, "ga": True, "l1_sparse": False,
    }  # fmt: skip
    assert not any(row.entries[-1].low for row in table.rows), "to be fast is no merit by itself"


def test_where_none_can_be_told_none_is_marked(results, find):
    for seed, noise in enumerate((0.0, 2.0, -2.0)):
        for method in ("ft", "ga", "l1_sparse"):
            find(method, seed=seed)["gap"]["ua"] = 3 + noise * len(method)
    table = main_table(aggregate(results)[0])
    assert not any(row.entries[0].low for row in table.rows)


def test_a_single_method_and_a_single_seed_are_not_marked(results, one_seed):
    results["cells"] = [c for c in results["cells"] if c["method"] in ("retrain", "ga")]
    for document in (results, one_seed):
        for scenario in aggregate(document):
            assert not any(e.low for row in main_table(scenario).rows for e in row.entries)


def test_a_reference_that_has_not_converged_is_marked(results, find):
    for seed in range(3):
        find("original", pruner="omp", seed=seed)["metrics"]["ra"] = 99.0
        find("retrain", pruner="omp", seed=seed)["metrics"]["ra"] = 97.0
    table = main_table(aggregate(results)[0])
    marked = [(row.method, i) for row in table.rows for i, e in enumerate(row.entries) if e.mark]
    assert marked == [("retrain", 3)]
    assert table.legend == (NOT_CONVERGED_NOTE,)


def test_notes_on_gaps_stand_under_the_table_once(results, find):
    for seed in range(3):
        find("ft", seed=seed)["gap_note"] = "the reference was trained for 5 epochs"
    assert main_table(aggregate(results)[0]).legend == ("The reference was trained for 5 epochs.",)


def test_claims_stand_under_the_table(results):
    results["settings"]["claims"] = [claim()]
    first, last = to_text(results)[:2]
    assert not any(note.startswith("Claim") for note in first.notes)
    assert any(note.startswith("Claim “sparse FT is closer”: ") for note in last.notes)


def test_what_is_missing_is_a_dash_with_a_reason(scenario, without_reference):
    table = main_table(scenario)
    found = entry(table, "l1_sparse", "UA", 1)
    assert found.text == "—"
    assert table.notes[found.note - 1] == "ℓ1-sparse was not run at this sparsity."
    assert table.notes[entry(table, "original", "RTE", 0).note - 1] == "Nothing was unlearned."
    table = main_table(aggregate(without_reference)[0])
    found = entry(table, "ga", "Mean gap", 1)
    assert found.text == "—"
    assert table.notes[found.note - 1] == "Retrain was not run at this sparsity."
    found = entry(table, "ga", "UA", 1)
    assert found.beside == ""
    assert found.sort == pytest.approx(98.1, abs=2)


def test_one_seed_shows_no_spread(one_seed):
    text = to_markdown(one_seed)
    assert "±" not in text
    assert "One seed: no spread can be given." in text


def test_further_measures(results, scenario, find):
    table = further_table(scenario)
    assert [measure.short for measure in table.measures] == [
        *("TA, forgotten", "MIA-privacy", "Weight distance", "Drift"),
        *("Mean gap to dense Retrain", "Sparsity, measured"),
    ]
    assert entry(table, "l1_sparse", "Sparsity, measured", 0).text == "41.20 %"
    note = entry(table, "retrain", "Weight distance", 0).note
    assert table.notes[note - 1] == "Weight distance: there is no value for this row."
    find("ft")["metrics"]["attack_success"] = 12.5
    table = further_table(aggregate(results)[0])
    assert entry(table, "ft", "attack_success", 0).text == "12.50"


def test_further_measures_that_are_missing_have_reasons(results, find):
    for seed in range(3):
        find("ft", seed=seed)["gap_dense"] = None
        find("ft", seed=seed)["sparsity_at"] = None
    table = further_table(aggregate(results)[0])
    reason = table.notes[entry(table, "ft", "Mean gap to dense Retrain", 0).note - 1]
    assert reason == "There is no dense Retrain of this seed."
    reason = table.notes[entry(table, "ft", "Sparsity, measured", 0).note - 1]
    assert reason == "The sparsity was not measured."


def test_no_further_table_without_further_measures(results):
    for cell in results["cells"]:
        cell["gap_dense"] = cell["sparsity_at"] = None
        cell["metrics"] = {key: cell["metrics"][key] for key in ("ua", "ra", "ta", "mia_efficacy")}
    assert further_table(aggregate(results)[0]) is None


def test_text_is_plain_strings_of_equal_length(results):
    tables = to_text(results)
    for table in tables:
        assert all(len(row) == len(table.header) == 7 for row in table.rows)
        assert all(isinstance(cell, str) for row in table.rows for cell in row)
        assert table.header[:3] == ["Method", "UA", "RA"]
    assert [table.title for table in tables] == [
        f"{scenario}, {level}"
        for scenario in ("Forget class 3", "Forget 10 % at random")
        for level in ("dense", "95 % OMP")
    ]
    assert [bool(table.notes) for table in tables] == [False, True, False, True]
    assert "3 seeds" in table.notes[-1]


def test_tables_by_sparsity_hold_what_the_wide_one_does(results, scenario):
    dense, sparse = to_text(results)[:2]
    for row, one, other in zip(main_table(scenario).rows, dense.rows, sparse.rows, strict=True):
        assert row.label == one[0] == other[0]
        assert [entry.text for entry in row.entries[::2]] == [
            cell.split(" (")[0] for cell in one[1:]
        ]
        assert other[1].startswith(row.entries[1].text)


def test_markdown_is_a_table_with_bold_lowest_gaps(results):
    lines = to_markdown(results).splitlines()
    assert lines[0] == "### Forget class 3"
    assert lines[2].startswith("| Method | UA dense | UA 95 % OMP | RA dense |")
    assert lines[3] == "| --- |" + " ---: |" * 12
    rows = [line for line in lines if line.startswith("| ")]
    assert {line.count("|") for line in rows} == {14}
    assert next(line for line in rows if line.startswith("| ℓ1-sparse")).count("**") == 8
    assert "| Original |" in rows[3]
    assert "(1) Nothing was unlearned.  " in lines


def test_one_level_needs_no_level_in_the_header(results):
    results["cells"] = [cell for cell in results["cells"] if cell["pruner"] == "none"]
    assert to_text(results)[0].header[1:] == ["UA", "RA", "TA", "MIA-efficacy", "Mean gap", "RTE"]


def test_names_cannot_break_markdown(results, find):
    find("ga")["method"] = "a|b\n# <b>*_`"
    markdown = to_markdown(results)
    assert "<b>" not in markdown
    row = next(line for line in markdown.splitlines() if "&lt;b&gt;" in line)
    assert row.count("|") == 14


def test_a_document_that_does_not_fit_is_refused():
    with pytest.raises(DataError):
        to_markdown({"schema": 1})
    with pytest.raises(DataError):
        to_text({})


def test_a_null_shows_its_reason(results, find):
    reasons = ["12 of 90 samples are gone", "13 of 90 samples are gone", None]
    for seed, reason in enumerate(reasons):
        cell = find("ga", seed=seed)
        cell["metrics"]["ua"] = None
        cell["reasons"] = {} if reason is None else {"ua": reason}
    table = main_table(aggregate(results)[0])
    found = entry(table, "ga", "UA", 0)
    assert found.text == "—"
    assert table.notes[found.note - 1] == f"UA: {reasons[0]}; {reasons[1]}."
    (text,) = [note for note in to_text(results)[1].notes if "samples are gone" in note]
    assert text.startswith(f"({found.note}) UA: ")


def test_a_null_of_a_further_measure_shows_its_reason(results, find):
    for seed in range(3):
        find("ga", seed=seed)["metrics"]["drift"] = None
        find("ga", seed=seed)["sparsity_at"] = None
        find("ga", seed=seed)["reasons"] = {"drift": "no weights.", "sparsity_at": "no layers"}
    table = further_table(aggregate(results)[0])
    assert table.notes[entry(table, "ga", "Drift", 0).note - 1] == "Drift: no weights."
    sparsity = table.notes[entry(table, "ga", "Sparsity, measured", 0).note - 1]
    assert sparsity == "Sparsity, measured: no layers."


def test_what_no_row_has_is_no_column_but_its_reason_is_told(results):
    for cell in results["cells"]:
        cell["metrics"]["ta_forgotten"] = None
        cell["reasons"] = {"ta_forgotten": "no class is forgotten", "attacks": "no attacks"}
    table = further_table(aggregate(results)[0])
    assert "TA, forgotten" not in [measure.short for measure in table.measures]
    assert table.notes[-1] == "TA, forgotten: no class is forgotten."
    assert not any("no attacks" in note for note in table.notes)


@pytest.mark.parametrize(
    ("unit", "short", "text"),
    [
        ("percent", "Leakage", "0.12±0.00"),
        ("fraction", "Leakage", "12.34 %±0.00 %"),
        ("bits", "Leakage, bits", "0.1234±0"),
        ("norm", "Leakage, norm", "0.12±0.00"),
    ],
)
def test_another_packages_metric_has_its_title_and_unit(results, unit, short, text):
    results["metrics"]["leak"] = {"unit": unit, "compared": False, "title": "Leakage"}
    for cell in results["cells"]:
        cell["metrics"]["leak"] = 0.12341
    table = further_table(aggregate(results)[0])
    assert entry(table, "ft", short, 0).text == text


def test_cells_that_were_made_alike_need_no_note(made_elsewhere):
    first = made_elsewhere["makers"][0]
    made_elsewhere["makers"][1] = {**first, "date": "2026-02-01", "engine": "processes"}
    for cell in made_elsewhere["cells"]:
        cell["made_by"] = cell["seed"] % 2
    assert main_table(aggregate(made_elsewhere)[0]).made == ""
    assert not any("environment" in note for note in to_text(made_elsewhere)[1].notes)


def test_seeds_of_another_environment_are_told(made_elsewhere):
    for cell in made_elsewhere["cells"]:
        cell["made_by"] = int(cell["seed"] == 2)
    scenario = aggregate(made_elsewhere)[0]
    made = main_table(scenario).made
    assert "seeds 0 and 1 by environment 1; seed 2 by environment 2." in made
    assert "Environment 1 has cpu Example CPU, torch 2.6.0" in made
    assert "environment 2 has cpu Other CPU, torch 2.7.0." in made
    assert "date" not in made
    assert further_table(scenario).made == made
    assert made in to_text(made_elsewhere)[1].notes
    assert "seed 2 by environment 2" in to_markdown(made_elsewhere)


@pytest.mark.parametrize(
    ("name", "value"),
    [("device", "cpu"), ("precision", "32-true"), ("threads", 1), ("code", "f" * 16),
     ("platform", "Darwin arm64"), ("cores", 4)],
)  # fmt: skip
def test_whatever_differs_but_date_and_engine_is_marked(results, name, value):
    results["makers"].append({**results["makers"][0], name: value})
    for cell in results["cells"]:
        cell["made_by"] = int(cell["seed"] == 2)
    assert f"environment 2 has {name} {value}." in main_table(aggregate(results)[0]).made


def test_rows_of_another_environment_are_told(made_elsewhere, find):
    for seed in range(3):
        find("ga", seed=seed)["made_by"] = 1
    find("ft", pruner="omp", seed=1)["made_by"] = 1
    first, second = aggregate(made_elsewhere)
    assert (
        "GA dense and FT 95 % OMP (seed 1) by environment 2; all else by environment 1."
        in main_table(first).made
    )
    assert main_table(second).made == ""


def test_what_lacks_in_some_seeds_is_said_under_the_table(results, find):
    fail(find("ft", seed=1), "diverged: unlearn-1 (ft: lower lr)")
    results["cells"].remove(find("l1_sparse", seed=2))
    fail(find("retrain", pruner="omp"), "diverged: unlearn-2 (retrain: lower lr)")
    for method in ("original", "ft", "ga"):
        find(method, pruner="omp").update(gap=None, gap_reason="the reference has no ua")
    notes = to_text(results)[1].notes
    assert (
        "FT (dense): numbers of 2 of 3 seeds (seed 1: diverged: unlearn-1 (ft: lower lr))." in notes
    )
    assert "ℓ1-sparse (dense): numbers of 2 of 3 seeds (seed 2: not run)." in notes
    assert (
        "Retrain (95 % OMP): numbers of 2 of 3 seeds (seed 0: diverged: unlearn-2 (retrain: lower "
        "lr))." in notes
    )
    assert (
        "Original (95 % OMP), FT (95 % OMP) and GA (95 % OMP): gaps of 2 of 3 seeds (the reference "
        "has no ua)." in notes
    )
    assert not any("of 3 seeds (" in note for note in to_text(results)[3].notes)
    # Retrain has no distance from itself in any seed: its failure is not the reason for that.
    further = further_table(aggregate(results)[0])
    assert "Diverged: unlearn-2 (retrain: lower lr)." not in further.notes


@pytest.mark.parametrize("method", ["ft", "retrain"])
def test_a_method_that_failed_has_one_note_for_all_dashes(results, find, method):
    for seed in range(3):
        fail(find(method, seed=seed), "diverged: unlearn-1 (ft: lower lr)")
    table = main_table(aggregate(results)[0])
    row = next(row for row in table.rows if row.method == method)
    assert {entry.text for entry in row.entries[::2]} == {"—"}
    assert {entry.note for entry in row.entries[::2]} == {table.notes.index(
        "Diverged: unlearn-1 (ft: lower lr)."
    ) + 1}  # fmt: skip
