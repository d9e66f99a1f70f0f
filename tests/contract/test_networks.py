"""What holds for every network, and for every method on it. Nothing here knows a name."""

import copy
from dataclasses import asdict, replace

import pytest
import torch
from tests.kinds import clouds, first_batch, save_bert, sentences, stripes
from transformers import ViTConfig

from expunge.batch import map_batch
from expunge.config import from_mapping, to_mapping
from expunge.curvature.head import head_parameters
from expunge.data.statistics import input_statistics
from expunge.methods import METHODS
from expunge.methods.run import run_method
from expunge.models.build import build
from expunge.models.check import check_outputs
from expunge.models.networks import MODELS, find_network
from expunge.models.spec import ModelSpec, spec_for
from expunge.models.trainings import training_for
from expunge.models.weights import load_weights, save_weights
from expunge.scenarios import at_random, by_class, make_split
from expunge.sparsity.mask import prunable, sparsity_of
from expunge.tasks import get_task
from expunge.training.fit import fit
from expunge.training.step import task_loss
from expunge.training.streams import Stream

ADAPTED = "images by adapter, with dropout"
ADAPTED_TOKENS = "tokens by adapter, with dropout"


@pytest.fixture(scope="module", params=[*MODELS, ADAPTED, ADAPTED_TOKENS])
def name(request, tmp_path_factory):
    if request.param in MODELS:
        return request.param
    if request.param == ADAPTED_TOKENS:
        return save_bert(tmp_path_factory.mktemp("bert"), hidden_dropout_prob=0.2)
    folder = tmp_path_factory.mktemp("vit")
    ViTConfig(
        patch_size=8,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        hidden_dropout_prob=0.2,
    ).save_pretrained(folder)
    return f"hf:{folder}"


@pytest.fixture(scope="module")
def samples(name):
    """A few samples of 3 classes, of the kind and the size that the network needs."""
    if "bert" in name:
        return sentences()
    if find_network(name).whole:
        return stripes(shape=(3, 8, 8))
    return clouds() if "vectors" in find_network(name).inputs else stripes()


@pytest.fixture(scope="module")
def spec(name, samples):
    statistics = None if find_network(name).whole else input_statistics(samples)
    width = 1 / 8 if name in MODELS else 1.0
    return spec_for(name, samples.inputs, 3, width=width, statistics=statistics)


@pytest.fixture(scope="module")
def recipe(spec):
    """The architecture's own, made short."""
    return replace(training_for(spec.name), epochs=1, batch_size=9, lr=0.01, warmup_epochs=0.0)


@pytest.fixture(scope="module", params=["dense", "sparse"])
def case(request, spec, recipe, samples, fabric):
    """A trained network and its context, dense or under a mask of all that can be pruned."""
    from expunge.types import Context

    def rebuild(seed):
        return build(spec, seed)

    model = rebuild(0)
    task = get_task(find_network(spec.name).task)
    context = Context(fabric=fabric, training=recipe, rebuild=rebuild, task=task)
    if request.param == "sparse":
        generator = torch.Generator().manual_seed(3)
        mask = {
            name: torch.rand(weight.shape, generator=generator) < 0.5
            for name, weight in prunable(model, ("conv", "linear")).items()
        }
        context = replace(context, mask=mask)
    fit(model, Stream(samples, torch.arange(len(samples))), task_loss, recipe, context)
    return model.eval(), context


@pytest.fixture(scope="module")
def split(case, samples):
    """By class on the dense network, at random on the sparse one."""
    scenario = by_class(1) if case[1].mask is None else at_random(0.25, seed=1)
    return make_split(samples, scenario)


def short(config):
    """The settings with a single pass over the samples, where there are passes to set."""
    return replace(config, epochs=1) if hasattr(config, "epochs") else config


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_method_keeps_its_contract(method, case, split):
    model, context = case
    if context.task.name not in method.tasks:
        pytest.skip("for another task")
    before = copy.deepcopy(model.state_dict())
    state = torch.random.get_rng_state()
    config = short(method.config())
    one, two = (run_method(method, model, split, config, context)[0] for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert [m.training for m in one.modules()] == [m.training for m in model.modules()]
    changed = False
    for (name, was), (other, now), again in zip(
        before.items(), one.state_dict().items(), two.state_dict().values(), strict=True
    ):
        assert (name, was.shape, was.dtype, was.device) == (
            other,
            now.shape,
            now.dtype,
            now.device,
        )
        assert torch.equal(now, again), f"{name} differs between two runs of one seed"
        changed |= not torch.equal(was, now)
    assert changed
    for name, kept in (context.mask or {}).items():
        assert not one.get_parameter(name)[~kept].any(), name
    inputs = split.train.inputs
    check_outputs(one, inputs.shape, 3, inputs.kind, context.task)


def test_retraining_starts_from_a_random_initialisation(spec, case):
    """Every parameter that is drawn at all differs from the trained and from another seed's."""
    _, context = case
    fresh, other = context.rebuild(5), context.rebuild(6)
    again = context.rebuild(5)
    drawn = 0
    for (name, a), b, c in zip(
        fresh.named_parameters(), other.parameters(), again.parameters(), strict=True
    ):
        assert torch.equal(a, c), name
        if a.ndim > 1 and a.unique().numel() > 1:
            drawn += 1
            assert not torch.equal(a, b), name
    assert drawn


def given(spec, samples):
    """The network's inputs for a few samples, as its task gives them."""
    task, device = get_task(find_network(spec.name).task), torch.Generator().manual_seed(0)
    inputs = next(samples.inputs.batches([torch.arange(2)]))
    drawn = task.draw(2, samples.inputs.shape, device)
    return task.example(inputs, samples.labels[:2], drawn)[0]


def test_its_head_is_found_and_its_layers_can_be_pruned(spec, samples):
    if find_network(spec.name).task != "classify":
        pytest.skip("it has no head")
    model = build(spec).eval()
    found = head_parameters(model, first_batch(samples))
    (weight,) = [name for name in found if model.get_parameter(name).ndim == 2]
    assert model.get_parameter(weight).shape[0] == 3
    assert weight in prunable(model, ("linear",))
    assert sparsity_of(model, list(prunable(model, ("conv", "linear")))) < 0.01


def test_its_spec_and_its_weights_round_trip(spec, samples, tmp_path):
    assert from_mapping(ModelSpec, to_mapping(spec), "spec") == spec
    assert ModelSpec(**asdict(spec)) == spec
    saved, loaded = build(spec, 1).eval(), build(spec, 2).eval()
    save_weights(saved, tmp_path / "weights.safetensors")
    load_weights(loaded, tmp_path / "weights.safetensors")
    batch = given(spec, samples)
    with torch.no_grad():
        assert torch.equal(saved(batch), loaded(batch))
        assert torch.equal(copy.deepcopy(saved)(batch), saved(batch))


def test_its_layers_follow_it_to_another_device(spec, samples):
    """On the meta device: a tensor that a layer keeps to itself would stay on the CPU and fail."""
    if spec.input_kind == "tokens":
        pytest.skip("transformers looks into the mask, and there is nothing in it on this device")
    model = build(spec).eval().to("meta")
    task = get_task(find_network(spec.name).task)
    outputs = model(map_batch(lambda tensor: tensor.to("meta"), given(spec, samples)))
    assert outputs.shape == (2, *task.output_shape(samples.inputs.shape, 3))
