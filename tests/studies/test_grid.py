"""A grid's models and numbers, against the same made by hand from the parts, without a graph."""

import statistics
from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from tests.oracles import draws
from tests.studies.small import TINY, ids, made, planned, tiny

from expunge.config import to_mapping
from expunge.data.sources import load
from expunge.errors import ConfigError, StoreError
from expunge.graph.kinds.forget import load_forget
from expunge.graph.kinds.predict import add_predict
from expunge.graph.model_files import WEIGHTS, load_model
from expunge.methods import get_method
from expunge.metrics.confidence import histogram
from expunge.metrics.evidence import Predictions
from expunge.metrics.gap import gap
from expunge.metrics.membership.features import true_class_confidence
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.models.weights import read_tensors
from expunge.runs import Store, read_json, read_object
from expunge.settings import derive_seed
from expunge.sparsity import get_pruner
from expunge.studies.folder import claim, collect_grid
from expunge.studies.grid import (
    NO_REFERENCE,
    NOT_COMPARED,
    ORIGINAL,
    REFERENCE_AGAIN,
    collect_cells,
)
from expunge.studies.made import Makers
from expunge.training.fit import fit
from expunge.training.predict import predict
from expunge.training.sparsify import sparsify
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context, Split

METRICS = (
    "ua", "ra", "ta", "ta_forgotten", "mia_efficacy", "drift", "weight_distance", "sparsity_at",
    "confidence",
)  # fmt: skip
PLAN = tiny(
    TINY + "[methods.ft]\nepochs = 1\nlr = 0.02\n[methods.ft.random]\nlr = 0.05\n",
    seeds=(0, 1),
    metrics=METRICS,
)


class Grid:
    """A grid that was made, its rows, and its data as the source gives them."""

    def __init__(self, folder):
        self.graph, self.cells = made(folder, PLAN)
        self.store = self.graph.store
        self.rows = collect_cells(self.store, self.cells, Makers())
        self.data = load(PLAN.data)
        self._predicted = {}

    def of(self, method, scenario="class:3", pruner="none", seed=0):
        (row,) = (
            row
            for row in self.rows
            if (row["method"], row["scenario"], row["pruner"], row["seed"])
            == (method, scenario, pruner, seed)
        )
        return row

    def model(self, run_id):
        return load_model(self.store.path(run_id))[0]

    def predict(self, run_id, samples):
        key = run_id, samples.name, len(samples)
        if key not in self._predicted:
            logits = predict(self.model(run_id), samples, fabric())
            self._predicted[key] = logits.numpy(), samples.labels.numpy()
        return self._predicted[key]

    def weights(self, run_id):
        return {name: p.detach() for name, p in self.model(run_id).named_parameters()}

    def forgotten(self, row):
        """Flags of the training samples that a row's scenario forgets."""
        if row["scenario"] == "class:3":
            return self.data.train.labels.numpy() == 3
        node = self.graph.node(self.of("retrain", row["scenario"], "none", row["seed"])["run"])
        ids = set(load_forget(self.store.path(node.parents["forget"]))["ids"])
        return np.array([name in ids for name in self.data.train.ids])


def fabric():
    return Fabric(accelerator="cpu", devices=1)


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    return Grid(tmp_path_factory.mktemp("grid") / "runs")


def accuracy(logits, labels):
    return 100 * float((logits.argmax(1) == labels).mean())


def test_every_cell_is_there_once_in_order(grid):
    expected = [
        (seed, scenario, pruner, method)
        for seed in (0, 1)
        for scenario in ("class:3", "random:0.1")
        for pruner in ("none", "omp")
        for method in ("original", "retrain", "l1_sparse", "ft")
    ]
    keys = ("seed", "scenario", "pruner", "method")
    assert [tuple(row[key] for key in keys) for row in grid.rows] == expected
    assert len({row["run"] for row in grid.rows}) == len(expected) - 4  # one original, 2 scenarios
    assert {row["sparsity"] for row in grid.rows if row["pruner"] == "omp"} == {0.5}


def test_accuracies_are_those_of_the_cells_own_model(grid):
    for row in grid.rows:
        forget = grid.forgotten(row)
        logits, labels = grid.predict(row["run"], grid.data.train)
        unseen, truth = grid.predict(row["run"], grid.data.test)
        kept = truth != 3 if row["scenario"] == "class:3" else np.full(len(truth), True)
        found = row["metrics"]
        assert found["ua"] == pytest.approx(100 - accuracy(logits[forget], labels[forget]))
        assert found["ra"] == pytest.approx(accuracy(logits[~forget], labels[~forget]))
        assert found["ta"] == pytest.approx(accuracy(unseen[kept], truth[kept]))
        if row["scenario"] == "class:3":
            assert found["ta_forgotten"] == pytest.approx(accuracy(unseen[~kept], truth[~kept]))
            assert row["reasons"].keys() <= {"weight_distance"}
        else:
            assert found["ta_forgotten"] is None
            assert "ta_forgotten" in row["reasons"]


def test_attacks_draw_by_the_seed_of_the_cells_training_and_the_ids(grid):
    for row in grid.rows:
        forget = grid.forgotten(row)
        logits, labels = grid.predict(row["run"], grid.data.train)
        unseen, truth = grid.predict(row["run"], grid.data.test)
        kept = truth != 3 if row["scenario"] == "class:3" else np.full(len(truth), True)
        confidence = true_class_confidence(logits, labels)
        ids = [name for name, out in zip(grid.data.train.ids, forget, strict=True) if not out]
        found = draws.efficacy(
            draws.by_id(confidence[~forget], ids),
            draws.places(true_class_confidence(unseen[kept], truth[kept]), np.flatnonzero(kept)),
            confidence[forget],
            derive_seed(row["seed"], "attack"),
        )
        assert row["metrics"]["mia_efficacy"] == pytest.approx(statistics.fmean(found))
        kept_of_them = row["draws"]["mia_efficacy"]
        assert kept_of_them["n"] == len(found)
        assert kept_of_them["median"] == pytest.approx(statistics.median(found))
        assert "values" not in kept_of_them


def norm(one, other, mask=None):
    total = 0.0
    for name, tensor in one.items():
        difference = (tensor.double() - other[name].double()).square()
        total += float((difference[mask[name]] if mask and name in mask else difference).sum())
    return total**0.5


def test_weights_are_compared_with_the_right_models(grid):
    """Drift from the base of the cell; the distance to its own Retrain, of the same sparsity."""
    for row in grid.rows:
        place = row["scenario"], row["pruner"], row["seed"]
        own = grid.weights(row["run"])
        base, retrained = (grid.weights(grid.of(m, *place)["run"]) for m in ("original", "retrain"))
        mask = load_model(grid.store.path(row["run"]))[2]
        assert row["metrics"]["drift"] == pytest.approx(norm(own, base, mask), rel=1e-5)
        expected = norm(own, retrained)
        assert row["metrics"]["weight_distance"] == pytest.approx(expected, rel=1e-5)
        zeros = 0.0 if row["pruner"] == "none" else 0.5
        assert row["sparsity_at"]["0"] == pytest.approx(zeros, abs=2e-3)


def test_confidence_is_before_by_the_base_and_after_by_the_model(grid):
    for row in grid.rows:
        base = grid.of("original", row["scenario"], row["pruner"], row["seed"])["run"]
        forget = grid.forgotten(row)
        for when, run_id in (("before", base), ("after", row["run"])):
            logits, labels = grid.predict(run_id, grid.data.train)
            for part, flags in (("forget", forget), ("retain", ~forget)):
                expected = histogram(Predictions(logits[flags], labels[flags]))
                assert row["confidence"][when][part] == pytest.approx(expected)


def test_a_gap_is_to_retrain_at_the_same_sparsity_and_to_the_dense_one(grid):
    compared = ("ua", "mia_efficacy", "ra", "ta")
    for row in grid.rows:
        own = grid.of("retrain", row["scenario"], row["pruner"], row["seed"])["metrics"]
        dense = grid.of("retrain", row["scenario"], "none", row["seed"])["metrics"]
        assert row["gap"] == pytest.approx(gap(row["metrics"], own, compared))
        assert row["gap_dense"] == pytest.approx(gap(row["metrics"], dense, compared))
        assert row["gap_reason"] is None


def test_settings_are_those_of_the_method_in_the_scenario(grid):
    for row in grid.rows:
        node = grid.graph.node(row["run"])
        if row["method"] == "original":
            assert row["config"] == {}
            continue
        assert row["config"] == node.params["config"]
        assert node.params["method"] == row["method"]
        expected = {"class:3": 0.02, "random:0.1": 0.05}[row["scenario"]]
        assert row["method"] != "ft" or row["config"]["lr"] == expected
        taken = read_object(grid.store.path(row["run"]) / "record.json")["seconds"]
        assert row["rte_s"] == taken > 0


def test_a_random_forget_set_is_one_for_all_sparsities_of_a_seed(grid):
    chosen = {}
    for row in grid.rows:
        node = grid.graph.node(row["run"])
        if row["scenario"] == "random:0.1" and "forget" in node.parents:
            ids = load_forget(grid.store.path(node.parents["forget"]))["ids"]
            chosen.setdefault(row["seed"], set()).add(tuple(ids))
    assert {seed: len(sets) for seed, sets in chosen.items()} == {0: 1, 1: 1}
    assert chosen[0] != chosen[1]
    assert all(len(ids) == 20 for sets in chosen.values() for ids in sets)


@pytest.fixture(scope="module")
def by_hand():
    """Context of a computation of a purpose, and the network, as a person would write it."""
    dataset = load(PLAN.data)
    pixels = dataset.train.inputs
    images = torch.cat(list(pixels.batches([torch.arange(len(dataset.train))]))).double() / 255
    spec = ModelSpec(
        name="resnet8",
        width=0.25,
        num_classes=10,
        in_channels=1,
        image_size=(8, 8),
        mean=(float(images.mean()),),
        std=(float(images.std(correction=0)),),
    )

    def context(seed, mask=None):
        return Context(
            fabric=fabric(),
            seed=seed,
            mask=mask,
            rebuild=lambda seed: build(spec, seed=seed),
            training=PLAN.training,
            augmentation=PLAN.training.augmentation,
        )

    return dataset, context


def same(model, stored):
    state = model.state_dict()
    assert state.keys() == stored.keys()
    return all(torch.equal(state[name], tensor) for name, tensor in stored.items())


@pytest.mark.parametrize("seed", [0, 1])
def test_models_are_the_same_bits_as_by_hand(grid, by_hand, seed):
    """Seeds by purpose, masks, rewinding, splits and settings: to the bit."""
    dataset, context = by_hand
    train = context(seed)
    model = train.fresh_model()
    rewound = {}

    def after_epoch(done):
        if done == PLAN.training.rewind_epoch:
            rewound.update({name: t.clone() for name, t in model.state_dict().items()})

    everything = Stream(dataset.train, torch.arange(len(dataset.train)))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        fit(model, everything, task_loss, PLAN.training, train, after_epoch=after_epoch)
        pruner = get_pruner("omp")
        config = pruner.config(sparsity=0.5)
        pruning = context(derive_seed(seed, "prune"))
        sparse, mask = sparsify(model, dataset.train, pruner, config, pruning, rewound)
        found = {("none", "original"): model, ("omp", "original"): sparse}
        forget = torch.from_numpy(np.flatnonzero(dataset.train.labels.numpy() == 3))
        split = Split(train=dataset.train, forget=forget, scenario="class:3", classes=(3,))
        for pruned, base, kept in (("none", model, None), ("omp", sparse, mask)):
            for name in PLAN.methods:
                method = get_method(name)
                settings = PLAN.method_config(name, "class:3")
                unlearning = context(derive_seed(seed, "unlearn"), kept)
                found[pruned, name] = method.run(base, split, settings, unlearning)
    finally:
        torch.set_num_threads(threads)
    for (pruned, name), made_by_hand in found.items():
        run_id = grid.of(name, "class:3", pruned, seed)["run"]
        stored = read_tensors(grid.store.path(run_id) / WEIGHTS)
        assert same(made_by_hand, stored), (pruned, name)


def test_a_kinds_parents_are_its_own(grid):
    """Data and training stand beside the model, so that no kind looks further."""
    for row in grid.rows:
        node = grid.graph.node(row["run"])
        base = grid.of("original", row["scenario"], row["pruner"], row["seed"])["run"]
        dense = grid.of("original", row["scenario"], "none", row["seed"])["run"]
        assert grid.graph.node(dense).params["seed"] == row["seed"]
        if row["method"] != "original":
            assert (node.parents["model"], node.parents["origin"]) == (base, dense)
        assert grid.graph.origin_of(row["run"]) == dense
        assert grid.graph.seed_of(row["run"]) == row["seed"]
        assert len({grid.graph.data_of(each["run"]) for each in grid.rows}) == 1


def test_the_document_says_what_was_asked_and_by_what_it_is_measured(grid):
    document = collect_grid(grid.store, PLAN, grid.cells, "expunge bench tiny.toml")
    assert document["schema"] == 2
    assert document["reproduce"] == "expunge bench tiny.toml"
    assert list(document["metrics"]) == list(METRICS)
    assert document["metrics"]["ua"] == {
        "unit": "percent",
        "compared": True,
        "title": "unlearning accuracy",
    }
    assert document["settings"]["training"] == to_mapping(PLAN.training)
    assert document["cells"] == grid.rows
    assert len(document["makers"]) == 1


def test_without_retrain_or_compared_metrics_the_gap_is_null_with_the_reason(tmp_path):
    base = {"scenarios": ("class:3",), "pruners": {}}
    without = tiny(**base, methods={"ft": {"epochs": 1}}, metrics=("ua", "ra"))
    graph, cells = made(tmp_path, without)
    for row in collect_cells(graph.store, cells, Makers()):
        assert (row["gap"], row["gap_reason"], row["gap_dense"]) == (None, NO_REFERENCE, None)
    some = tiny(**base, methods={"retrain": {}}, metrics=("ra", "ua"))
    graph, cells = made(tmp_path, some)
    original, _ = collect_cells(graph.store, cells, Makers())
    assert list(original["gap"]) == ["ua", "ra", "avg"]
    none = tiny(**base, methods={"retrain": {}}, metrics=("drift",))
    graph, cells = made(tmp_path, none)
    original, _ = collect_cells(graph.store, cells, Makers())
    assert (original["gap"], original["gap_reason"]) == (None, NOT_COMPARED)


def test_a_method_at_some_sparsities_leaves_out_the_others_and_their_gaps(tmp_path):
    text = "retrain_again = true\n" + TINY.replace(
        "[methods.retrain]", "[methods.retrain]\nsparsities = [0.0]"
    )
    some = tiny(text, scenarios=("class:3",), metrics=("ua", "ra"))
    everywhere = replace(some, methods={**some.methods, "retrain": {}})
    graph, cells = made(tmp_path, some)
    whole, _ = planned(tmp_path, everywhere)
    assert set(ids(graph)) < set(ids(whole))
    assert [(cell.base.sparsity, cell.method) for cell in cells] == [
        *((0.0, each) for each in (ORIGINAL, "retrain", "l1_sparse", REFERENCE_AGAIN)),
        *((0.5, each) for each in (ORIGINAL, "l1_sparse")),
    ]
    for row in collect_cells(graph.store, cells, Makers()):
        assert row["gap_reason"] == (NO_REFERENCE if row["sparsity"] else None)
        assert row["gap_dense"] is not None
    # Another list of sparsities is another experiment for a folder of results.
    claim(tmp_path / "out", some)
    with pytest.raises(StoreError, match="other settings"):
        claim(tmp_path / "out", everywhere)


def test_a_metric_more_changes_no_other_node(tmp_path):
    few, _ = planned(tmp_path, tiny(metrics=("ua",)))
    more, _ = planned(tmp_path, tiny(metrics=("ua", "mia_efficacy", "confidence")))
    assert {node.id for node in few} < {node.id for node in more}


def test_what_is_damaged_is_named(tmp_path):
    graph, cells = made(tmp_path, tiny(scenarios=("class:3",), pruners={}, metrics=("ua",)))
    store = Store(graph.store.root)
    path = store.path(cells[0].measures["ua"]) / "measured.json"
    assert read_json(path)["value"] is not None
    path.write_text('{"value": 1.0, "reason": null}')
    with pytest.raises(StoreError, match=r"measured\.json is missing or changed.*runs remove"):
        collect_cells(store, cells, Makers())


def test_a_node_that_is_no_model_is_refused(tmp_path):
    graph, cells = planned(tmp_path, replace(PLAN, metrics=("ua",)))
    measure = cells[0].measures["ua"]
    message = f"{measure} is not a model: expected a run of kind train"
    with pytest.raises(ConfigError, match=message):
        add_predict(graph, measure, "train")
