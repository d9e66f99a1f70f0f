"""What every unlearning method must satisfy, whatever it is called."""

import copy
import functools
import json
import tomllib
from dataclasses import replace

import pytest
import torch
from tests.conftest import small_network

from expunge.config import from_flags, from_mapping, to_mapping
from expunge.errors import ConfigError
from expunge.methods import METHODS, all_methods, get_method
from expunge.methods.run import run_method
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.scenarios import at_random, by_class, make_split
from expunge.settings import Training
from expunge.training.fit import fit
from expunge.training.step import task_loss
from expunge.training.streams import Stream

RECIPE = Training(epochs=2, batch_size=16, lr=0.05, schedule="constant")
RESNET = ModelSpec(name="resnet8", num_classes=3, in_channels=1, width=0.25)
NETWORKS = {"small": small_network, "resnet8": lambda seed: build(RESNET, seed=seed)}


@pytest.fixture(params=METHODS, ids=lambda method: method.name)
def method(request):
    return request.param


@pytest.fixture(params=sorted(NETWORKS))
def rebuild(request):
    return NETWORKS[request.param]


@pytest.fixture(params=["dense", "sparse"])
def case(request, rebuild, samples, context):
    """A trained model and its context, dense or under a mask."""
    model = rebuild(0)
    context = replace(context, training=RECIPE, rebuild=rebuild)
    if request.param == "sparse":
        generator = torch.Generator().manual_seed(3)
        mask = {
            name: torch.rand(p.shape, generator=generator) < 0.5
            for name, p in model.named_parameters()
            if p.ndim == 4
        }
        context = replace(context, mask=mask)
    fit(model, Stream(samples, torch.arange(len(samples))), task_loss, RECIPE, context)
    return model, context


@pytest.fixture(params=["class", "random"])
def split(request, samples):
    scenario = by_class(1) if request.param == "class" else at_random(0.2, seed=1)
    return make_split(samples, scenario)


def example(method):
    return from_mapping(method.config, method.example, method.name)


def run(method, model, split, context):
    return run_method(method, model, split, example(method), context)[0]


def test_the_model_that_comes_in_is_not_modified(method, case, split):
    model, context = case
    model.eval()
    before = copy.deepcopy(model.state_dict())
    gradients = [p.requires_grad for p in model.parameters()]
    result = run(method, model, split, context)
    assert result is not model
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert gradients == [p.requires_grad for p in model.parameters()]
    assert all(p.grad is None for p in model.parameters())
    ours = {p.data_ptr() for p in model.parameters()}
    assert ours.isdisjoint(p.data_ptr() for p in result.parameters())


def test_the_model_that_comes_out_differs(method, case, split):
    model, context = case
    result = run(method, model, split, context)
    changed = [
        not torch.equal(a, b) for a, b in zip(model.parameters(), result.parameters(), strict=True)
    ]
    assert any(changed)


def test_same_seed_same_result_and_global_random_state_untouched(method, case, split):
    model, context = case
    before = torch.random.get_rng_state()
    one, two = (run(method, model, split, context) for _ in range(2))
    assert torch.equal(before, torch.random.get_rng_state())
    for (name, a), b in zip(one.state_dict().items(), two.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def test_masked_weights_stay_exactly_zero(method, case, split):
    model, context = case
    result = run(method, model, split, context)
    for name, kept in (context.mask or {}).items():
        assert bool((result.get_parameter(name)[~kept] == 0).all()), name


@pytest.mark.parametrize("training", [True, False])
def test_architecture_dtype_device_layout_and_mode_are_kept(method, case, split, training):
    model, context = case
    model.train(training)
    result = run(method, model, split, context)
    assert type(result) is type(model)
    assert [m.training for m in result.modules()] == [m.training for m in model.modules()]
    for (name, a), (other, b) in zip(
        model.state_dict().items(), result.state_dict().items(), strict=True
    ):
        assert (name, a.shape, a.dtype, a.device) == (other, b.shape, b.dtype, b.device)
        assert b.is_contiguous()
    assert [p.requires_grad for p in result.parameters()] == [
        p.requires_grad for p in model.parameters()
    ]


def test_what_a_method_does_not_read_does_not_matter(method, case, samples):
    """A method that reads only one of the two sets gives the same result, whatever the other is."""
    model, context = case
    split = make_split(samples, at_random(0.2, seed=1))
    unread = {"forget", "retain"} - method.reads
    if not unread:
        pytest.skip("reads both sets")
    labels = samples.labels.clone()
    (name,) = unread
    index = getattr(split, name)
    labels[index] = (labels[index] + 1) % 3
    other = copy.copy(split)
    object.__setattr__(other, "train", replace(samples, labels=labels))
    one, two = (run(method, model, s, context) for s in (split, other))
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)


def test_compiled_it_computes_the_same(method, case, split, monkeypatch):
    """Graphs are captured and run as they are: what a compiler would round is not looked at."""
    model, context = case
    expected = run(method, model, split, context)
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager"))
    torch.compiler.reset()
    found = run(method, model, split, replace(context, compiled=True))
    torch.compiler.reset()
    for (name, a), b in zip(
        found.state_dict().items(), expected.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("settings", ["defaults", "example"])
def test_configuration_round_trips_through_toml_and_flags(method, settings):
    config = method.config() if settings == "defaults" else example(method)
    plain = to_mapping(config)
    toml = "\n".join(f"{key} = {json.dumps(value)}" for key, value in plain.items())
    assert from_mapping(method.config, tomllib.loads(toml), "toml") == config
    flags = [f"--{key}={as_flag(value)}" for key, value in plain.items()]
    assert from_flags(method.config, flags, "flags") == config


def as_flag(value):
    """How the command line takes a value."""
    return ",".join(map(str, value)) if isinstance(value, list) else json.dumps(value).strip('"')


def test_unknown_and_impossible_settings_are_refused(method):
    with pytest.raises(ConfigError, match="unknown setting 'no_such'"):
        from_mapping(method.config, {"no_such": 1}, "x")
    for name, value in to_mapping(method.config()).items():
        if isinstance(value, int | float):
            with pytest.raises(ConfigError, match=name):
                from_mapping(method.config, {name: float("nan")}, "x")


def test_it_says_where_it_comes_from_and_what_it_needs(method):
    assert any(str(year) in method.cite for year in range(1990, 2030))
    assert method.summary
    assert method.reads <= {"forget", "retain"}
    assert method.reads
    assert method.run.__doc__
    assert method.config.__doc__


def test_what_it_needs_is_asked_for_when_missing(method, case, split):
    model, context = case
    bare = replace(context, training=None, rebuild=None)
    if not method.needs:
        run(method, model, split, bare)
        return
    for need in method.needs:
        with pytest.raises(Exception, match=need):
            run(method, model, split, replace(context, **{need: None}))


def test_names_are_unique_and_found():
    assert len({method.name for method in METHODS}) == len(METHODS)
    assert all(get_method(method.name) is method for method in METHODS)
    assert set(all_methods()) >= {method.name for method in METHODS}


def test_an_unknown_method_is_named_with_what_there_is():
    with pytest.raises(ConfigError, match=r"unknown method 'gaa'.*did you mean 'ga'"):
        get_method("gaa")


def test_settings_of_another_method_are_refused(method, case, split):
    model, context = case
    with pytest.raises(ConfigError, match=method.config.__name__):
        run_method(method, model, split, object(), context)
