"""Recipes with values of another type or size are refused before any work."""

import pytest

from expunge.errors import ConfigError
from expunge.studies.recipe import parse_experiment, with_overrides

RECIPE = """
title = "T"
scenarios = ["class:3"]
seeds = [0]
[data]
source = "digits"
[network]
name = "resnet8"
[training]
epochs = 1
[methods.ft]
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[0]", '["0"]', "seeds must be of type int, got '0'"),
        ("[0]", "[true]", "seeds must be of type int, got True"),
        ("[0]", "[1.0]", r"seeds must be of type int, got 1\.0"),
        ("[0]", "[-1]", r"a seed must be a finite number in 0\.\., got -1"),
        ("[0]", f"[{2**70}]", r"seeds must be less than 2\*\*63, got 1180591620717411303424"),
        ("[0]", "[[0]]", r"seeds must be of type int, got \[0\]"),
        ("[0]", "0", "seeds must be a list, got 0"),
        ("[0]", "[]", "seeds is empty"),
        ('"T"', '["T"]', r"title must be of type str, got \['T'\]"),
        ('"T"', "1", "title must be of type str, got 1"),
        ('"T"', '"a\\u0000b"', "title must be a text without NUL characters"),
        ('["class:3"]', "[3]", "scenarios must be of type str, got 3"),
        ('["class:3"]', "[{a = 1}]", r"scenarios must be of type str, got \{'a': 1\}"),
        ('["class:3"]', '["ids:a\\u0000b"]', "scenarios must be a text without NUL"),
        ('"digits"', '"a\\u0000b.npz"', "data: source must be a text without NUL"),
        ('"digits"', '"digits"\nseed = -1', r"data: seed must be a finite number in 0\.\."),
        ('"digits"', '"digits"\nchannels = true', "channels must be one of 1, 3, got True"),
        ("epochs = 1", f"epochs = {10**30}", r"training: epochs must be less than 2\*\*63"),
        ("epochs = 1", f"epochs = {10**400}", r"training: epochs must .*, got 10{79}\.\.\.$"),
        ("epochs = 1", f"lr = {10**400}", r"training: lr must be less than 2\*\*63"),
        ("epochs = 1", "crop_padding = -1", "training: crop_padding must be a finite number"),
        ('"resnet8"', '"resnet8"\nwidth = inf', "network: width must be a finite number"),
        ('"resnet8"', '"resnet8"\nstem = "x"', "network: stem must be one of"),
        ('"resnet8"', f'"resnet8"\nthreads = {10**12}', "network: threads must be"),
        ("[methods.ft]", "[methods.ft]\nclass = 3", "methods.ft: class must be a table"),
        ("[methods.ft]", "[methods.ft]\n[pruners.omp]\nsparsity = []", "sparsity must be one numb"),
        ("[methods.ft]", "[methods.ft]\n[pruners.omp]\nsparsity = [0.5, 0.5]", "several different"),
        (
            "[methods.ft]",
            "[methods.ft]\nsparsities = [0.5]",
            r"sparsities must be of the grid's, \[0",
        ),
        ("[methods.ft]", "[methods.ft]\nsparsities = 0.0", "must be a list of different ones"),
        ("[methods.ft]", "[methods.ft]\nsparsities = []", "must be a list of different ones"),
        ("[methods.ft]", "[methods.ft]\nsparsities = [0.0, 0.0]", "must be a list of different"),
        ("[methods.ft]", "[methods.ft]\nsparsities = [false]", "sparsities must be of the grid's"),
        ("[methods.ft]", "[methods.ft]\nsparsities = ['0']", "sparsities must be of the grid's"),
        ("[methods.ft]", "[methods.ft.class]\nsparsities = [0]", "unknown setting 'sparsities'"),
        ('["class:3"]', '["random:0.1", "random:0.10"]', "scenarios holds one entry twice"),
        ('["class:3"]', '["class:3", "class: 3"]', "scenarios holds one entry twice"),
        ("seeds = [0]", 'metrics = ["ua", "ua"]', "metrics holds one entry twice"),
        ("[methods.ft]", "[methods.ft.serach]\ntrials = 3", "did you mean 'search'"),
        ("seeds = [0]", "metrics = []", "metrics is empty"),
        ("seeds = [0]", "metrics = [[]]", r"metrics must be of type str, got \[\]"),
        ("seeds = [0]", "precision = 3", "precision must be of type str, got 3"),
        (
            "seeds = [0]",
            'precision = "64-false"',
            "precision must be one of auto, 32-true, .*false",
        ),
        ('title = "T"', "", "title is missing: expected a value of type str"),
    ],
)
def test_a_value_of_another_type_or_size_is_refused(old, new, message):
    assert parse_experiment(RECIPE, "r.toml")
    with pytest.raises(ConfigError, match=message) as caught:
        parse_experiment(RECIPE.replace(old, new), "r.toml")
    assert str(caught.value).startswith("r.toml: ")
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000 + "]" * 100_000,
        "a = " + "{a=" * 5_000 + "1" + "}" * 5_000,
        "a = " + "9" * 5_000,
        "\0",
    ],
    ids=["lists", "tables", "digits", "NUL"],
)
def test_text_that_is_too_deep_or_long_is_not_toml(text):
    with pytest.raises(ConfigError, match="is not TOML") as caught:
        parse_experiment(text, "r.toml")
    assert "\n" not in str(caught.value)


def test_data_from_another_place_lose_the_name_of_the_recipes_own():
    named = parse_experiment(RECIPE.replace("[data]", '[data]\nname = "a copy"'), "r.toml")
    assert named.data.name == "a copy"
    assert with_overrides(named, source="elsewhere").data.name is None
    assert with_overrides(named, seeds=(1,)).data.name == "a copy"
