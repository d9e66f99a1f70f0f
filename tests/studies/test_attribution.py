"""The attribution study: what its nodes hold, against the same done by hand."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.studies.small import HERE

from expunge.attribution import get_attributor
from expunge.attribution.datamodel import agreement, linear_datamodelling_score, margins
from expunge.attribution.memorisation import memorisation
from expunge.attribution.weights import WeightsConfig
from expunge.data.sources import load
from expunge.data.splits import subset
from expunge.engines import Engine, run
from expunge.errors import ConfigError
from expunge.graph.graph import Graph
from expunge.graph.kinds.attribution import add_attribution, load_about, load_scores
from expunge.graph.kinds.forget import add_forget, load_forget
from expunge.graph.kinds.lds import BOOTSTRAP, load_lds
from expunge.graph.kinds.memorisation import load_memorisation
from expunge.graph.kinds.prune import add_prune
from expunge.graph.kinds.subsets import load_subsets
from expunge.graph.kinds.train import Origin, add_train
from expunge.graph.kinds.unlearn import add_unlearn
from expunge.graph.kinds.weight_influence import add_weight_influence, load_curves
from expunge.graph.model_files import load_model
from expunge.graph.runtime import read_facts
from expunge.graph.targets import parse_targets
from expunge.methods import get_method
from expunge.models.build import build
from expunge.models.spec import NetworkSettings
from expunge.runs import Store
from expunge.scenarios import by_draw
from expunge.settings import Training, derive_seed
from expunge.sparsity import get_pruner
from expunge.studies.attribution import CEILING, plan_attribution
from expunge.studies.attribution_document import collect_attribution, judge_claim
from expunge.studies.attribution_recipe import parse_attribution
from expunge.training.predict import predict
from expunge.types import Context

RECIPE = """
title = "Tiny"
scenarios = ["class:3"]
seeds = [4, 5]
[data]
source = "digits"
train_limit = 120
test_limit = 40
[network]
name = "resnet8"
width = 0.25
[training]
epochs = 1
batch_size = 20
lr = 0.1
schedule = "constant"
[methods.retrain]
[attribution]
targets = "draw:6"
retained = [0.5]
subsets = 4
[attribution.attributors.dot]
attributor = "gradient_similarity"
[attribution.attributors.unlearning]
steps = 2
[attribution.weights]
shares = [0.02, 0.3]
draws = 2
sparsities = [0.5]
[[attribution.claims]]
name = "one"
measure = "lds"
retained = 0.5
first = "unlearning"
second = "dot"
effect = 0.1
[[attribution.claims]]
name = "other"
measure = "kept"
scenario = "class:3"
share = 0.3
sparsity = 0.5
first = "product"
second = "chance"
effect = 5.0
"""


class Made:
    def __init__(self, folder):
        self.experiment, self.settings = parse_attribution(RECIPE, "tiny")
        self.store = Store(folder)
        self.graph = Graph(self.store)
        self.seeds = plan_attribution(self.graph, self.experiment, self.settings)
        run(self.graph, Engine(), HERE)
        self.dataset = load(self.experiment.data)
        self.first = self.seeds[0]

    def folder(self, node_id):
        return self.store.path(node_id)

    def document(self):
        return collect_attribution(
            self.store, self.experiment, self.settings, self.seeds, "expunge attribution"
        )

    def subsets(self, again=False):
        node = self.graph.node(self.first.lds[0.5, CEILING])
        return node.parents["again" if again else "subsets"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Made(tmp_path_factory.mktemp("attribution") / "runs")


@pytest.mark.parametrize("again", [False, True])
def test_subset_models_are_trained_without_their_draw_and_answer_on_test(made, fabric, again):
    node = made.graph.node(made.subsets(again))
    found = load_subsets(made.folder(node.id))
    train, test = made.dataset.train, made.dataset.test
    for number in range(4):
        gone, _ = by_draw(0.5, number).select(train)
        assert np.flatnonzero(~found["kept"][number]).tolist() == gone.tolist()
        model_node = made.graph.node(node.parents[f"model_{number}"])
        assert model_node.params.get("another_seed", False) == again
        model, _, _ = load_model(made.folder(model_node.id))
        logits = predict(model, test, fabric).numpy()
        np.testing.assert_allclose(
            found["margin"][number], margins(logits, test.labels.numpy()), rtol=1e-4, atol=1e-4
        )
        right = logits.argmax(1) == test.labels.numpy()
        assert found["right"][number].tolist() == right.tolist()


def test_scores_are_the_attributors_of_the_original_model(made, fabric):
    for label, node in made.first.attributions.items():
        found, about = load_scores(made.folder(node)), load_about(made.folder(node))
        model, _, _ = load_model(made.folder(made.first.model_id))
        attributor = get_attributor(made.settings.attributor(label))
        targets = subset(made.dataset.test, torch.from_numpy(found["targets"]))
        assert about["targets"] == list(targets.ids)
        assert len(targets) == 6
        expected = attributor.run(
            model, made.dataset.train, targets, made.settings.config(label), Context(fabric=fabric)
        ).scores
        np.testing.assert_allclose(found["scores"], expected.numpy(), rtol=1e-4, atol=1e-6)
        assert found["samples"].tolist() == list(range(120))


def test_the_score_is_of_these_scores_and_these_models(made):
    subsets = load_subsets(made.folder(made.subsets()))
    for label, node in made.first.attributions.items():
        scores = load_scores(made.folder(node))
        outputs = subsets["margin"][:, scores["targets"]]
        expected = linear_datamodelling_score(scores["scores"], subsets["kept"], outputs, BOOTSTRAP)
        found = load_lds(made.folder(made.first.lds[0.5, label]))
        assert found["mean"] == pytest.approx(expected.mean)
        assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))
        assert (found["subsets"], found["targets"]) == (4, 6)


def test_the_ceiling_is_of_the_same_subsets_by_another_seed(made):
    one, other = (load_subsets(made.folder(made.subsets(again))) for again in (False, True))
    assert np.array_equal(one["kept"], other["kept"])
    assert not np.allclose(one["margin"], other["margin"])
    targets = load_scores(made.folder(made.first.attributions["dot"]))["targets"]
    expected = agreement(one["margin"][:, targets], other["margin"][:, targets], BOOTSTRAP)
    found = load_lds(made.folder(made.first.lds[0.5, CEILING]))
    assert found["mean"] == pytest.approx(expected.mean)


def test_memorisation_is_of_the_same_models_on_what_they_were_trained_on(made, fabric):
    node = made.graph.node(made.first.memorisation)
    subsets = made.graph.node(node.parents["subsets"])
    same = made.graph.node(made.subsets())
    models = {role: each for role, each in subsets.parents.items() if role.startswith("model")}
    assert models.items() <= same.parents.items()
    train = made.dataset.train
    kept, right, margin = [], [], []
    for number in range(4):
        gone, _ = by_draw(0.5, number).select(train)
        kept.append(~np.isin(np.arange(120), gone))
        model, _, _ = load_model(made.folder(models[f"model_{number}"]))
        logits = predict(model, train, fabric).numpy()
        right.append(logits.argmax(1) == train.labels.numpy())
        margin.append(margins(logits, train.labels.numpy()))
    expected = memorisation(np.array(kept), np.array(right), np.array(margin))
    found = load_memorisation(made.folder(node.id))
    np.testing.assert_allclose(found["estimate"], expected.estimate)
    np.testing.assert_allclose(found["margin"], expected.margin, rtol=1e-4, atol=1e-4)
    never = int((np.array(kept).all(0) | ~np.array(kept).any(0)).sum())
    assert len(found["order"]) == 120 - never < 120


def test_the_scenario_forgets_the_most_memorised(made):
    facts = read_facts(made.folder(made.graph.data_of(made.first.model_id)))
    graph = Graph(made.store)
    forget = add_forget(graph, made.first.model_id, "memorised:0.1:4", facts=facts)
    assert graph.node(forget).parents["memorisation"] == made.first.memorisation
    retrained = add_unlearn(
        graph, made.first.model_id, forget, "retrain", get_method("retrain").config(epochs=1)
    )
    run(graph, Engine(), HERE)
    found = load_memorisation(made.folder(made.first.memorisation))
    expected = [facts.train.ids[row] for row in found["order"][:12]]
    assert set(load_forget(made.folder(forget))["ids"]) == set(expected)
    assert len(expected) == 12
    # What they forget is what the next request does not choose from, or train on.
    again = add_forget(graph, retrained, "memorised:0.1:4", facts=facts)
    run(graph, Engine(), HERE)
    second = load_forget(made.folder(again))["ids"]
    assert len(second) == 11  # a tenth of 108
    assert not set(second) & set(expected)
    estimates = graph.node(graph.node(again).parents["memorisation"])
    kept = load_subsets(made.folder(estimates.parents["subsets"]))["kept"]
    assert not kept[:, [facts.train.ids.index(name) for name in expected]].any()


def test_weights_are_reset_by_their_rank_and_measured(made, fabric):
    node = made.first.weights["class:3"]
    curves = load_curves(made.folder(node))
    model, _, _ = load_model(made.folder(made.first.model_id))
    train, test = made.dataset.train, made.dataset.test
    group = train.labels == 3
    model.eval()
    images = train.inputs.tensor.float() / 255
    loss = torch.nn.functional.cross_entropy(model(images[group]), train.labels[group])
    convolutions = {n: p for n, p in model.named_parameters() if p.ndim == 4}
    gradients = torch.autograd.grad(loss, list(convolutions.values()))
    weights = torch.cat([p.detach().flatten() for p in convolutions.values()])
    flat = torch.cat([each.flatten() for each in gradients])
    for rule, score in (("product", (flat * weights).abs()), ("gradient", flat.abs())):
        chosen = score.topk(round(0.3 * len(score))).indices
        other = copy.deepcopy(model)
        zeroed = weights.clone()
        zeroed[chosen] = 0
        parts = torch.split(zeroed, [p.numel() for p in convolutions.values()])
        with torch.no_grad():
            for name, part in zip(convolutions, parts, strict=True):
                other.get_parameter(name).copy_(part.view_as(convolutions[name]))
        (point,) = (
            each for each in curves["points"] if (each["rule"], each["share"]) == (rule, 0.3)
        )
        right = predict(other, train, fabric).argmax(1) == train.labels
        assert point["ua"] == pytest.approx(100 * float((~right[group]).float().mean()))
        assert point["ra"] == pytest.approx(100 * float(right[~group].float().mean()))
        on_test = predict(other, test, fabric).argmax(1) == test.labels
        assert point["ta"] == pytest.approx(100 * float(on_test.float().mean()))
        magnitudes = weights.abs()
        kept = magnitudes > magnitudes.kthvalue(round(0.5 * len(weights))).values
        (overlap,) = (
            each for each in curves["overlaps"] if (each["rule"], each["share"]) == (rule, 0.3)
        )
        assert overlap["kept"] == pytest.approx(float(kept[chosen].float().mean()))
    draws = [each["draw"] for each in curves["points"] if each["rule"] == "random"]
    assert draws == [0, 1, 0, 1]
    assert curves["points"][0]["rule"] == "none"


def with_values(model, chosen, values):
    """A copy whose convolutions' weights at `chosen`, of all in one row, are those of `values`."""
    found, place = copy.deepcopy(model), 0
    with torch.no_grad():
        for weight in (each for each in found.parameters() if each.ndim == 4):
            mine = slice(place, place := place + weight.numel())
            row = torch.where(chosen[mine], values[mine], weight.flatten())
            weight.copy_(row.view_as(weight))
    return found


def row_of(model):
    return torch.cat([each.detach().flatten() for each in model.parameters() if each.ndim == 4])


def ra(model, train, fabric):
    right = predict(model, train, fabric).argmax(1) == train.labels
    return pytest.approx(100 * float(right[train.labels != 3].double().mean()))


def test_weights_by_chance_are_drawn_by_the_seed_of_the_model(made, fabric):
    curves = load_curves(made.folder(made.first.weights["class:3"]))
    model, _, _ = load_model(made.folder(made.first.model_id))
    shapes = [each.shape for each in model.parameters() if each.ndim == 4]
    generator = torch.Generator().manual_seed(derive_seed(4, "weights by chance"))
    points = [each for each in curves["points"] if each["rule"] == "random"]
    assert [each["share"] for each in points] == [0.02, 0.02, 0.3, 0.3]
    for point in points:
        scores = torch.cat([torch.rand(each, generator=generator).flatten() for each in shapes])
        chosen = torch.zeros(len(scores), dtype=torch.bool)
        chosen[scores.topk(round(point["share"] * len(scores))).indices] = True
        other = with_values(model, chosen, torch.zeros(len(scores)))
        assert point["ra"] == ra(other, made.dataset.train, fabric)


def test_weights_are_reset_to_the_initialisation_if_asked(made, fabric):
    facts = read_facts(made.folder(made.graph.data_of(made.first.model_id)))
    graph = Graph(made.store)
    forget = add_forget(graph, made.first.model_id, "class:3", facts=facts)
    config = WeightsConfig(shares=(0.999999,), draws=1, sparsities=(0.5,), reset="initialisation")
    node = add_weight_influence(graph, made.first.model_id, forget, config)
    run(graph, Engine(), HERE)
    model, spec, _ = load_model(made.folder(made.first.model_id))
    first = row_of(build(spec, seed=derive_seed(4, "initialisation")))
    other = with_values(model, torch.ones(len(first), dtype=torch.bool), first)
    (point,) = (
        each for each in load_curves(made.folder(node))["points"] if each["rule"] == "product"
    )
    assert point["ra"] == ra(other, made.dataset.train, fabric)
    emptied = with_values(model, torch.ones(len(first), dtype=torch.bool), 0 * first)
    assert point["ra"] != ra(emptied, made.dataset.train, fabric)


def test_chance_is_among_the_weights_that_are_not_pruned_yet(made):
    facts = read_facts(made.folder(made.graph.data_of(made.first.model_id)))
    graph = Graph(made.store)
    config = get_pruner("omp").config(sparsity=0.5)
    sparse = add_prune(graph, made.first.model_id, "omp", config)
    forget = add_forget(graph, sparse, "class:3", facts=facts)
    config = WeightsConfig(shares=(0.999999,), draws=1, sparsities=(0.75,))
    node = add_weight_influence(graph, sparse, forget, config)
    run(graph, Engine(), HERE)
    # All weights that are there are chosen, and half of them are kept.
    for overlap in load_curves(made.folder(node))["overlaps"]:
        assert overlap["kept"] == pytest.approx(0.5, abs=1e-3)
        assert overlap["chance"] == pytest.approx(0.5, abs=1e-3)


def test_the_document_has_every_seed_its_means_and_its_claims(made):
    document = made.document()
    json.dumps(document, allow_nan=False)
    scores = [row for row in document["scores"] if row["attributor"] == "dot"]
    assert [row["seed"] for row in scores] == [4, 5]
    (summed,) = (row for row in document["summary"]["lds"] if row["attributor"] == "dot")
    assert summed["mean"]["mean"] == pytest.approx(np.mean([row["mean"] for row in scores]))
    assert summed["n"] == 2
    lds, kept = document["claims"]
    others = [row["mean"] for row in document["scores"] if row["attributor"] == "unlearning"]
    expected = np.mean(others) - np.mean([row["mean"] for row in scores])
    assert lds["difference"] == pytest.approx(expected)
    assert lds["n"] == kept["n"] == 2
    overlaps = [
        row["kept"]
        for row in document["overlaps"]
        if (row["rule"], row["share"]) == ("product", 0.3)
    ]
    assert kept["difference"] == pytest.approx(100 * np.mean(overlaps) - 50)
    assert {claim["verdict"] for claim in document["claims"]} <= {
        "holds",
        "does not hold",
        "not settled",
    }
    (row, _) = document["memorisation"]
    assert row["seed"] == 4
    assert len(row["most"]) == 12
    estimates = [round(each["estimate"], 9) for each in row["most"]]
    assert estimates == sorted(estimates, reverse=True)


def test_a_claim_about_chance_is_the_same_from_either_side(made):
    document = made.document()
    claim = made.settings.claims[1]
    swapped = replace(claim, first=claim.second, second=claim.first, direction="lower")
    one, other = judge_claim(document, claim), judge_claim(document, swapped)
    assert one["n"] == other["n"] == 2
    assert one["difference"] == pytest.approx(-other["difference"])
    assert one["verdict"] == other["verdict"]


def test_a_sparsity_at_which_omp_empties_a_layer_is_left_out_and_named(made):
    facts = read_facts(made.folder(made.graph.data_of(made.first.model_id)))
    graph = Graph(made.store)
    forget = add_forget(graph, made.first.model_id, "class:3", facts=facts)
    config = WeightsConfig(shares=(0.1,), draws=1, sparsities=(0.5, 0.9999))
    node = add_weight_influence(graph, made.first.model_id, forget, config)
    run(graph, Engine(), HERE)
    curves = load_curves(made.folder(node))
    assert {each["sparsity"] for each in curves["overlaps"]} == {0.5}
    (left_out,) = curves["left_out"]
    assert left_out["sparsity"] == 0.9999
    assert "layer collapse" in left_out["reason"]


def test_random_weights_are_a_mean_over_draws(made):
    curves = load_curves(made.folder(made.first.weights["class:3"]))
    draws = [
        point["ra"]
        for point in curves["points"]
        if (point["rule"], point["share"]) == ("random", 0.3)
    ]
    (row,) = (
        row
        for row in made.document()["weights"]
        if (row["seed"], row["rule"], row["share"]) == (4, "random", 0.3)
    )
    assert row["ra"] == pytest.approx(np.mean(draws))


def test_a_model_that_has_forgotten_is_attributed_without_what_it_forgot(made):
    facts = read_facts(made.folder(made.graph.data_of(made.first.model_id)))
    graph = Graph(made.store)
    forget = add_forget(graph, made.first.model_id, "class:3", facts=facts)
    model = add_unlearn(graph, made.first.model_id, forget, "ft", get_method("ft").config(epochs=1))
    config = get_attributor("gradient_similarity").config()
    targets = parse_targets(",".join(facts.train.ids[:2]))
    node = add_attribution(graph, model, "gradient_similarity", config, targets, facts=facts)
    run(graph, Engine(), HERE)
    found = load_scores(made.folder(node))
    assert found["samples"].tolist() == np.flatnonzero(np.array(facts.train.labels) != 3).tolist()
    assert found["scores"].shape == (2, len(found["samples"]))
    assert load_about(made.folder(node))["population"] == "train"


def test_a_changed_list_of_targets_is_refused_before_it_is_read_as_another(made, tmp_path):
    facts = read_facts(made.folder(made.graph.data_of(made.first.model_id)))
    path = tmp_path / "targets.txt"
    path.write_text(facts.train.ids[0])
    graph = Graph(made.store)
    config = get_attributor("gradient_similarity").config()
    targets = parse_targets(f"ids:{path}")
    add_attribution(graph, made.first.model_id, "gradient_similarity", config, targets, facts=facts)
    path.write_text(facts.train.ids[1])
    with pytest.raises(ConfigError, match="have changed since this was planned"):
        run(graph, Engine(), HERE)


def test_an_edit_with_a_trigger_adds_the_attack_success_rate(tmp_path):
    experiment, settings = parse_attribution(RECIPE, "tiny")
    patch = {"share": 0.3, "size": 2, "value": 255, "row": -2, "column": -2}
    data = replace(experiment.data, edits={"badnets": patch})
    experiment = replace(experiment, data=data, seeds=(4,), scenarios=("edited:badnets",))
    settings = replace(
        settings,
        attributors={"dot": {"attributor": "gradient_similarity"}},
        subsets=3,
        again=False,
        memorisation=False,
        claims=(),
    )
    graph = Graph(Store(tmp_path / "runs"))
    seeds = plan_attribution(graph, experiment, settings)
    assert (0.5, CEILING) not in seeds[0].lds
    run(graph, Engine(), HERE)
    points = load_curves(graph.store.path(seeds[0].weights["edited:badnets"]))["points"]
    dataset = load(experiment.data)
    (images,) = dataset.test.inputs.batches([torch.arange(40)])
    images = images.clone()
    images[:, :, -2:, -2:] = 255
    model, _, _ = load_model(graph.store.path(seeds[0].model_id))
    others = dataset.test.labels != 0
    with torch.no_grad():
        called = model.eval()(images[others].float() / 255).argmax(1)
    assert points[0]["asr"] == pytest.approx(100 * float((called == 0).double().mean()))
    assert all(0 <= point["asr"] <= 100 for point in points)
    document = collect_attribution(graph.store, experiment, settings, seeds, "x")
    assert "asr" in document["summary"]["weights"][0]
    assert document["memorisation"] == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("steps = 2", "stepz = 2", "unknown setting 'stepz'"),
        ('attributor = "gradient_similarity"', 'attributor = "gradient"', "unknown attributor"),
        ('targets = "draw:6"', 'targets = "draw:x"', "expected a whole number"),
        ("retained = [0.5]", "retained = [1.0]", "between 0 and 1, got 1.0"),
        ("subsets = 4", "subsets = 2", r"subsets must be a finite number in 3\.\."),
        ('first = "unlearning"', 'first = "unlearn"', "unknown side 'unlearn'"),
        ('second = "dot"', 'second = "unlearning"', "claim 'one': both sides are the same"),
        ("effect = 0.1", "effect = 0.0", "effect must be a number above 0"),
        ('name = "one"', 'name = ""', "a claim needs a name"),
        ('name = "other"', 'name = "one"', "claim 'one' is there twice"),
        (
            "[[attribution.claims]]",
            "[[attribution.claims.one]]",
            r"under \[\[attribution.claims\]\]",
        ),
        ('measure = "kept"', 'measure = "keep"', "measure must be one of"),
        ("share = 0.3", "share = 0.4", r"the study has share \[0.02, 0.3\], got 0.4"),
        ("retained = 0.5\n", "", "lds needs retained"),
        ('scenario = "class:3"', 'scenario = "class:4"', "unknown scenario 'class:4'"),
        ("shares = [0.02, 0.3]", "shares = []", "shares is empty"),
        ("draws = 2", "draws = 0", "draws must be a finite number in 1"),
    ],
)
def test_recipes_that_cannot_be_measured_are_refused_in_one_line(old, new, message):
    assert old in RECIPE
    with pytest.raises(ConfigError, match=message) as caught:
        parse_attribution(RECIPE.replace(old, new), "tiny")
    assert "\n" not in str(caught.value)


def test_a_recipe_without_the_table_says_what_it_lacks():
    with pytest.raises(ConfigError, match=r"expected a table \[attribution\]"):
        parse_attribution(RECIPE.partition("[attribution]")[0], "tiny")


def test_a_model_that_generates_images_is_refused_before_the_work(made):
    graph = Graph(made.store)
    data = graph.data_of(made.first.model_id)
    facts = read_facts(made.folder(data))
    model = add_train(
        graph, data, Origin(network=NetworkSettings(name="unet"), training=Training(epochs=1))
    )
    config = get_attributor("gradient_similarity").config()
    draw = parse_targets("draw:2")
    with pytest.raises(ConfigError, match="attribution is for models of the task classify"):
        add_attribution(graph, model, "gradient_similarity", config, draw, facts=facts)
    forget = add_forget(graph, model, "class:3", facts=facts)
    with pytest.raises(ConfigError, match="model influence is for models of the task classify"):
        add_weight_influence(graph, model, forget, WeightsConfig())


def test_what_a_grid_of_the_same_recipe_needs_is_not_made(made):
    text = RECIPE.replace("[attribution]\n", "[methods.ft]\n[pruners.omp]\n[attribution]\n", 1)
    graph = Graph(made.store)
    plan_attribution(graph, *parse_attribution(text, "tiny"))
    assert {node.id for node in graph} == {node.id for node in made.graph}


def test_more_targets_than_test_samples_are_refused_before_the_work(made):
    settings = replace(made.settings, targets="draw:41")
    with pytest.raises(ConfigError, match="at most the 40 test samples, got 41"):
        plan_attribution(Graph(made.store), made.experiment, settings)
