# ruff: noqa: T201
"""What the engine `ray` does with failures, on one cluster that the program has connected itself.

Prints a JSON object of what each case said.
"""

import contextlib
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path

import ray

from expunge.engines import Engine, Watch, run
from expunge.engines import ray as module
from expunge.engines.remote import open_site
from expunge.errors import ExpungeError
from expunge.graph.graph import Graph
from expunge.graph.kinds.empty import add_empty
from expunge.graph.runtime import Place
from expunge.runs import Store


def said(graph, *, keep_going=False):
    announced = []
    watch = Watch(announce=lambda *news: announced.append(news))
    try:
        run(graph, Engine(name="ray", keep_going=keep_going), Place(device="cpu"), watch)
    except ExpungeError as error:
        return [type(error).__name__, str(error), len(announced)]
    return ["", "", len(announced)]


def with_a_parent_gone(root):
    """A node that fails, before one that needs it and beside two that do not."""
    store = Store(root)
    before = Graph(store)
    parent = add_empty(before, 0)
    run(before, Engine(), Place(device="cpu"))
    graph = Graph(store)
    add_empty(graph, 2, add_empty(graph, 1, parent))
    add_empty(graph, 4, add_empty(graph, 3))
    store.remove(parent)
    return graph


def main(root):
    ray.init(
        address="local", num_cpus=2, include_dashboard=False, logging_level=logging.ERROR,
        log_to_driver=False, object_store_memory=80 * 2**20,
    )  # fmt: skip
    found = {
        "fails": said(with_a_parent_gone(root / "a")),
        "keeps going": said(with_a_parent_gone(root / "b"), keep_going=True),
    }

    @contextlib.contextmanager
    def elsewhere(store):
        with open_site(store) as site:
            yield replace(site, mark="of another file system")

    module.open_site = elsewhere
    graph = Graph(Store(root / "c"))
    add_empty(graph, 1)
    found["elsewhere"] = said(graph)
    found["connected"] = ray.is_initialized()
    ray.shutdown()
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
