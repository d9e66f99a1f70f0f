"""Grids small enough for a test, and how one is planned and made."""

from dataclasses import replace

from expunge.engines import Engine, run
from expunge.graph.graph import Graph
from expunge.graph.runtime import Place
from expunge.runs import Store
from expunge.studies.grid import plan_grid
from expunge.studies.recipe import parse_experiment

HERE = Place(device="cpu")

TINY = """
title = "Tiny"
scenarios = ["class:3", "random:0.1"]
metrics = ["ua", "ra", "ta", "drift", "weight_distance"]
[data]
source = "digits"
train_limit = 200
test_limit = 100
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 2
rewind_epoch = 1
[pruners.omp]
sparsity = 0.5
[methods.retrain]
[methods.l1_sparse]
epochs = 1
"""


def tiny(text=TINY, **changes):
    return replace(parse_experiment(text, "tiny"), **changes)


def planned(store, experiment, together=None):
    """The graph and the cells of an experiment over a store, by its folder."""
    graph = Graph(Store(store))
    cells = plan_grid(graph, experiment, together=together)
    return graph, cells


def made(store, experiment, engine=None, **words):
    """The same, with all that was missing made."""
    graph, cells = planned(store, experiment)
    run(graph, engine or Engine(), HERE, **words)
    return graph, cells


def ids(graph):
    return [node.id for node in graph]
