import pytest

from expunge.models.networks import ADAPTERS, MODELS
from expunge.models.trainings import TRAININGS, training_for
from expunge.settings import Training


def test_networks_of_convolutions_have_the_papers_recipe():
    for name in ("resnet18", "vgg16_bn", "package.module:callable"):
        assert training_for(name) == Training()
        assert training_for(name).optimizer == "sgd"


@pytest.mark.parametrize("name", ["swin_t", "hf:folder", "timm:vit_tiny_patch16_224"])
def test_transformers_have_adamw_warm_up_and_cosine(name):
    recipe = training_for(name)
    assert (recipe.optimizer, recipe.schedule) == ("adamw", "cosine")
    assert 0 < recipe.warmup_epochs < recipe.epochs
    assert recipe.lr / recipe.batch_size == pytest.approx(1e-3 / 1024)


def test_every_recipe_is_of_a_network():
    assert set(TRAININGS) <= set(MODELS) | set(ADAPTERS)
