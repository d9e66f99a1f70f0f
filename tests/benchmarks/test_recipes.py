"""Two recipes side by side: accuracy, epochs and time of what they train."""

from benchmarks.recipes import compared

from expunge.cli.session import Session
from expunge.engines import Engine
from expunge.studies.recipe import parse_experiment

RECIPE = """
title = "{epochs} epochs"
scenarios = ["class:3"]
[data]
source = "digits"
train_limit = 60
test_limit = 40
[network]
name = "resnet8"
width = 0.25
[training]
epochs = {epochs}
rewind_epoch = 0
[methods.ft]
"""


def test_two_recipes_are_compared_at_their_test_accuracy(tmp_path):
    slow, fast = (
        parse_experiment(RECIPE.format(epochs=epochs), "recipe.toml") for epochs in (20, 1)
    )
    found = compared(Session(tmp_path, Engine(), device="cpu"), slow, fast, {"slow": 1, "fast": 2})
    slow_accuracy, fast_accuracy, epochs, times = found
    assert [item.n for item in found] == [1, 2, 1, 1]
    assert fast_accuracy.target == slow_accuracy.value
    assert fast_accuracy.met == (fast_accuracy.value >= slow_accuracy.value)
    assert epochs.value == 0.05
    assert epochs.met
    assert times.value > 1
