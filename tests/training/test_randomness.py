from dataclasses import replace

import torch
from torch import nn

from expunge.settings import Training
from expunge.training.fit import fit
from expunge.training.reproducibility import seeded_layers
from expunge.training.step import task_loss
from expunge.training.streams import Stream

RECIPE = Training(epochs=2, batch_size=16, lr=0.05, schedule="constant")


def with_dropout():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 3))


def test_layers_draw_from_the_seed_and_the_global_state_is_put_back():
    before = torch.get_rng_state()
    drawn = []
    for seed in (1, 1, 2):
        torch.rand(3)
        with seeded_layers(torch.device("cpu"), seed):
            drawn.append(torch.rand(5))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    torch.set_rng_state(before)
    with seeded_layers(torch.device("cpu"), 1):
        torch.rand(5)
    assert torch.equal(torch.get_rng_state(), before)


def test_accelerators_are_not_reseeded_on_the_cpu(monkeypatch):
    def fail(*_):
        raise AssertionError("an accelerator's generator was seeded")

    monkeypatch.setattr(torch.cuda, "manual_seed", fail)
    monkeypatch.setattr(torch.cuda, "manual_seed_all", fail)
    with seeded_layers(torch.device("cpu"), 1):
        pass


def test_a_network_with_dropout_trains_by_the_seed_alone(samples, context):
    trained = []
    for seed in (1, 1, 2):
        model = with_dropout()
        torch.rand(1)
        before = torch.get_rng_state()
        fit(
            model, Stream(samples, torch.arange(60)), task_loss, RECIPE, replace(context, seed=seed)
        )
        assert torch.equal(torch.get_rng_state(), before)
        trained.append(model[2].weight)
    assert torch.equal(trained[0], trained[1])
    assert not torch.equal(trained[0], trained[2])
