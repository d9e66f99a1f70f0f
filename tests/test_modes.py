"""What its owner put in evaluation mode stays there, statistics too, whatever trains it."""

import pytest
import torch

import expunge
from expunge.modes import kept_in_evaluation, mode, names_kept_in_evaluation
from expunge.types import Split
from tests.networks_of_different_build import BUILDS

TRAINING = expunge.Training(
    epochs=1, batch_size=4, lr=0.05, schedule="constant", rewind_epoch=0, weight_decay=0.1
)


def build(name):
    (found,) = [each for each in BUILDS if each.name == name]
    return found.build(), found.samples()


def split_of(samples):
    return Split(train=samples, forget=torch.tensor([0, 4]), scenario="ids:two")


def after(model, samples, how, rebuild=None):
    """The model that unlearning or pruning makes."""
    if how in ("omp", "snip", "grasp"):
        return expunge.prune(
            model, split_of(samples), method=how, sparsity=0.3, training=TRAINING, rebuild=rebuild
        ).model
    config = {} if how == "retrain" else {"epochs": 1, "lr": 0.05, "batch_size": 4}
    return expunge.unlearn(
        model, split_of(samples), method=how, config=config, training=TRAINING, rebuild=rebuild
    ).model


@pytest.mark.parametrize("whole", [False, True], ids=["model training", "model evaluating"])
@pytest.mark.parametrize("how", ["ft", "ga", "retrain", "omp", "snip"])
def test_frozen_batch_normalisation_stays_as_it_is(how, whole):
    model, samples = build("frozen_batch_norm")
    if whole:
        model.eval()
    made = after(model, samples, how, lambda seed: build("frozen_batch_norm")[0])
    frozen, found = model[1].state_dict(), made[1].state_dict()
    assert all(torch.equal(frozen[name], found[name]) for name in frozen)
    assert int(found["num_batches_tracked"]) == 0
    assert not torch.equal(made[-1].weight, model[-1].weight)
    modes = [module.training for module in made.modules()]
    if how not in ("retrain", "snip"):  # they make a new network
        assert modes == [module.training for module in model.modules()]


@pytest.mark.parametrize("how", ["snip", "grasp"])
def test_scores_are_of_frozen_batch_normalisation_as_it_is(how):
    seen = []

    def rebuild(seed):
        made, _ = build("frozen_batch_norm")
        made[1].register_forward_hook(lambda module, *_: seen.append(module.training))
        return made

    model, samples = build("frozen_batch_norm")
    after(model, samples, how, rebuild)
    assert seen
    assert not any(seen)


def test_the_statistics_of_other_batch_normalisation_move():
    model, samples = build("batch_norm")
    for whole in (model, model.eval()):
        assert int(after(whole, samples, "ft")[1].num_batches_tracked) > 0


def test_only_what_was_chosen_stays_in_evaluation_mode():
    model, _ = build("batch_norm")
    assert names_kept_in_evaluation(model) == set()
    assert names_kept_in_evaluation(model.eval()) == set()
    model.train()
    model[1].eval()
    assert names_kept_in_evaluation(model) == {"1"}
    with mode(model, training=True):
        assert [module for module in model.modules() if not module.training] == [model[1]]
    # Of a model that evaluates as a whole, what is frozen, with all that is in it.
    model, _ = build("dropout")
    inner = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout())
    model.append(inner)
    inner[0].requires_grad_(False)
    model.eval()
    assert kept_in_evaluation(model) == {inner, inner[0], inner[1]}
    with mode(model, training=True):
        assert model[1].training
        assert not inner[1].training
    assert not any(module.training for module in model.modules())


def test_dropout_that_was_turned_off_stays_off():
    model, samples = build("dropout_in_evaluation_mode")
    seen = []
    model[1].register_forward_hook(lambda module, *_: seen.append(module.training))
    after(model, samples, "ft")
    model.train()
    assert seen
    assert not any(seen)
    after(model, samples, "ft")
    assert any(seen)


class KeepsItself(torch.nn.Sequential):
    """Keeps its batch normalisation in evaluation mode by overriding `train`, as people do."""

    def train(self, training=True):
        super().train(training)
        self[1].eval()
        return self


@pytest.mark.parametrize("how", ["ft", "omp"])
def test_a_networks_own_way_to_keep_a_layer_is_respected(how):
    model, samples = build("batch_norm")
    model = KeepsItself(*model).train()
    found = after(model, samples, how)
    assert int(found[1].num_batches_tracked) == 0
    assert not torch.equal(found[1].weight, model[1].weight)


def test_statistics_of_the_theorem_leave_frozen_layers_alone():
    from expunge.theory.normalisation import set_statistics

    for name, moves in (("frozen_batch_norm", False), ("batch_norm", True)):
        model, samples = build(name)
        before = model[1].running_mean.clone()
        set_statistics(model, samples, torch.device("cpu"))
        assert torch.equal(before, model[1].running_mean) != moves
