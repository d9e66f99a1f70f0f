"""Images in a report, and tables of documents that measure other things than accuracy."""

import base64
import copy

import pytest

from expunge.errors import DataError
from expunge.report import render_html, to_markdown, to_text
from expunge.report.results import check_results

PNG = base64.b64encode(b"not looked into").decode()
METRICS = {
    "ua_generated": {"unit": "percent", "compared": False, "title": "unlearning accuracy"},
    "frechet": {"unit": "distance", "compared": False, "title": "Fréchet distance"},
}


@pytest.fixture
def document(results):
    """Two models of one seed of a study of generation, with images."""
    found = copy.deepcopy(results)
    cells = [c for c in found["cells"] if c["scenario"] == "class:3" and c["seed"] == 0]
    cells = [c for c in cells if c["method"] in ("original", "ft") and c["pruner"] == "none"]
    for number, cell in enumerate(cells):
        cell["metrics"] = {"ua_generated": 12.5 + number, "frechet": 2.875 + number}
        cell |= {"gap": None, "gap_dense": None, "gap_reason": "none was asked for"}
        for name in ("attacks", "confidence", "sparsity_at", "draws", "samples", "reasons"):
            cell.pop(name, None)
    images = {
        "scenario": "class:3",
        "seed": 0,
        "numbers": [2, 3],
        "classes": ["two", "<three>"],
        "forgotten": [False, True],
        "models": [
            {"pruner": "omp", "sparsity": 0.8, "method": "ft", "images": None},
            {"pruner": "none", "sparsity": 0.0, "method": "original", "images": [[PNG], [PNG]]},
        ],
    }
    settings = {**found["settings"], "claims": []}
    return {**found, "cells": cells, "metrics": METRICS, "images": [images], "settings": settings}


def test_the_main_table_is_of_what_was_measured(document):
    (table,) = to_text(document)
    assert table.header == ["Method", "UA, images", "Fréchet", "RTE"]
    rows = {row[0]: row[1:3] for row in table.rows}
    assert sorted(rows.values()) == [["12.50", "2.875"], ["13.50", "3.875"]]
    assert "Fréchet" in to_markdown(document)
    assert "mean gap" not in " ".join(table.notes).lower()


def test_the_page_shows_images_of_the_classes_and_models(document):
    page = render_html(document)
    section = page[page.index("Images that the models make") :]
    assert section.count(f"data:image/png;base64,{PNG}") == 2
    assert "&lt;three&gt; (forgotten)" in section
    assert "two (forgotten)" not in section
    assert section.index("Original") < section.index("diverged")
    assert 'alt="Original, asked for two, image 1"' in section


def test_a_page_without_images_has_no_such_section(results):
    assert "Images that the models make" not in render_html(results)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda each: each.update(seed=True), "expected a scenario and a seed"),
        (lambda each: each.update(classes=["one", 2]), "expected names of classes"),
        (lambda each: each.update(forgotten=[True]), "for each if it is forgotten"),
        (lambda each: each["models"][1].update(images=[[PNG]]), "base64 of 2 classes"),
        (lambda each: each["models"][1].update(images=[[PNG], ['" onload="']]), "base64 of 2"),
        (lambda each: each["models"][0].pop("images"), "base64 of 2 classes"),
    ],
)
def test_images_that_cannot_be_shown_are_refused(document, change, message):
    change(document["images"][0])
    with pytest.raises(DataError, match=message):
        check_results(document)


def test_images_that_are_no_list_are_refused(document):
    with pytest.raises(DataError, match="images must be a list"):
        check_results({**document, "images": {}})
