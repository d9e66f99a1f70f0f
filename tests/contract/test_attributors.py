"""What every attributor must satisfy, whatever it is called."""

import copy
import importlib.util
import json
import tomllib
from dataclasses import replace

import pytest
import torch
from tests.conftest import small_network
from tests.kinds import VOCABULARY, clouds, sentences

from expunge.attribution import ATTRIBUTORS, all_attributors, get_attributor
from expunge.config import from_mapping, to_mapping
from expunge.data.splits import subset
from expunge.errors import ConfigError, ModelError
from expunge.settings import Training
from expunge.training.fit import fit
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context

RECIPE = Training(epochs=3, batch_size=16, lr=0.05, schedule="constant")


@pytest.fixture(params=ATTRIBUTORS, ids=lambda attributor: attributor.name)
def attributor(request):
    package = request.param.package
    if package and importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: make test installs it")
    return request.param


@pytest.fixture
def config(attributor):
    return from_mapping(attributor.config, attributor.example, attributor.name)


@pytest.fixture(params=["dense", "sparse"])
def case(request, samples, context):
    """A trained model and its context, dense or under a mask."""
    model = small_network()
    if request.param == "sparse":
        generator = torch.Generator().manual_seed(3)
        mask = {
            name: torch.rand(p.shape, generator=generator) < 0.5
            for name, p in model.named_parameters()
            if p.ndim == 4
        }
        context = replace(context, mask=mask)
    everything = Stream(samples, torch.arange(len(samples)))
    fit(model, everything, task_loss, RECIPE, replace(context, training=RECIPE))
    return model, context


@pytest.fixture
def targets(samples):
    return subset(samples, torch.tensor([3, 10, 31, 40]))


def test_it_scores_every_sample_for_every_target(attributor, config, case, samples, targets):
    model, context = case
    scores = attributor.run(model, samples, targets, config, context).scores
    assert scores.shape == (len(targets), len(samples))
    assert scores.is_floating_point()
    assert scores.isfinite().all()
    assert scores.std(1).min() > 0


def test_a_target_that_is_a_training_sample_is_helped_by_itself(
    attributor, config, case, samples, targets
):
    """Above zero is helpful; the sample itself helps more than nearly all others."""
    model, context = case
    scores = attributor.run(model, samples, targets, config, context).scores
    own = scores[torch.arange(4), torch.tensor([3, 10, 31, 40])]
    assert (own > 0).all()
    assert (own > scores.quantile(0.6, dim=1)).all()


def test_samples_of_the_same_class_help_more(attributor, config, case, samples, targets):
    model, context = case
    scores = attributor.run(model, samples, targets, config, context).scores
    same = targets.labels[:, None] == samples.labels[None]
    assert (scores * same).sum() / same.sum() > (scores * ~same).sum() / (~same).sum()


def test_the_model_and_the_global_random_state_are_left_alone(
    attributor, config, case, samples, targets
):
    model, context = case
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    model.train()
    attributor.run(model, samples, targets, config, context)
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(p, before[name]) for name, p in model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_a_target_has_the_same_scores_alone(attributor, config, case, samples, targets):
    model, context = case
    together = attributor.run(model, samples, targets, config, context).scores
    alone = attributor.run(model, samples, subset(targets, torch.tensor([2])), config, context)
    torch.testing.assert_close(alone.scores[0], together[2], rtol=1e-3, atol=1e-6)


def test_it_repeats_itself_and_batches_do_not_matter(attributor, config, case, samples, targets):
    model, context = case
    one = attributor.run(model, samples, targets, config, context).scores
    assert torch.equal(one, attributor.run(model, samples, targets, config, context).scores)
    larger = replace(config, batch_size=60)
    other = attributor.run(model, samples, targets, larger, context).scores
    torch.testing.assert_close(other, one, rtol=1e-2, atol=1e-4 * float(one.abs().max()))


def test_what_pruned_weights_would_do_does_not_count(attributor, config, samples, targets, context):
    """A masked network, and the same with the pruned filters' gradients left in place."""
    model = small_network()
    mask = {"conv2.weight": torch.zeros_like(model.conv2.weight, dtype=torch.bool)}
    mask["conv2.weight"][:4] = True
    with torch.no_grad():
        model.conv2.weight *= mask["conv2.weight"]
    masked = attributor.run(model, samples, targets, config, replace(context, mask=mask)).scores
    dense = attributor.run(model, samples, targets, config, context).scores
    assert not torch.allclose(masked, dense)


def test_a_network_that_mixes_samples_is_refused(attributor, config, samples, targets, context):
    model = small_network()
    model.norm = torch.nn.BatchNorm2d(6, track_running_stats=False)
    with pytest.raises(ModelError, match=r"norm.* mixes the samples of a batch"):
        attributor.run(model, samples, targets, config, context)


def test_settings_round_trip_through_toml_and_others_are_refused(attributor, config):
    plain = to_mapping(config)
    toml = "\n".join(f"{key} = {json.dumps(value)}" for key, value in plain.items())
    assert from_mapping(attributor.config, tomllib.loads(toml), "toml") == config
    with pytest.raises(ConfigError, match="unknown setting 'no_such'"):
        from_mapping(attributor.config, {"no_such": 1}, "x")
    for name, value in plain.items():
        if isinstance(value, float):
            with pytest.raises(ConfigError, match=name):
                from_mapping(attributor.config, {name: float("nan")}, "x")
        if isinstance(value, int):
            with pytest.raises(ConfigError, match=name):
                from_mapping(attributor.config, {name: -1}, "x")


def test_the_record_is_complete(attributor):
    assert get_attributor(attributor.name) is attributor
    assert attributor.summary
    assert attributor.cite
    assert attributor.version >= 1


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ConfigError, match=r"unknown attributor 'ekfc'.*ekfac"):
        get_attributor("ekfc")


def test_an_added_entry_is_found(monkeypatch):
    added = replace(ATTRIBUTORS[1], name="mine")

    class Point:
        value = "elsewhere:ENTRY"

        def load(self):
            return added

    monkeypatch.setattr(
        "expunge.plugins.entries",
        lambda group: (Point(),) if group == "expunge.attributors" else (),
    )
    assert all_attributors()["mine"] is added


class Words(torch.nn.Module):
    """A network of tokens: their mean embedding, and a linear layer."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARY, 5)
        self.head = torch.nn.Linear(5, 3)

    def forward(self, batch):
        mask = batch["attention_mask"][..., None]
        found = self.embedding(batch["input_ids"]) * mask
        return self.head(found.sum(1) / mask.sum(1))


@pytest.mark.parametrize(
    ("samples", "make"),
    [
        (sentences(), Words),
        (clouds(), lambda: torch.nn.Sequential(torch.nn.LayerNorm(7), torch.nn.Linear(7, 3))),
    ],
    ids=["tokens", "vectors"],
)
def test_it_takes_inputs_of_every_kind(attributor, config, samples, make, context):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = make()
    found = attributor.run(model, samples, subset(samples, torch.tensor([2])), config, context)
    assert found.scores.shape == (1, len(samples))
    assert found.scores.isfinite().all()
    assert found.scores.std() > 0


def test_contexts_are_not_needed_for_more_than_a_device(attributor, config, samples, fabric):
    targets = subset(samples, torch.tensor([0]))
    found = attributor.run(small_network(), samples, targets, config, Context(fabric=fabric))
    assert found.scores.shape == (1, len(samples))
