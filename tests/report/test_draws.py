"""Draws in the report: their table, the mark where they disagree, and what older documents lack."""

import pytest
from tests.report.conftest import draws

from expunge.errors import DataError
from expunge.report import check_results, render_html, to_markdown, to_text
from expunge.report.aggregate import aggregate
from expunge.report.draws import DISAGREE, DISAGREE_NOTE, DRAWS_HEADER, DRAWS_NOTE, draw_rows
from expunge.report.tables import further_table, main_table

ONE_DRAW = "of one draw of the attacker’s sample"


def test_every_mean_over_draws_has_a_row(results, find):
    find("ga")["draws"]["mia_efficacy"] = draws(62.5, 32.0) | {"median": 97.0}
    rows = draw_rows(aggregate(results)[0])
    assert len(rows) == 9 * 3 * 2
    assert all(len(row) == len(DRAWS_HEADER) for row in rows)
    (row,) = (row for row in rows if row[-1][0] == f"no {DISAGREE}")
    assert [text for text, _ in row] == [
        *("dense", "GA", "0", "MIA-efficacy", "200", "62.50", "2.26", "97.00"),
        *("11.30", "100.00", f"no {DISAGREE}"),
    ]


@pytest.mark.parametrize("seed", [0, 2])
def test_values_whose_draws_disagree_are_marked_and_explained(results, find, seed):
    before = to_markdown(results)
    assert DISAGREE not in before
    find("ga", seed=seed)["draws"]["mia_efficacy"] = draws(62.5, 32.0)
    table = main_table(aggregate(results)[0])
    marked = [(row.method, i) for row in table.rows for i, e in enumerate(row.entries) if e.mark]
    assert marked == [("ga", 6)]
    assert table.legend == (DISAGREE_NOTE,)
    text = to_text(results)
    assert any(DISAGREE in entry for row in text[0].rows for entry in row)
    assert DISAGREE_NOTE in text[1].notes
    lines = [line for line in to_markdown(results).splitlines() if DISAGREE in line]
    assert len(lines) == 2
    assert DISAGREE_NOTE in lines[1]


def test_further_measures_are_marked_too(results, find):
    find("ft", pruner="omp")["draws"]["mia_privacy"] = draws(55.0, 9.0)
    table = further_table(aggregate(results)[0])
    assert table.legend == (DISAGREE_NOTE,)
    assert not main_table(aggregate(results)[0]).legend


def test_a_reference_is_marked_too(results, find):
    find("retrain")["draws"]["mia_efficacy"] = draws(50.0, 45.0)
    assert main_table(aggregate(results)[0]).rows[0].entries[6].mark == DISAGREE


def said_to_be_of_one_draw(document):
    for table in to_text(document)[1::2]:
        assert any(note.startswith("MIA-efficacy is of one draw") for note in table.notes)
    assert "MIA-efficacy is of one draw of the attacker’s sample" in to_markdown(document)
    assert not draw_rows(aggregate(check_results(document))[0])


def test_documents_without_draws_are_said_to_be_of_one_draw(results):
    said_to_be_of_one_draw(without_draws(results))


def test_the_page_marks_them_too(one_seed):
    one_seed["cells"] = [cell for cell in one_seed["cells"] if cell["scenario"] == "class:3"]
    old, marked = one_seed["cells"][0], one_seed["cells"][1]
    del old["draws"]["mia_privacy"]
    marked["draws"]["mia_efficacy"] = draws(62.5, 32.0)
    page = render_html(one_seed)
    assert page.count(f'<sup class="mark">{DISAGREE}</sup>') == 1
    assert page.count(DISAGREE_NOTE) == 1
    assert page.count(DRAWS_NOTE) == 1
    assert "MIA-efficacy is of one draw" not in page
    assert "<summary>Draws of the attacker’s sample</summary>" in page


def test_documents_of_schema_1_are_said_to_be_of_one_draw(schema_1):
    said_to_be_of_one_draw(schema_1)


def without_draws(results):
    for cell in results["cells"]:
        cell.pop("draws", None)
    return results


def test_single_cells_without_draws_are_named(results, find):
    find("ga", seed=2)["draws"] = {}
    assert (
        "MIA-efficacy of GA (dense, seed 2) is of one draw of the attacker’s sample: another draw "
        "may give other values." in to_text(results)[1].notes
    )


def test_documents_with_draws_are_not(results):
    assert ONE_DRAW not in to_markdown(results)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ({"draws": {"mia_efficacy": 3}}, "draws: mia_efficacy must be an object, got an integer"),
        ({"draws": {"mia_efficacy": {"n": 20}}}, "draws: mia_efficacy: missing mean"),
        (
            {"draws": {"mia_efficacy": draws(3.0) | {"agree": 1}}},
            "draws: mia_efficacy: agree must be true or false",
        ),
    ],
)
def test_draws_that_say_nothing_are_refused(results, spoil, message):
    results["cells"][0] |= spoil
    with pytest.raises(DataError, match=message):
        check_results(results)
