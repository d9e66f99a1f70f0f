"""The kind `lds`: whether scores predict what models trained on subsets of the data answer."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expunge.errors import DataError
from expunge.graph.kind import Inputs, Kind
from expunge.graph.kinds.attribution import load_about, load_scores
from expunge.graph.kinds.subsets import load_subsets
from expunge.graph.runtime import params_of
from expunge.runs import checked, read_object, write_json
from expunge.settings import derive_seed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from expunge.graph.graph import Graph
    from expunge.graph.runtime import Runtime
    from expunge.runs import Node

MEASURED = "lds.json"
BOOTSTRAP = derive_seed(0, "bootstrap over subsets")


def add_lds(graph: Graph, attribution_id: str, subsets_id: str) -> str:
    """The linear datamodelling score of an attribution against subset models."""
    parents = {"attribution": attribution_id, "subsets": subsets_id}
    attributor = graph.node(attribution_id).params["attributor"]
    return graph.add("lds", {}, parents, label=f"linear datamodelling score of {attributor}")


def add_ceiling(graph: Graph, attribution_id: str, subsets_id: str, again_id: str) -> str:
    """How well the same subsets, trained by another seed, agree on an attribution's targets."""
    parents = {"attribution": attribution_id, "subsets": subsets_id, "again": again_id}
    return graph.add("lds", {}, parents, label="agreement of two trainings of the same subsets")


def load_lds(folder: Path) -> dict[str, Any]:
    """The score in this folder: the fields of `Lds`, or `mean` null and the `reason`."""
    return read_object(checked(folder, MEASURED))


def run(node: Node, inputs: Inputs, out: Path, runtime: Runtime) -> None:
    """Correlate over subsets; what so few subsets cannot give is null with the reason."""
    import numpy as np

    from expunge.attribution.datamodel import agreement, linear_datamodelling_score

    found = load_scores(inputs["attribution"])
    population = load_about(inputs["attribution"])["population"]
    subsets = load_subsets(inputs["subsets"])
    try:
        if (answered := params_of(inputs["subsets"])["population"]) != population:
            raise DataError(
                f"the targets are {population} samples, and the subset models answered {answered} "
                "samples"
            )
        outputs = _of_targets(subsets, found["targets"])
        if "again" in inputs:
            again = load_subsets(inputs["again"])
            common = np.intersect1d(subsets["number"], again["number"])
            other = _of_targets(again, found["targets"])
            score = agreement(
                outputs[np.isin(subsets["number"], common)],
                other[np.isin(again["number"], common)],
                BOOTSTRAP,
            )
        else:
            kept = subsets["kept"][:, found["samples"]]
            score = linear_datamodelling_score(found["scores"], kept, outputs, BOOTSTRAP)
    except DataError as error:
        write_json(out / MEASURED, {"mean": None, "reason": str(error)})
        return
    write_json(out / MEASURED, asdict(score))


def _of_targets(subsets: dict[str, Any], targets: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """The margins of the targets, `(K, T)`.

    Raises:
        DataError: the subset models did not answer them.
    """
    place = {row: column for column, row in enumerate(subsets["rows"].tolist())}
    if missing := [row for row in targets.tolist() if row not in place]:
        raise DataError(
            f"{len(missing)} of {len(targets)} targets have no answers of the subset models"
        )
    found: npt.NDArray[np.float64] = subsets["margin"][:, [place[row] for row in targets.tolist()]]
    return found


KIND = Kind(name="lds", version=1, run=run, minor=True, computes=False)
