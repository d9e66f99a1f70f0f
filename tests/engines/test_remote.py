"""What a worker on another machine does, and where it refuses to."""

from dataclasses import replace
from pathlib import Path

import pytest

from expunge.engines import remote
from expunge.engines.remote import Task, make_nodes, open_site
from expunge.errors import ExpungeError, StoreError
from expunge.graph.graph import Graph
from expunge.graph.kinds.empty import add_empty
from expunge.graph.runtime import Place
from expunge.runs import Node, Store

PLACE = Place(device="cpu")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(remote, "_SECONDS_TO_APPEAR", 0.0)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def task(store, numbers, **settings):
    graph = Graph(store)
    nodes = [graph.node(add_empty(graph, number)) for number in numbers]
    return Task(nodes=[(node.to_json(), "one") for node in nodes], engine="test", **settings)


def test_nodes_are_made_and_say_by_which_engine(store):
    with open_site(store) as site:
        outcomes = make_nodes(task(store, [1, 2]), site, PLACE)
        assert make_nodes(task(store, [2]), site, PLACE) == [None]
    assert all(seconds >= 0 for seconds in outcomes)
    assert {store.open(name).made["engine"] for name in store.ids()} == {"test"}
    assert not site.folder.exists()


def test_a_store_is_found_from_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with open_site(Store(Path("runs"))) as site:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        make_nodes(task(Store(site.root), [1]), site, PLACE)
    assert len(Store(tmp_path / "runs").ids()) == 1


@pytest.mark.parametrize("seen", [True, False])
def test_a_worker_works_where_the_run_was_started_if_it_sees_that_folder(
    store, tmp_path, monkeypatch, seen
):
    for name in ("started", "elsewhere"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "started")
    with open_site(store) as site:
        monkeypatch.chdir(tmp_path / "elsewhere")
        there = site if seen else replace(site, directory=tmp_path / "not there")
        make_nodes(task(store, [1]), there, PLACE)
    assert Path.cwd().name == ("started" if seen else "elsewhere")
    assert len(store.ids()) == 1


@pytest.mark.parametrize("there", ["nothing", "another store"])
def test_a_worker_without_the_stores_file_system_is_one_line(store, tmp_path, there):
    """The same path, and something else behind it."""
    other = Store(tmp_path / "other")
    if there == "another store":
        with other.create(Node(kind="empty", version=1, params={})):
            pass
    with open_site(store) as site:
        moved = replace(site, root=other.root, host="driver")
        (error,) = make_nodes(task(store, [1]), moved, PLACE)
    assert isinstance(error, StoreError)
    assert "does not see the store" in str(error)
    assert "every worker needs the store's own file system" in str(error)
    assert "\n" not in str(error)
    assert len(other.ids()) == (there == "another store")


@pytest.mark.parametrize("keep_going", [False, True])
def test_a_failure_ends_a_task_unless_it_keeps_going(store, keep_going):
    asked = task(store, [1, 2, 3], keep_going=keep_going)
    asked.nodes[1][0]["parents"] = {"before": "empty-0123456789abcdef"}
    with open_site(store) as site:
        outcomes = make_nodes(asked, site, PLACE)
    assert [isinstance(each, ExpungeError) for each in outcomes] == [False, True, False][
        : 3 if keep_going else 2
    ]
    assert len(store.ids()) == (2 if keep_going else 1)


def test_logs_of_a_run_that_fails_stay(store):
    sites = []

    def fail(log):
        with open_site(store) as site:
            sites.append(site)
            if log:
                (site.folder / "log").write_text("why")
            raise KeyError

    for log in (True, False):
        with pytest.raises(KeyError):
            fail(log)
    assert (sites[0].folder / "log").read_text() == "why"
    assert not sites[1].folder.exists()
