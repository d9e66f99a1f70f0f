"""Images in the graph: the same noise for all models of a seed, one judge, and what is refused."""

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image
from tests.studies.small import ids, tiny

from expunge.data.edits.apply import apply_edits
from expunge.data.sources import load
from expunge.engines import Engine, run
from expunge.errors import ConfigError
from expunge.graph.graph import Graph
from expunge.graph.kinds.forget import load_forget
from expunge.graph.kinds.generate import add_generate, load_images
from expunge.graph.kinds.measure import add_measure, load_measured
from expunge.graph.kinds.nearest import load_distances
from expunge.graph.kinds.predict import add_predict, load_predictions
from expunge.graph.kinds.prune import add_prune
from expunge.graph.kinds.suspect import add_suspect
from expunge.graph.kinds.train import Origin, add_train
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.model_files import load_model
from expunge.graph.runtime import Place
from expunge.methods import get_method
from expunge.metrics import DEFAULTS
from expunge.models.spec import NetworkSettings
from expunge.runs import Store
from expunge.settings import derive_seed
from expunge.sparsity import get_pruner
from expunge.studies.grid import collect_cells, plan_grid
from expunge.studies.images import images_of
from expunge.studies.made import Makers
from expunge.tasks.generate import CONDITION, NOISY, STEP, Generate

RECIPE = """
title = "Tiny"
scenarios = ["class:3"]
seeds = [0, 1]
[data]
source = "digits"
train_limit = 60
test_limit = 30
[network]
name = "unet"
width = 0.5
[training]
epochs = 1
[judging]
per_class = 3
steps = 2
[judging.network]
name = "resnet8"
width = 0.25
[judging.training]
epochs = 1
[methods.retrain]
[methods.salun]
epochs = 1
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A grid of a tiny diffusion model, made once: its graph, its cells and their rows."""
    store = Store(tmp_path_factory.mktemp("generating") / "runs")
    graph = Graph(store)
    cells = plan_grid(graph, tiny(RECIPE))
    run(graph, Engine(), Place(device="cpu"))
    return graph, cells, collect_cells(store, cells, Makers())


def nodes(graph, kind):
    return [node for node in graph if node.kind == kind]


def test_it_measures_what_is_measured_of_generation(made):
    _, _, rows = made
    assert len(rows) == 6
    for row in rows:
        assert set(row["metrics"]) | {"sparsity_at"} == set(DEFAULTS["generate"])
        assert all(value is not None for value in row["metrics"].values()), row["reasons"]
    floors = {(row["seed"], row["metrics"]["frechet_floor"]) for row in rows}
    assert len(floors) == 2, "one for each seed"


def test_one_classifier_judges_all(made):
    graph, cells, _ = made
    judges = {node.parents["classifier"] for node in nodes(graph, "judge")}
    assert len(judges) == 1
    assert not judges & {cell.model_id for cell in cells}
    assert graph.node(*judges).params["seed"] == 1000
    assert sum("images" not in node.parents for node in nodes(graph, "judge")) == 1


def test_all_models_of_a_seed_start_from_the_same_noise(made):
    graph, _, _ = made
    seeds = {}
    for node in nodes(graph, "generate"):
        seeds.setdefault(graph.seed_of(node.parents["model"]), set()).add(node.params["seed"])
    assert seeds == {0: {derive_seed(0, "images")}, 1: {derive_seed(1, "images")}}


def test_images_are_those_of_the_model_for_each_class(made):
    """By hand: two steps of DDIM from the noise of the node's seed."""
    graph, _, _ = made
    node = nodes(graph, "generate")[0]
    found = load_images(graph.store.path(node.id))
    assert found["images"].shape == (30, 1, 8, 8)
    assert found["conditions"].tolist() == np.repeat(np.arange(10), 3).tolist()
    model = load_model(graph.store.path(node.parents["model"]))[0].eval()
    scheduler = Generate().scheduler("DDIMScheduler", timestep_spacing="trailing")
    scheduler.set_timesteps(2)
    images = torch.randn(30, 1, 8, 8, generator=torch.Generator().manual_seed(node.params["seed"]))
    labels = torch.arange(10).repeat_interleave(3)
    with torch.no_grad():
        for step in (999, 499):
            given = {NOISY: images, STEP: torch.full((30,), step), CONDITION: labels}
            images = scheduler.step(model(given), step, images).prev_sample
    expected = ((images.clamp(-1, 1) + 1) * 127.5).round()
    assert (torch.from_numpy(found["images"]).float() - expected).abs().max() <= 1


def test_real_images_are_judged_row_by_row(made):
    graph, _, _ = made
    (real,) = [node for node in nodes(graph, "judge") if "images" not in node.parents]
    found = load_predictions(graph.store.path(real.id))
    assert found["rows"].tolist() == list(range(60))
    assert found["logits"].shape == (60, 10)
    assert found["features"].ndim == 2
    classifier = load_model(graph.store.path(real.parents["classifier"]))[0]
    head = [m for m in classifier.modules() if isinstance(m, torch.nn.Linear)][-1]
    again = torch.from_numpy(found["features"]) @ head.weight.T + head.bias
    torch.testing.assert_close(again.detach(), torch.from_numpy(found["logits"]), atol=1e-4, rtol=0)


def test_the_forgotten_class_is_what_ua_counts(made):
    graph, cells, rows = made
    row = rows[0]
    node = graph.node(cells[0].measures["ua_generated"])
    judged = load_predictions(graph.store.path(node.parents["generated"]))
    assert load_forget(graph.store.path(node.parents["forget"]))["classes"] == [3]
    asked = judged["labels"] == 3
    wrong = judged["logits"][asked].argmax(1) != 3
    assert row["metrics"]["ua_generated"] == pytest.approx(100 * wrong.mean())
    assert load_measured(graph.store.path(node.id))["value"] == row["metrics"]["ua_generated"]


@pytest.fixture
def planned(made):
    """A graph of its own on the same store, with a model that generates and one that does not."""
    graph, cells, _ = made
    fresh = Graph(graph.store)
    data = graph.data_of(cells[0].model_id)
    network = NetworkSettings(name="resnet8", width=0.25)
    other = add_train(fresh, data, Origin(network=network, training=tiny(RECIPE).training))
    return fresh, cells[0].model_id, other, graph.node(cells[1].model_id).parents["forget"]


def test_what_is_for_another_task_is_refused_in_one_line(planned):
    graph, model, other, forget = planned
    settings = get_method("ff").config()
    with pytest.raises(
        ConfigError,
        match=r"^method ff is for models of the task classify, and this one is for generate: use "
        r"retrain, ft, .*salun",
    ):
        add_unlearn(graph, model, forget, "ff", settings)
    pruner = get_pruner("synflow")
    with pytest.raises(ConfigError, match=r"pruner synflow is for .* classify.*: use .*omp"):
        add_prune(graph, model, "synflow", pruner.config())
    with pytest.raises(ConfigError, match=r"metric ua is for .* classify.*: use .*ua_generated"):
        add_measure(graph, "ua", model, model, forget)
    with pytest.raises(ConfigError, match="a prediction is for models of the task classify"):
        add_predict(graph, model, "test")
    with pytest.raises(ConfigError, match=r"steps must be a finite number in 1\.\.1000, got 1001"):
        add_generate(graph, model, steps=1001)
    with pytest.raises(ConfigError, match=r"metric frechet is for .* generate.*: use ua,"):
        add_measure(graph, "frechet", other, other, forget)
    with pytest.raises(ConfigError, match="detector strip is for models of the task classify"):
        add_suspect(graph, model, "strip")


def test_a_change_of_the_judge_remakes_judgements_alone(made):
    graph, _, _ = made
    other = Graph(graph.store)
    plan_grid(other, tiny(RECIPE.replace('name = "resnet8"', 'name = "resnet20s"')))
    changed = {node.kind for node in other if node.id not in ids(graph)}
    assert changed == {"train", "judge", "measure"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[judging.network]\nname", "[judging.network]\nnme", "unknown setting 'nme'"),
        ('name = "resnet8"', 'name = "unet"', "judging is for models of the task classify"),
        ('name = "unet"', 'name = "resnet20s"', "judging of images is for .* generate"),
        ("per_class = 3", "per_class = 0", "per_class must be a finite number in 1"),
        ("\nsteps = 2", "\nsteps = 1001", r"steps must be a finite number in 1\.\.1000, got 1001"),
        ('source = "digits"', 'source = "breast_cancer"', "'unet' takes images, and the data are"),
        ("width = 0.5", 'width = 0.5\nnormalise = "imagenet"', "takes images as they are"),
        ("epochs = 1\n[judging]", "epochs = 1\nlabel_smoothing = 0.1\n[judging]", "smoothing"),
        ("[methods.salun]\nepochs = 1", "[methods.ff]", "method ff is for models"),
    ],
)
def test_bad_recipes_are_refused_before_the_work(tmp_path, old, new, message):
    assert old in RECIPE
    graph = Graph(Store(tmp_path / "runs"))
    with pytest.raises(Exception, match=message) as caught:
        plan_grid(graph, tiny(RECIPE.replace(old, new)))
    assert "\n" not in str(caught.value)


def test_distances_are_to_the_forgotten_images_of_this_model_and_of_real_ones(tmp_path):
    """By hand, in a study of its own that forgets duplicates."""
    text = (
        RECIPE.replace('"class:3"', '"edited:duplicate"')
        .replace("seeds = [0, 1]", 'metrics = ["near_copies"]')
        .replace("[network]", "[data.edits.duplicate]\nsamples = 2\ntimes = 3\n[network]", 1)
        .replace("[methods.salun]\nepochs = 1", "")
    )
    store = Store(tmp_path / "runs")
    graph = Graph(store)
    cells = plan_grid(graph, tiny(text))
    run(graph, Engine(), Place(device="cpu"))
    rows = collect_cells(store, cells, Makers())
    assert [0 <= row["metrics"]["near_copies"] <= 100 for row in rows] == [True] * 2
    node = next(node for node in graph if node.kind == "nearest")
    found = load_distances(store.path(node.id))
    chosen = load_forget(store.path(node.parents["forget"]))["ids"]
    spec = tiny(text).data
    data, _ = apply_edits(load(spec), spec)
    (train,), (test,) = (
        each.inputs.batches([torch.arange(len(each))]) for each in (data.train, data.test)
    )
    forgotten = train[[data.train.ids.index(name) for name in chosen]].double() / 255
    images = torch.from_numpy(load_images(store.path(node.parents["images"]))["images"])
    assert len(chosen) == 6
    for made_here, name in ((images, "generated"), (test, "held_out")):
        pairs = (made_here.double() / 255)[:, None] - forgotten[None]
        expected = pairs.square().mean((2, 3, 4)).sqrt().min(1).values
        torch.testing.assert_close(
            torch.from_numpy(found[name]).double(), expected, atol=1e-6, rtol=0
        )


def test_a_document_holds_images_of_the_first_seed_alone(made):
    graph, cells, _ = made
    (shown,) = images_of(graph.store, cells)
    assert (shown["scenario"], shown["seed"]) == ("class:3", 0)
    assert shown["classes"] == [str(number) for number in range(10)]
    assert shown["forgotten"] == [number == 3 for number in range(10)]
    assert [each["method"] for each in shown["models"]] == ["original", "retrain", "salun"]
    node = next(node for node in graph if node.kind == "generate")
    first = load_images(graph.store.path(node.id))["images"]
    for number, images in enumerate(shown["models"][0]["images"]):
        for place, text in enumerate(images):
            pixels = np.array(Image.open(io.BytesIO(base64.b64decode(text))))
            assert np.array_equal(pixels, first[3 * number + place, 0])
