"""How well wrong labels are found: the nodes that it plans, and what it counts."""

import numpy as np
import pytest
from tests.studies.small import HERE, tiny

from benchmarks import mislabelled
from expunge.engines import Engine, run
from expunge.graph.graph import Graph
from expunge.graph.kinds.suspect import load_suspects
from expunge.graph.runtime import read_facts
from expunge.runs import Store

RECIPE = """
title = "Mislabelled"
scenarios = ["edited:relabel"]
metrics = ["ua", "ta"]
seeds = [1, 2]
[data]
source = "digits"
train_limit = 80
test_limit = 30
validation_fraction = 0.1
[data.edits.relabel]
share = 0.25
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 2
schedule = "constant"
batch_size = 32
[methods.retrain]
"""


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    graph = Graph(Store(tmp_path_factory.mktemp("mislabelled") / "runs"))
    found = mislabelled.plan(graph, tiny(RECIPE))
    run(graph, Engine(), HERE)
    return graph.store, found


def test_every_seed_has_data_and_wrong_labels_of_its_own(cases):
    store, found = cases
    one, other = (read_facts(store.path(nodes["data"])).train for nodes in found.values())
    assert one.touched["relabel"] != other.touched["relabel"]
    assert set(one.ids) != set(other.ids)


def test_it_counts_the_suspects_among_wrong_and_right_labels(cases):
    store, found = cases
    nodes = found[1]
    train = read_facts(store.path(nodes["data"])).train
    suspected = set(load_suspects(store.path(nodes["suspects"]))["suspected"])
    wrong = set(train.touched["relabel"])
    judged = mislabelled.judged(store, nodes)[mislabelled.OUT_OF_FOLD]
    assert (judged.poisoned, judged.clean) == (20, 60)
    assert (judged.found, judged.accused) == (len(suspected & wrong), len(suspected - wrong))


def test_it_sums_up_over_seeds(cases):
    store, found = cases
    rows = [
        row
        for seed, nodes in found.items()
        for row in mislabelled.rows_of(seed, mislabelled.judged(store, nodes))
    ]
    for line in mislabelled.summary(rows):
        values = [row["auroc"] for row in rows if row["detector"] == line["detector"]]
        assert line["auroc"]["estimate"] == pytest.approx(np.mean(values))
        assert line["n"] == 2
