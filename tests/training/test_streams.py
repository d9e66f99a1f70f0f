"""Several streams, phases and teachers: what is drawn, what is seen, and what is refused."""

from dataclasses import replace
from itertools import chain

import pytest
import torch
from tests.conftest import small_network

from expunge.errors import ConfigError, DivergedError
from expunge.settings import Augmentation, Training
from expunge.training.batches import batch_count, shuffled_batches
from expunge.training.fit import fit
from expunge.training.step import Phase, task_loss
from expunge.training.streams import Stream

RECIPE = Training(epochs=2, batch_size=16, lr=0.01, schedule="constant")


@pytest.fixture
def numbered(samples):
    """Samples whose labels say which they are."""
    return replace(samples, labels=torch.arange(60))


@pytest.fixture
def streams(numbered):
    return {
        "many": Stream(numbered, torch.arange(40)),
        "few": Stream(numbered, torch.arange(40, 57), 6),
    }


def look(step, name, seen):
    seen.append((name, step.batch(name).targets.tolist()))


@pytest.mark.parametrize("count", [1, 2, 5, 16, 17, 33])
@pytest.mark.parametrize("size", [1, 2, 4, 16])
def test_batches_are_counted_as_they_are_cut(count, size):
    cut = shuffled_batches(torch.arange(count), size, torch.Generator())
    assert batch_count(count, size) == len(cut)


def test_the_first_stream_leads_and_the_others_go_round(streams, context, network):
    seen = []

    def loss(step):
        for name in streams:
            look(step, name, seen)
        return step.outputs().sum(1) * 0

    fit(network, streams, loss, RECIPE, context)
    many = [targets for name, targets in seen if name == "many"]
    assert [len(each) for each in many] == [16, 16, 8] * 2
    for epoch in (many[:3], many[3:]):
        assert sorted(chain(*epoch)) == list(range(40))
    few = [targets for name, targets in seen if name == "few"]
    # 17 samples in 6, 6, 5: a pass is three batches, here the steps of an epoch.
    assert [len(each) for each in few] == [6, 6, 5] * 2
    assert few[:3] != few[3:]
    for epoch in (few[:3], few[3:]):
        assert sorted(chain(*epoch)) == list(range(40, 57))


def test_a_pass_goes_on_where_the_epoch_before_has_left_it(streams, context, network):
    seen = []

    def loss(step):
        look(step, "few", seen)
        return {"few": step.outputs("few").sum(1) * 0}

    # Two steps an epoch.
    recipe = replace(RECIPE, batch_size=20, epochs=3)
    fit(network, streams, loss, recipe, context)
    order = [targets for _, targets in seen]
    assert [len(each) for each in order] == [6, 6, 5, 6, 6, 5]
    assert sorted(chain(*order[:3])) == list(range(40, 57))


def test_a_stream_that_no_loss_asks_for_changes_nothing(samples, context):
    alone = Stream(samples, torch.arange(40))
    results = []
    context = replace(context, augmentation=Augmentation(crop_padding=1, flip=True))
    for streams in (alone, {"one": alone, "other": Stream(samples, torch.arange(40, 60))}):
        model = small_network()
        fit(model, streams, task_loss, RECIPE, context)
        results.append(model.state_dict())
    assert all(torch.equal(x, results[1][name]) for name, x in results[0].items())


def test_streams_are_augmented_each_by_its_own_draws(samples, context, network):
    context = replace(context, augmentation=Augmentation(flip=True))
    stored = next(samples.inputs.batches([torch.arange(60)])) / 255
    flipped = {}

    def loss(step):
        for name in ("one", "other"):
            batch = step.batch(name)
            pairs = zip(batch.inputs, batch.targets, strict=True)
            flipped[name] = [not torch.equal(image, stored[i]) for image, i in pairs]
        return step.outputs().sum(1) * 0

    numbered = replace(samples, labels=torch.arange(60))
    same = Stream(numbered, torch.arange(60), 60)
    fit(network, {"one": same, "other": same}, loss, replace(RECIPE, epochs=1), context)
    assert 15 < sum(flipped["one"]) < 45
    assert flipped["one"] != flipped["other"]


def test_samples_of_two_streams_go_to_the_device_once(samples, context, network):
    class Counted:
        kind, shape, moved = "images", samples.inputs.shape, 0

        def to(self, device):
            self.moved += 1
            return samples.inputs.to(device)

    inputs = Counted()
    shared = replace(samples, inputs=inputs)
    streams = {"one": Stream(shared, torch.arange(40)), "two": Stream(shared, torch.arange(20))}
    fit(network, streams, task_loss, RECIPE, context)
    assert inputs.moved == 1


def test_outputs_are_computed_once_and_when_they_are_asked_for(streams, context, network):
    calls = []
    network.register_forward_hook(lambda *_: calls.append(1))

    def loss(step):
        assert step.outputs("few") is step.outputs("few")
        return {"few": step.losses("few") * 0}

    samples = streams["few"].samples
    in_range = {
        name: replace(stream, samples=replace(samples, labels=samples.labels % 3))
        for name, stream in streams.items()
    }
    fit(network, in_range, loss, RECIPE, context)
    assert len(calls) == 6


def test_phases_follow_each_other_and_each_leads_its_stream(streams, context, network):
    told, passes = [], []

    def phase(name):
        def loss(step):
            assert step.leads == name
            passes.append(name)
            return step.outputs().sum(1) * 0

        return Phase(name, loss)

    context = replace(context, progress=lambda *each: told.append(each))
    recipe = replace(RECIPE, epochs=3)
    epochs = [[phase("few"), phase("many")], [phase("many")], []]
    fit(network, streams, epochs, recipe, context, label="in turn")
    assert passes == ["few"] * 3 + ["many"] * 6
    assert told[-1] == ("in turn", 9, 9, 17 + 2 * 40)


def test_a_teacher_is_frozen_and_is_as_it_was_after(samples, context, network):
    teacher = small_network(1).train()
    teacher.norm.eval()
    before = {name: x.clone() for name, x in teacher.state_dict().items()}

    def loss(step):
        assert not teacher.training
        taught = step.teacher("old")
        assert taught is step.teacher("old")
        assert not taught.requires_grad
        expected = teacher(step.batch().inputs)
        torch.testing.assert_close(taught, expected.detach())
        return (step.outputs() - taught).square().sum(1)

    stream = Stream(samples, torch.arange(40))
    fit(network, stream, loss, RECIPE, context, teachers={"old": teacher})
    assert all(torch.equal(before[name], x) for name, x in teacher.state_dict().items())
    assert teacher.training
    assert not teacher.norm.training
    assert teacher.conv2.weight.is_contiguous()


def test_a_teacher_is_put_back_when_training_diverges(samples, context, network):
    teacher = small_network(1)

    def loss(step):
        return step.outputs().sum(1) * step.teacher("old").sum(1) * float("inf")

    stream = Stream(samples, torch.arange(40))
    with pytest.raises(DivergedError):
        fit(network, stream, loss, RECIPE, context, teachers={"old": teacher})
    for model in (teacher, network):
        assert model.training
        assert model.conv2.weight.is_contiguous()


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda step: step.losses("fewer"), r"unknown stream 'fewer'.*did you mean 'few'"),
        (lambda step: step.teacher("x"), "unknown teacher 'x'"),
        (
            lambda step: step.outputs().mean(),
            r"stream 'many' must have one number per sample.*\(\)",
        ),
        (
            lambda step: {"few": step.outputs("many").sum(1)},
            r"stream 'few' must have one number per sample, shape \(6,\), got \(16,\)",
        ),
        ([[Phase("many", task_loss)]], "phases for 2 epochs, got phases for 1"),
        ([[Phase("mary", task_loss)], []], r"unknown stream 'mary'.*did you mean 'many'"),
    ],
)
def test_what_does_not_fit_is_refused(streams, context, network, loss, message):
    with pytest.raises(ConfigError, match=message):
        fit(network, streams, loss, RECIPE, context)


def test_training_on_nothing_is_refused(samples, context, network):
    with pytest.raises(ConfigError, match="stream 'samples' has no samples"):
        fit(network, Stream(samples, torch.arange(0)), task_loss, RECIPE, context)
    with pytest.raises(ConfigError, match="at least one stream"):
        fit(network, {}, task_loss, RECIPE, context)
