"""The attribution study as a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.report.attribution import tables_by_section
from expunge.report.attribution_figures import draw_attribution, draw_memorised
from expunge.report.drawing import save
from expunge.report.page import Section, write_page

if TYPE_CHECKING:
    from expunge.report.attribution_figures import Pictures


def write_attribution(document: Mapping[str, Any], folder: Path, pictures: Pictures) -> list[Path]:
    """Write `attribution.html` and its figures into a folder; return all paths, the page first.

    `pictures` are images of the most memorised samples by id; none, if inputs are not images.

    Raises:
        StoreError: the folder cannot be written to.
    """
    drawings = draw_attribution(document)
    words = {
        "Data influence": "Each attributor scores every training sample for each target. The "
        "linear datamodelling score is the rank correlation, over models trained on subsets, of "
        "the summed scores of the subset with the model's margin on the target.",
        "Model influence": "Weights are ranked by how much the group's loss depends on them.",
        "Memorised samples": "P(right | trained on it) − P(right | not), over the same subset "
        "models (Feldman and Zhang 2020).",
    }
    shown = {
        "Data influence": [each for each in drawings if not each.scenario],
        "Model influence": [each for each in drawings if each.scenario],
        "Memorised samples": draw_memorised(document, pictures),
    }
    page = folder / "attribution.html"
    write_page(
        page,
        document["title"],
        [("Seeds", str(len({row["seed"] for row in document["scores"]})))],
        [
            Section(
                heading=heading,
                words=[words[heading]] if heading in words else [],
                drawings=shown.get(heading, []),
                tables=tables,
            )
            for heading, tables in tables_by_section(document).items()
            if tables or shown.get(heading)
        ],
        document["reproduce"],
    )
    return [page, *save([each for part in shown.values() for each in part], folder)]
