"""The attribution study as a page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.report.attribution import attribution_tables
from expunge.report.attribution_figures import draw_attribution, draw_memorised
from expunge.report.drawing import Drawing, save
from expunge.report.page import Section, write_page
from expunge.report.text import TextTable

if TYPE_CHECKING:
    from expunge.report.attribution_figures import Pictures


def write_attribution(document: Mapping[str, Any], folder: Path, pictures: Pictures) -> list[Path]:
    """Write `attribution.html` and its figures into a folder; return all paths, the page first.

    `pictures` are images of the most memorised samples by id; none, if inputs are not images.

    Raises:
        StoreError: the folder cannot be written to.
    """
    drawings = draw_attribution(document)
    data: list[Drawing] = [each for each in drawings if not each.scenario]
    weights = [each for each in drawings if each.scenario]
    memorised = draw_memorised(document, pictures)
    tables = {table.title: table for table in attribution_tables(document)}

    def named(*starts: str) -> list[TextTable]:
        return [each for title, each in tables.items() if title.startswith(starts)]

    page = folder / "attribution.html"
    write_page(
        page,
        document["title"],
        [("Seeds", str(len({row["seed"] for row in document["scores"]})))],
        [
            Section(heading="Claims", tables=named("Claims")),
            Section(
                heading="Data influence",
                words=[
                    "Each attributor scores every training sample for each target. The linear "
                    "datamodelling score is the rank correlation, over models trained on subsets, "
                    "of the summed scores of the subset with the model's margin on the target."
                ],
                drawings=data,
                tables=named("Linear"),
            ),
            Section(
                heading="Model influence",
                words=["Weights are ranked by how much the group's loss depends on them."],
                drawings=weights,
                tables=named("Forget", "Kept"),
            ),
            Section(
                heading="Memorised samples",
                words=[
                    "P(right | trained on it) − P(right | not), over the same subset models "
                    "(Feldman and Zhang 2020)."
                ],
                drawings=memorised,
                tables=named("Memorised"),
            ),
        ],
        document["reproduce"],
    )
    return [page, *save([*data, *weights, *memorised], folder)]
