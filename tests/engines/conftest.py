"""Runs of engines: started, and what they have made."""

import json

import pytest

from expunge.runs import Store

TINY = """
title = "Tiny"
scenarios = ["class:3"]
[data]
source = "digits"
train_limit = 200
test_limit = 100
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 1
rewind_epoch = 1
[pruners.omp]
sparsity = {sparsity}
[methods.retrain]
[methods.ft]
epochs = 1
"""


@pytest.fixture
def start(started):
    """Start `python -m MODULE WORDS`."""

    def start(module, *words, **variables):
        return started("-m", module, *words, env=variables)

    return start


def made(root):
    """How many nodes were made in a store, each time counted: a line is written when one is."""
    try:
        return len((root / "times.jsonl").read_text().splitlines())
    except FileNotFoundError:
        return 0


def files(root):
    """By node: what its files hold, without records of how long it took."""
    store = Store(root)
    found = {}
    for summary in store.list():
        contents = store.open(summary.id).contents
        found[summary.id] = {name: contents[name] for name in contents if name != "record.json"}
    return found


def whole(root, count):
    """Whether every artefact of a store can be read, there are so many, and nothing else."""
    store = Store(root)
    listed = store.list()
    assert [summary.problem for summary in listed] == [""] * count
    inside = [path for name in (".aside", ".locks") for path in (root / name).iterdir()]
    assert inside == []
    return True


def cells(results):
    """The cells of a results document without what differs from run to run."""
    if isinstance(results, str):
        results = json.loads(results)
    return [
        {key: value for key, value in cell.items() if key not in ("rte_s", "made_by")}
        for cell in results["cells"]
    ]
