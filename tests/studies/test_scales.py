"""Scales: one recipe at several sizes, its own tables the paper's."""

import pytest

from expunge.errors import ConfigError
from expunge.studies.attribution_recipe import parse_attribution
from expunge.studies.folder import plain, settings_digest
from expunge.studies.recipe import parse_experiment, read_experiment
from expunge.studies.scales import at_scale
from expunge.studies.transfer.study import parse_transfer

RECIPE = """
title = "Large"
makes = "Table 1"
scenarios = ["class:seed", "random:0.1"]
seeds = [0, 1, 2, 3]
[data]
source = "someone/images"
validation_fraction = 0.1
[network]
name = "resnet18"
[training]
epochs = 182
milestones = [91, 136]
flip = true
[pruners.omp]
sparsity = [0.5, 0.95]
rewind = true
[methods.retrain]
[methods.ga]
lr = 1e-4
[methods.ga.random]
lr = 1e-3
[methods.ff]
[scales.cpu]
title = "Small"
seeds = [0]
[scales.cpu.data]
source = "digits"
[scales.cpu.network]
name = "resnet8"
[scales.cpu.training]
epochs = 2
milestones = [1]
flip = false
[scales.cpu.pruners.omp]
rewind = false
[scales.cpu.methods]
ff = false
[scales.cpu.methods.ga.random]
lr = 1e-2
"""


def test_a_scale_is_merged_over_the_recipe_table_by_table():
    paper, small = parse_experiment(RECIPE, "r"), parse_experiment(RECIPE, "r", "cpu")
    assert (paper.title, small.title) == ("Large", "Small")
    assert (paper.seeds, small.seeds) == ((0, 1, 2, 3), (0,))
    assert (paper.training.milestones, small.training.milestones) == ((91, 136), (1,))
    assert (paper.training.flip, small.training.flip) == (True, False)
    # `false` takes out a table; of a setting it is the value.
    rewinds = [each.pruner_configs("omp")[0].rewind for each in (paper, small)]
    assert rewinds == [True, False]
    assert small.data.validation_fraction == 0.1
    assert small.scenarios == paper.scenarios
    assert (list(paper.methods), list(small.methods)) == (
        ["retrain", "ga", "ff"],
        ["retrain", "ga"],
    )
    for experiment, rate in ((paper, 1e-3), (small, 1e-2)):
        assert experiment.method_config("ga", "random:0.1").lr == rate
        assert experiment.method_config("ga", "class:seed").lr == 1e-4


def test_the_papers_scale_is_the_recipe_without_its_scales():
    bare = RECIPE.partition("[scales.cpu]")[0].replace('makes = "Table 1"', "")
    assert parse_experiment(bare, "r") == parse_experiment(RECIPE, "r")
    assert plain(parse_experiment(RECIPE, "r"))["seeds"] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("old", "new", "scale", "message"),
    [
        ("", "", "cpus", "r: unknown scale 'cpus': expected one of paper, cpu .*mean 'cpu'"),
        ("[scales.cpu]", "[scales.paper]", "paper", "own tables are its scale 'paper'"),
        ("[scales.cpu]\ntitle", "[scales.cpu]\ntitel", "cpu", "scale cpu: unknown setting 'titel'"),
        ("seeds = [0]", "seeds = 0", "cpu", "r: at scale cpu: seeds must be a list, got 0"),
        ("epochs = 2", "epoch = 2", "cpu", "cpu: training: unknown setting 'epoch'.*'epochs'"),
        ("ff = false", "fff = false", "cpu", "scale cpu: methods must be tables"),
        ("cpu.methods.ga.random]", "cpu.methods.gaa]", "cpu", "unknown method 'gaa': .*mean 'ga'"),
        ("[scales.cpu.training]", "[scales.cpu.scales]", "cpu", "scales.cpu: a scale has no scale"),
        ('makes = "Table 1"', "makes = 1", "cpu", "makes must be a text such as 'Table 1', got 1"),
        ('makes = "Table 1"', 'recipe = "x"', "paper", "r: unknown setting 'recipe'"),
        ('makes = "Table 1"', 'make = "x"', "paper", "unknown setting 'make': .*mean 'makes'"),
    ],
)
def test_what_is_wrong_in_a_scale_is_one_line(old, new, scale, message):
    assert old in RECIPE
    with pytest.raises(ConfigError, match=message) as caught:
        parse_experiment(RECIPE.replace(old, new, 1), "r", scale)
    assert len(str(caught.value).splitlines()) == 1


def test_scales_are_tables():
    with pytest.raises(ConfigError, match=r"r: scales must be tables such as \[scales.cpu\]"):
        at_scale({"scales": ["cpu"]}, "paper", "r")


def test_an_experiment_knows_which_recipe_and_scale_it_is_of(tmp_path):
    path = tmp_path / "table.toml"
    path.write_text(RECIPE)
    found = read_experiment(path, scale="cpu")
    assert (found.recipe.name, found.recipe.scale, found.recipe.only) == ("table", "cpu", None)
    assert parse_experiment(RECIPE, "r").recipe is None
    # Where a recipe stands is not among its settings: folders of before it was known stay valid.
    assert plain(found) == plain(parse_experiment(RECIPE, "r", "cpu"))


def test_words_are_not_part_of_the_digest_of_settings_and_numbers_are():
    def of(text):
        return settings_digest(plain(parse_experiment(text, "r")))

    assert of(RECIPE) == of(RECIPE.replace('"Large"', '"Larger"'))
    assert len({of(RECIPE), of(RECIPE.replace("182", "181")), of(RECIPE.replace(", 3]", "]"))}) == 3


ATTRIBUTION = """
[attribution]
subsets = 40
[attribution.attributors.gradient_similarity]
[scales.cpu.attribution]
subsets = 4
"""


def test_attribution_has_scales():
    for scale, subsets in (("paper", 40), ("cpu", 4)):
        experiment, settings = parse_attribution(RECIPE + ATTRIBUTION, "r", scale)
        assert settings.subsets == subsets
        assert experiment == parse_experiment(RECIPE, "r", scale)
    wrong = ATTRIBUTION.replace("subsets = 4\n", "subset = 4\n")
    with pytest.raises(ConfigError, match="at scale cpu: attribution: unknown setting 'subset'"):
        parse_attribution(RECIPE + wrong, "r", "cpu")


TRANSFER = """
title = "T"
numbers = [2]
[data]
source = "digits"
[network]
name = "resnet8"
[target]
source = "digits"
[methods.ft]
[scales.cpu]
numbers = [1]
[scales.cpu.influence]
subsets = 10
"""


def test_transfer_has_scales_and_no_subsets():
    study = parse_transfer(TRANSFER, "r", "cpu")
    assert (study.numbers, study.influence.subsets) == ((1,), 10)
    assert parse_transfer(TRANSFER, "r").numbers == (2,)
    with pytest.raises(ConfigError, match="r: subsets is not for a transfer study"):
        parse_transfer(f"{TRANSFER}[subsets.a]\nseeds = [0]", "r")
