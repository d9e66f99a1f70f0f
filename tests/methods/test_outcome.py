"""Results that are damaged or not finite are told of, with numbers."""

import pytest
import torch
from tests.conftest import small_network

from expunge.errors import DivergedError
from expunge.methods import METHODS, get_method
from expunge.methods.outcome import look_at
from expunge.scenarios import by_class, make_split
from expunge.settings import Training
from expunge.training.fit import fit
from expunge.training.step import task_loss
from expunge.training.streams import Stream


@pytest.fixture
def split(samples):
    return make_split(samples, by_class(1))


@pytest.fixture
def learnt(samples, context):
    model = small_network(1)
    training = Training(epochs=8, batch_size=16, lr=0.1)
    fit(model, Stream(samples, torch.arange(len(samples))), task_loss, training, context)
    return model


def changed(model, factor):
    """The model with another head: always the class that is forgotten, or with huge outputs."""
    other = small_network(1)
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        other.head.bias.copy_(torch.tensor([0.0, factor, 0.0]))
    return other


def test_a_result_that_is_as_good_has_no_note(learnt, split, context):
    method = get_method("ga")
    assert look_at(method, learnt, learnt, split, method.config(), context) == ()


def test_a_result_that_is_far_worse_has_its_numbers(learnt, split, context):
    method = get_method("iu")
    (note,) = look_at(method, learnt, changed(learnt, 100.0), split, method.config(), context)
    logits = learnt.eval()(next(split.train.inputs.batches([split.retain])).float() / 255)
    labels = split.train.labels[split.retain]
    accuracy = 100 * float((logits.argmax(1) == labels).float().mean())
    assert accuracy > 60
    assert note.startswith(
        "the result of iu is far worse on retained samples than the model before: accuracy went "
        f"from {accuracy:.1f} to 0.0 % and "
    )
    assert note.endswith(
        "(n = 40 of 40); raise damping or relative_damping, or lower alpha (damping=0.03, "
        "relative_damping=0.3, alpha=1.0)"
    )


def test_a_model_without_accuracy_to_lose_is_told_of_by_its_loss(split, context):
    """From always the forgotten class to the same with huge outputs: the accuracy is 0 in both."""
    method = get_method("iu")
    blank = changed(small_network(1), 5.0)
    (note,) = look_at(method, blank, changed(blank, 1e6), split, method.config(), context)
    assert "accuracy went from 0.0 to 0.0 % and the mean loss from " in note
    assert "to 1e+06 (n = 40 of 40)" in note
    # Twice a guess among three classes is 2.2: a loss of less is none to tell of.
    assert look_at(method, blank, changed(blank, 0.0), split, method.config(), context) == ()


def test_outputs_that_are_not_finite_are_a_divergence(learnt, split, context):
    method = get_method("ff")
    with pytest.raises(
        DivergedError,
        match=r"ff: the outputs of 40 of 40 retained samples are not finite: lower alpha \(alpha=",
    ):
        look_at(method, learnt, changed(learnt, torch.inf), split, method.config(), context)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_says_what_is_milder(method):
    assert method.milder != type(method).milder
