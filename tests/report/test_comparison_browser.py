"""The comparison in a real browser: by mouse, by keyboard, on a phone, and without scripts."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from tests.report.chromium import chromium, emulate, needs_chromium, screen
from tests.report.conftest import build

from expunge.report import write_report

pytestmark = needs_chromium
TAB, SPACE, RIGHT, DOWN = "\ue004", " ", "\ue014", "\ue015"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    yield from chromium(tmp_path_factory.mktemp("profile"))


def without_retrain(results):
    cells = [cell for cell in results["cells"] if cell["method"] != "retrain"]
    for cell in cells:
        cell |= {"gap": None, "gap_dense": None, "gap_reason": "Retrain was not run"}
    return results | {"cells": cells}


def only_dense(results):
    return results | {"cells": [cell for cell in results["cells"] if cell["pruner"] == "none"]}


def many_methods(results):
    """Twelve methods, with labels as long as people make them."""
    ft = [cell for cell in results["cells"] if cell["method"] == "ft"]
    more = [{**cell, "method": f"ft by another setting, {n}"} for n in range(10) for cell in ft]
    return results | {"cells": results["cells"] + more}


PAGES = {
    "three seeds": lambda: build(3),
    "one seed": lambda: build(1),
    "no Retrain": lambda: without_retrain(build(1)),
    "one level": lambda: only_dense(build(1)),
    "many methods": lambda: many_methods(build(1)),
}


@pytest.fixture(scope="module")
def addresses(tmp_path_factory):
    """The address of a page, written when first asked for."""
    written = {}

    def address(name):
        if name not in written:
            results = PAGES[name]()
            for cell in results["cells"]:
                cell["confidence"] = None
            written[name] = write_report(results, tmp_path_factory.mktemp("report")).as_uri()
        return written[name]

    return address


@pytest.fixture
def page(browser, addresses):
    def load(name="three seeds", width=1200):
        screen(browser, width)
        browser.get(addresses(name))
        browser.execute_script("document.documentElement.style.scrollBehavior = 'auto'")
        return browser

    yield load
    emulate(browser)
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert browser.get_log("browser") == []


def said(page):
    return json.loads(
        page.execute_script("return document.getElementById('comparison-data').textContent")
    )


def click(page, selector):
    page.execute_script("document.querySelector(arguments[0]).click()", selector)


def view(page, name):
    click(page, f"#comparison input[name=view][value={name}]")


def box(page, group, label):
    """Tick or untick what has this label."""
    page.execute_script(
        "[...document.querySelectorAll(`[data-choice=${arguments[0]}] label`)]"
        ".find((each) => each.textContent.trim() === arguments[1]).click()",
        group,
        label,
    )


def notes(page):
    return page.execute_script("return document.querySelector('.notes-of-view').innerText")


def marks(page):
    """Every mark drawn, as its data and its place, with the ticks of its picture."""
    return page.execute_script(
        """
        const number = (line, name) => Number(line.getAttribute(name));
        return [...document.querySelectorAll(".view svg[role=img]")].flatMap((svg) => {
          const ticks = (name, at) => [...svg.querySelectorAll(`[data-${name}]`)]
            .map((line) => [Number(line.dataset[name]), number(line, at)]);
          return [...svg.querySelectorAll("path.mark")].map((mark) => ({
            ...mark.dataset,
            place: mark.getAttribute("transform").match(/-?\\d[\\d.]*/g).map(Number),
            across: ticks("across", "x1"), up: ticks("up", "y1"),
            bands: [...svg.querySelectorAll("polygon.band")].map((e) => e.getAttribute("points")),
            size: number(svg, "width"),
            rim: Number(svg.querySelector("[data-rim]")?.dataset.rim),
          }));
        });
        """
    )


def entry(scenario, method, measure, level):
    by = {each["label"]: each for each in scenario["methods"]}
    shorts = [each["short"] for each in scenario["measures"]]
    levels = [each["label"] for each in scenario["levels"]]
    return by[method]["cells"][shorts.index(measure)][levels.index(level)]


def on_scale(ticks, shape):
    """From a value to its place, by two ticks of an axis."""
    (one, at), (other, there) = ticks[0], ticks[-1]
    slope = (there - at) / (shape(other) - shape(one))
    return lambda value: at + slope * (shape(value) - shape(one))


def test_the_table_is_the_json_of_what_is_chosen(page):
    page = page()
    box(page, "methods", "GA")
    box(page, "levels", "dense")
    box(page, "measures", "MIA-privacy")
    scenario = said(page)["scenarios"][0]
    rows = page.execute_script(
        "return [...document.querySelectorAll('.view tbody tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    heads = page.execute_script(
        "return [...document.querySelectorAll('.view thead button')].map((e) => e.textContent)"
    )
    assert heads == ["Method", "UA", "RA", "TA", "MIA-efficacy", "Mean gap", "RTE", "MIA-privacy"]
    assert [row[0] for row in rows] == ["Retrain", "Original", "FT", "ℓ1-sparse"]
    for name, *texts in rows:
        for measure, text in zip(heads[1:], texts, strict=True):
            cell = entry(scenario, name, measure, "95 % OMP")
            assert text.startswith(cell["text"])
            assert ("beside" in cell) == text.endswith(f"({cell.get('beside')})")
    assert "(1) Nothing was unlearned" in notes(page)
    assert "ℓ1-sparse was not run at this sparsity." in notes(page)
    for state, order in (("ascending", ["FT", "ℓ1-sparse"]), ("descending", ["ℓ1-sparse", "FT"])):
        click(page, ".view thead th button")
        assert page.execute_script("return document.querySelector('.view th').ariaSort") == state
        names = "return [...document.querySelectorAll('.view .methods th')].map((e) => e.innerText)"
        assert page.execute_script(names) == order


def test_curves_stand_where_the_json_says(page):
    page = page()
    view(page, "sparsity")
    scenario, drawn = said(page)["scenarios"][0], marks(page)
    across = {level["label"]: level["across"] for level in scenario["levels"]}
    # A mark a measure of the six, method of the five, and level: less what was not run or timed.
    assert len(drawn) == 6 * 5 * 2 - 6 - 2 - 2
    for mark in drawn:
        cell = entry(scenario, mark["method"], mark["measure"], mark["level"])
        assert float(mark["mean"]) == pytest.approx(cell["mean"])
        up, along = on_scale(mark["up"], float), on_scale(mark["across"], float)
        place = along(across[mark["level"]]), up(cell["mean"])
        assert mark["place"] == pytest.approx(place, abs=0.01)
        if mark["measure"] == "UA" and "band" in cell:
            low, high, kind = cell["band"]
            assert kind == mark["kind"] == "interval"
            for bound in np.clip([low, high], 0, 100):
                corner = f"{place[0]:.2f},{up(bound):.2f}"
                rounded = re.sub(
                    r"[-\d.]+", lambda found: f"{float(found[0]):.2f}", " ".join(mark["bands"])
                )
                assert corner in rounded
    assert "95 % interval of the mean" in notes(page)


def test_the_radar_is_as_far_out_as_the_json_says(page):
    page = page()
    view(page, "radar")
    scenario, drawn = said(page)["scenarios"][0], marks(page)
    corners = ["UA", "RA", "TA", "MIA-efficacy", "RTE"]
    assert {mark["measure"] for mark in drawn} == set(corners)
    assert "Retrain" not in {mark["method"] for mark in drawn}
    for mark in drawn:
        cell = entry(scenario, mark["method"], mark["measure"], mark["level"])
        angle = 2 * math.pi * corners.index(mark["measure"]) / 5
        reach = mark["rim"] * cell["radius"]
        centre = mark["size"] / 2
        place = centre + reach * math.sin(angle), centre - reach * math.cos(angle)
        assert mark["place"] == pytest.approx(place, abs=0.01)
    assert "the centre is a gap of 100 points" in notes(page)
    assert "Open, because a measure is missing: Original (dense)" in notes(page)
    for label in corners[:3]:
        box(page, "measures", label)
    assert marks(page) == []
    assert "No radar: it needs 3 or more measures" in notes(page)


@pytest.mark.parametrize("chosen", [["UA", "RA", "TA", "MIA-efficacy"], ["UA", "TA"]])
def test_gap_and_time_are_those_of_the_json(page, chosen):
    page = page()
    view(page, "time")
    for label in {"UA", "RA", "TA", "MIA-efficacy"} - set(chosen):
        box(page, "measures", label)
    scenario, drawn = said(page)["scenarios"][0], marks(page)
    assert len(drawn) == 4 * 2 - 1
    for mark in drawn:
        cells = [entry(scenario, mark["method"], name, mark["level"]) for name in chosen]
        gap = 0 if mark["method"] == "Retrain" else np.mean([cell["gap"] for cell in cells])
        seconds = entry(scenario, mark["method"], "RTE", mark["level"])["mean"]
        assert float(mark["gap"]) == pytest.approx(gap, abs=1e-3)
        assert mark["place"] == pytest.approx(
            (
                on_scale(mark["across"], math.log)(seconds),
                on_scale(mark["up"], math.sqrt)(float(mark["gap"])),
            ),
            abs=0.01,
        )
    assert "not drawn: Original (dense)" in notes(page)


def test_another_scenario_has_its_own_choices_and_numbers(page):
    page = page()
    page.execute_script(
        "const select = document.querySelector('#comparison select'); select.value = '1';"
        "select.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    scenario = said(page)["scenarios"][1]
    row = page.execute_script("return document.querySelector('.view tbody tr').cells[1].innerText")
    assert row.startswith(entry(scenario, "Retrain", "UA", "dense")["text"])
    status = page.execute_script(
        "return document.querySelector('#comparison [role=status]').innerText"
    )
    assert status == ("Table. Forget 10 % at random: 5 methods, 6 measures, 2 levels of sparsity.")


def test_everything_is_reached_and_done_by_keyboard(page):
    page = page()
    page.execute_script("document.querySelector('nav a[href=\"#compare\"]').focus()")
    reached = []
    for _ in range(60):
        page.switch_to.active_element.send_keys(TAB)
        name, outline, inside = page.execute_script(
            """
            const one = document.activeElement;
            const style = getComputedStyle(one);
            return [one.name || one.dataset.all || one.className, style.outlineStyle,
                    document.getElementById("compare").contains(one)];
            """
        )
        if inside:
            assert outline != "none", f"{name}: where the focus is must be seen"
            reached.append(name)
        elif reached:
            break
    order = ["scenario", "view", "methods", "measures", "levels", "scroll view"]
    assert list(dict.fromkeys(reached))[:6] == order
    assert reached.count("methods") == 6, "five boxes and the button"
    assert reached.count("view") == 1, "one stop; arrows go on"
    page.execute_script("document.querySelector('#comparison [name=view]').focus()")
    page.switch_to.active_element.send_keys(RIGHT)
    page.switch_to.active_element.send_keys(RIGHT)
    chosen = "return document.querySelector('[name=view]:checked').value"
    assert page.execute_script(chosen) == "radar"
    before = len(marks(page))
    page.execute_script("document.querySelectorAll('#comparison [name=methods]')[2].focus()")
    page.switch_to.active_element.send_keys(SPACE)
    assert "FT" not in {mark["method"] for mark in marks(page)}
    assert len(marks(page)) == before - 10
    page.execute_script("document.querySelector('#comparison [data-all=levels]').focus()")
    page.switch_to.active_element.send_keys(SPACE)
    assert "Nothing to show: choose levels." in notes(page)
    page.switch_to.active_element.send_keys(SPACE)
    assert len(marks(page)) == before - 10
    page.execute_script("document.querySelector('#comparison select').focus()")
    page.switch_to.active_element.send_keys(DOWN)
    assert "Forget 10 % at random" in page.execute_script(
        "return document.querySelector('#comparison [role=status]').innerText"
    )


def test_every_control_has_a_name_and_pictures_a_role(page):
    page = page()
    view(page, "radar")
    nameless = page.execute_script(
        """
        return [...document.querySelectorAll("#compare :is(input, select, button)")].filter((one) =>
          !(one.getAttribute("aria-label") || one.textContent.trim() && one.tagName === "BUTTON" ||
            one.labels?.[0]?.textContent.trim())).length
        """
    )
    assert nameless == 0
    groups = page.execute_script(
        "return [...document.querySelectorAll('#compare legend')].map((e) => e.innerText)"
    )
    assert groups == ["View", "Methods", "Measures", "Sparsity"]
    pictures = page.execute_script(
        "return [...document.querySelectorAll('.view svg:not([aria-hidden])')]"
        ".map((svg) => [svg.getAttribute('role'), svg.getAttribute('aria-label')])"
    )
    assert pictures == [
        ["img", f"Forget class 3, {level}: radar"] for level in ("dense", "95 % OMP")
    ]


@pytest.mark.parametrize("name", ["three seeds", "many methods"])
def test_a_phone_shows_every_view_without_sideways_scrolling(page, name):
    page = page(name, width=360)
    for which in ("table", "time", "radar", "sparsity"):
        view(page, which)
        wide, inner, pictures, room = page.execute_script(
            """
            const view = document.querySelector(".view");
            return [document.documentElement.scrollWidth, innerWidth,
                    Math.max(0, ...[...view.querySelectorAll("svg")].map((e) => e.clientWidth)),
                    view.clientWidth];
            """
        )
        assert inner == 360
        assert wide <= inner, which
        assert pictures <= room, which
        out = page.execute_script(
            """
            return [...document.querySelectorAll(".view svg[role=img]")].flatMap((svg) =>
              [...svg.querySelectorAll("text")].filter((text) => {
                const [box, frame] = [text.getBoundingClientRect(), svg.getBoundingClientRect()];
                return box.left < frame.left - 1 || box.right > frame.right + 1;
              }).map((text) => text.textContent));
            """
        )
        assert out == [], f"{which}: cut off"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pictures_take_the_ink_of_the_page(page, scheme):
    page = page()
    emulate(page, scheme=scheme)
    view(page, "sparsity")
    ink, body = page.execute_script(
        "return [getComputedStyle(document.querySelector('.view svg text')).fill,"
        " getComputedStyle(document.body).color]"
    )
    assert ink == body


def test_print_shows_the_view_without_its_controls(page):
    page = page()
    view(page, "radar")
    emulate(page, media="print")
    hidden, shown = page.execute_script(
        "return [document.querySelector('.choices').checkVisibility(),"
        " document.querySelector('.view svg[role=img]').checkVisibility()]"
    )
    assert (hidden, shown) == (False, True)


def test_without_scripts_the_figures_and_tables_are_there(page, browser):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page = page()
        text = page.find_element("css selector", "#compare").text
        assert "needs scripts" in text
        assert not page.find_element("css selector", "#comparison").is_displayed()
        for scenario in (1, 2):
            found = page.find_elements("css selector", f"#scenario-{scenario} figure figcaption")
            captions = " ".join(each.text for each in found)
            for what in ("overview, normalised to Retrain", "measures against sparsity"):
                assert what in captions
            assert "mean gap against run time" in captions
            assert page.find_element("css selector", f"#scenario-{scenario} table").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.parametrize(
    ("name", "which", "why"),
    [
        ("one seed", "sparsity", "One seed: no spread can be shown"),
        ("no Retrain", "radar", "No radar: Retrain, which is its rim, was not measured."),
        ("no Retrain", "time", "No gap against time: no method has a gap to Retrain."),
        ("one level", "sparsity", "No curves over sparsity: one level was measured, dense."),
    ],
)
def test_what_cannot_be_shown_is_said(page, name, which, why):
    page = page(name)
    view(page, which)
    assert why in notes(page)
    if name == "one seed":
        assert {"kind" in mark for mark in marks(page)} == {False}
        assert "95 %" not in notes(page)
    else:
        assert marks(page) == []
        below = page.execute_script("return document.querySelector('.not-drawn')?.innerText ?? ''")
        assert why in below or which == "time"
