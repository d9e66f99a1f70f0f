"""The report in a real browser: it sorts, fits a phone, follows the scheme, prints whole."""

from __future__ import annotations

import re

import pytest
from tests.report.chromium import chromium, emulate, needs_chromium, soon

from expunge.report import write_report

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    yield from chromium(tmp_path_factory.mktemp("profile"))


@pytest.fixture(scope="module")
def address(three_seeds, tmp_path_factory):
    return write_report(three_seeds, tmp_path_factory.mktemp("report")).as_uri()


@pytest.fixture
def page(browser, address):
    browser.get(address)
    yield browser
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert browser.get_log("browser") == []


def column(page, index):
    script = """
        const rows = document.querySelectorAll("#scenario-1 tbody.methods tr");
        return [...rows].slice(0, 3).map((row) => row.cells[arguments[0]].textContent.trim());
    """
    return page.execute_script(script, index)


def button(page, index):
    found = page.find_elements("css selector", "#scenario-1 table th[aria-sort] button")[index]
    # The page scrolls smoothly, and Selenium would click before it has come to rest.
    scroll = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})"
    page.execute_script(scroll, found)
    return found


def test_sorts_by_gap_up_and_down_with_missing_last(page):
    assert column(page, 0) == ["FT", "GA", "ℓ1-sparse"]
    button(page, 1).click()
    assert column(page, 0) == ["ℓ1-sparse", "GA", "FT"], "UA, dense: closest to Retrain first"
    button(page, 1).click()
    assert column(page, 0) == ["FT", "GA", "ℓ1-sparse"]
    button(page, 2).click()
    assert column(page, 0) == ["GA", "FT", "ℓ1-sparse"]
    button(page, 2).click()
    assert column(page, 0) == ["FT", "GA", "ℓ1-sparse"], "not run at this sparsity: still last"
    states = page.execute_script(
        "return [...document.querySelectorAll('#scenario-1 table')][0]"
        ".querySelectorAll('th[aria-sort]').values().map((th) => th.ariaSort).toArray()"
    )
    assert states == ["none", "none", "descending", *["none"] * 10]
    references = page.execute_script(
        "return [...document.querySelectorAll('#scenario-1 tbody.references')][0].innerText"
    )
    assert references.split()[0] == "Retrain"


def test_sorts_by_name_from_the_keyboard(page):
    name = button(page, 0)
    name.send_keys("\ue007")
    assert column(page, 0) == ["FT", "GA", "ℓ1-sparse"]
    name.send_keys(" ")
    assert column(page, 0) == ["ℓ1-sparse", "GA", "FT"]


def test_all_runs_sort_by_number(page):
    page.execute_script("document.querySelector('#runs details').open = true")
    header = page.find_elements("css selector", "#runs th button")[4]
    page.execute_script("arguments[0].click()", header)
    values = page.execute_script(
        "return [...document.querySelectorAll('#runs tbody tr')]"
        ".map((row) => row.cells[4].innerText)"
    )
    numbers = [float(value) for value in values]
    assert len(numbers) == 54
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("folded", [True, False])
@pytest.mark.parametrize("width", [320, 375, 768])
def test_no_page_wider_than_the_screen(page, width, folded):
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    if not folded:
        page.execute_script("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    wide, inner = page.execute_script(
        "return [document.documentElement.scrollWidth, window.innerWidth]"
    )
    assert inner == width
    assert wide <= inner


def luminance(color):
    channels = [float(part) / 255 for part in re.findall(r"[\d.]+", color)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


INKS = """
    const ground = (element) => {
        for (let one = element; one; one = one.parentElement) {
            const color = getComputedStyle(one).backgroundColor;
            if (color !== "rgba(0, 0, 0, 0)" && color !== "transparent") return color;
        }
        return "rgb(255, 255, 255)";
    };
    const seen = {};
    for (const element of document.querySelectorAll("body, body *:not(script)")) {
        const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
        if (!own || element.closest("svg g[id]")) continue;
        const name = element.tagName + "." + element.className;
        seen[name] = [getComputedStyle(element).color, ground(element)];
    }
    return seen;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_is_readable(page, scheme):
    emulate(page, scheme=scheme)
    ground = page.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert luminance(ground) < 0.05 if scheme == "dark" else luminance(ground) > 0.9
    inks = page.execute_script(INKS)
    assert len(inks) > 15
    for name, colors in inks.items():
        high, low = sorted(map(luminance, colors), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (name, colors)


def test_figures_take_the_ink_of_the_page(page):
    script = "return getComputedStyle(document.querySelector('svg text')).fill"
    emulate(page, scheme="light")
    assert luminance(page.execute_script(script)) < 0.05
    emulate(page, scheme="dark")
    assert luminance(page.execute_script(script)) > 0.6


def test_print_shows_everything_on_white(page):
    hidden = (
        "return [...document.querySelectorAll('details > :not(summary)')]"
        ".filter((one) => !one.checkVisibility({contentVisibilityAuto: true})).length"
    )
    assert page.execute_script(hidden) > 0
    emulate(page, scheme="dark", media="print")
    soon(page, lambda: page.execute_script(hidden) == 0, "unfolds")
    assert page.execute_script("return getComputedStyle(document.body).backgroundColor") in (
        "rgb(255, 255, 255)",
        "#fff",
    )
    # A4, landscape, less its margins.
    metrics = {"width": 1031, "height": 700, "deviceScaleFactor": 1, "mobile": False}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    assert page.execute_script("return document.documentElement.scrollWidth") <= 1031
    emulate(page)
    soon(page, lambda: page.execute_script(hidden) > 0, "folds again")
