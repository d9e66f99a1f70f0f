"""A run is found again only where all that made it is the same; and it keeps to its data."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from expunge.bench.experiment import Network
from expunge.bench.stages import (
    Origin,
    ensure,
    measure_stage,
    predict_stage,
    prune_stage,
    train_stage,
    unlearn_stage,
)
from expunge.bench.workspace import Workspace
from expunge.data.spec import DataSpec
from expunge.errors import DataError
from expunge.methods import get_method
from expunge.runs import Store
from expunge.settings import Recipe
from expunge.sparsity import get_pruner

NETWORK = """
from torch import nn

def build(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, num_classes))
"""


@pytest.fixture
def workspace(tmp_path):
    # Nothing of the data is kept from an earlier look.
    return lambda: Workspace(Store(tmp_path / "runs"), device="cpu", cache_dir=tmp_path / "cache")


@pytest.fixture
def arrays(tmp_path):
    def write(seed):
        rng = np.random.default_rng(seed)
        parts = {
            f"{kind}_{part}": array
            for part, count in (("train", 40), ("test", 20))
            for kind, array in (
                ("x", rng.integers(0, 256, (count, 8, 8), dtype=np.uint8)),
                ("y", np.arange(count) % 4),
            )
        }
        np.savez(tmp_path / "data.npz", **parts)

    write(0)
    return write


@pytest.fixture
def origin(tmp_path, arrays, monkeypatch):
    (tmp_path / "my_own_network.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_own_network", raising=False)
    return Origin(
        data=DataSpec(source=str(tmp_path / "data.npz")),
        network=Network(name="my_own_network:build"),
        training=Recipe(epochs=1, batch_size=20, lr=0.01, schedule="constant"),
    )


def made_from(space, run):
    ft = get_method("ft").config(epochs=1)
    return [unlearn_stage(space, run, "random:0.2", "ft", ft), predict_stage(space, run)]


def test_a_network_of_ones_own_that_is_edited_is_another_network(tmp_path, workspace, origin):
    space = workspace()
    run = ensure(space, train_stage(space, origin))
    before = [stage.spec.id for stage in made_from(space, run)]
    (tmp_path / "my_own_network.py").write_text(NETWORK.replace("ReLU", "Tanh"))
    assert train_stage(space, origin).spec.id != run
    after = [stage.spec.id for stage in made_from(space, run)]
    assert not set(before) & set(after)


def test_data_that_has_changed_since_training_is_refused(workspace, origin, arrays):
    space = workspace()
    run = ensure(space, train_stage(space, origin))
    predicted = predict_stage(space, run)
    arrays(1)
    space = workspace()
    with pytest.raises(DataError, match="has changed since it was trained"):
        made_from(space, run)
    with pytest.raises(DataError, match="has changed since it was trained"):
        measure_stage(space, run, run, "class:1", None)
    with pytest.raises(DataError, match="has changed since it was trained"):
        ensure(space, replace(predict_stage(space, run), spec=predicted.spec))


def test_what_a_stage_runs_is_part_of_what_it_is(workspace, origin, monkeypatch):
    digits = replace(
        origin,
        data=DataSpec(source="digits", train_limit=40, test_limit=20),
        network=Network(name="resnet8", width=0.25),
    )
    space = workspace()
    run = ensure(space, train_stage(space, digits))
    ft, omp = get_method("ft").config(epochs=1), get_pruner("omp").config(sparsity=0.5)

    def ids():
        return {
            "train": train_stage(space, digits).spec.id,
            "prune": prune_stage(space, run, "omp", omp).spec.id,
            "unlearn": unlearn_stage(space, run, "class:3", "ft", ft).spec.id,
            "predict": predict_stage(space, run).spec.id,
        }

    before = ids()
    assert ids() == before
    # Several processes, and compiled steps, take sums in another order.
    for name, value in (("devices", 2), ("compiled", True)):
        with monkeypatch.context() as patch:
            patch.setattr(space, name, value)
            assert all(found != before[kind] for kind, found in ids().items())


@pytest.mark.parametrize("file", ["train", "model", "prune", "unlearn", "predict"])
def test_a_stages_own_file_counts(file, workspace, origin, monkeypatch):
    """An edit of the file of a stage makes other runs."""
    from expunge.runs import code

    digits = replace(
        origin,
        data=DataSpec(source="digits", train_limit=40, test_limit=20),
        network=Network(name="resnet8", width=0.25),
    )
    space = workspace()
    run = ensure(space, train_stage(space, digits))
    stages = {
        "prune": lambda: prune_stage(space, run, "omp", get_pruner("omp").config(sparsity=0.5)),
        "unlearn": lambda: unlearn_stage(
            space, run, "class:3", "ft", get_method("ft").config(epochs=1)
        ),
        "predict": lambda: predict_stage(space, run),
        "train": lambda: train_stage(space, digits),
    }
    before = {kind: stage().spec.id for kind, stage in stages.items()}
    read = code._text

    def edited(path):
        return read(path) + "# edited" * (path.parts[-2:] == ("stages", f"{file}.py"))

    monkeypatch.setattr(code, "_text", edited)
    after = {kind: stage().spec.id for kind, stage in stages.items()}
    changed = {kind for kind in stages if after[kind] != before[kind]}
    assert changed == (set(stages) if file in ("train", "model") else {file})
