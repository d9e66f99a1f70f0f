"""The recipes of the paper's tables and figures, as they are shipped."""

from pathlib import Path

import pytest

from expunge.studies.recipe import parse_tables, read_experiment

RECIPES = Path(__file__).parent.parent.parent / "recipes"


def experiment(name, scale="paper", only=None):
    return read_experiment(RECIPES / f"{name}.toml", scale, only)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_scale_and_every_subset_of_a_recipe_is_an_experiment(path):
    tables = parse_tables(path.read_text(encoding="utf-8"), path.name)
    if "target" in tables:
        pytest.skip("a study of its own")
    for scale in ("paper", *tables.get("scales", {})):
        for only in (None, *tables.get("subsets", {})):
            assert read_experiment(path, scale, only).cell_count


@pytest.mark.parametrize("name", ["sparsity", "l1-gamma", "omp-accuracy"])
def test_figures_at_cpu_scale_share_their_models(name):
    """And they share those of the main table."""
    main, figure = experiment("cifar10", "cpu"), experiment(name, "cpu")
    for part in ("data", "network", "training", "precision"):
        assert getattr(figure, part) == getattr(main, part)
    for label in figure.methods.keys() & {"retrain", "ft"}:
        for scenario in figure.scenarios:
            there = main.method_config(label, scenario)
            assert figure.method_config(label, scenario) == there


def test_the_main_table_is_the_published_one():
    main = experiment("cifar10")
    assert (main.network.name, main.training.epochs, len(main.seeds)) == ("resnet18", 182, 10)
    assert main.scenarios == ("class:seed", "random:0.1")
    assert main.sparsities == (0.0, 0.95)
    assert list(main.methods) == ["retrain", "ft", "ga", "ff", "iu", "l1_sparse"]
    assert main.retrain_again
    assert main.method_config("retrain", "class:seed").epochs == 160
    assert (main.method_config("ft", "class:seed").epochs, main.data.validation_fraction) == (
        10,
        0.1,
    )
    svhn = experiment("svhn")
    assert (svhn.training.epochs, svhn.training.flip, svhn.training.crop_padding) == (160, False, 0)
    training = experiment("imagenet").training
    assert (training.epochs, training.batch_size, training.warmup_epochs) == (90, 1024, 8)
    assert (training.momentum, training.weight_decay) == (0.875, 3.05e-5)
