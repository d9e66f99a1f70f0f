"""Every shipped grid is planned as it stands, and finishes on a stand-in of its data."""

import datasets
import huggingface_hub
import pytest
from tests.studies.small import HERE
from tests.studies.stand_ins import SCHEMAS, cut, from_stand_in, load_dataset

from expunge.engines import Engine, run
from expunge.graph.graph import Graph
from expunge.report.results import check_results
from expunge.runs import Store
from expunge.studies.folder import collect_grid
from expunge.studies.grid import plan_grid
from expunge.studies.recipe import parse_tables, read_experiment
from expunge.studies.shipped import shipped

TABLES = {
    name: parse_tables(path.read_text(encoding="utf-8"), name) for name, path in shipped().items()
}
GRIDS = {name: tables for name, tables in TABLES.items() if "target" not in tables}

OF_THE_HUB = [name for name, tables in GRIDS.items() if tables["data"]["source"] in SCHEMAS]


@pytest.fixture
def hub(monkeypatch):
    """The hub answers, and has the data sets of the recipes."""
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: None)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """A store and a cache that all recipes share: what two have in common is made once."""
    folder = tmp_path_factory.mktemp("recipes")
    return Store(folder / "runs"), folder / "cache"


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("name", GRIDS)
def test_every_grid_is_planned_as_it_stands(name, places):
    store, cache = places
    whole = from_stand_in(read_experiment(shipped()[name]))
    assert len(plan_grid(Graph(store), whole, cache)) == whole.cell_count


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("name", OF_THE_HUB)
def test_a_grid_on_data_of_the_hub_starts_and_finishes(name, places):
    store, cache = places
    whole = read_experiment(shipped()[name])
    small, graph = cut(whole), Graph(store)
    cells = plan_grid(graph, small, cache)
    run(graph, Engine(), HERE)
    results = check_results(collect_grid(store, small, cells, "expunge bench"))
    assert len(results["cells"]) == small.cell_count
    assert {cell["method"] for cell in results["cells"]} == {"original", *whole.methods}
    # A narrow network may diverge or lose a layer to pruning; dense, each method has a number.
    for cell in results["cells"]:
        assert cell["failed"] is None or cell["sparsity"] > 0, cell["failed"]
