import pytest
import torch
from torch.testing import assert_close
from transformers import SwinConfig, SwinForImageClassification

from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.models.swin import swin_t


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_published_network_at_224_pixels_is_the_librarys():
    ours = swin_t(7, stem="imagenet", width=1 / 16).eval()
    config = SwinConfig(embed_dim=6, drop_path_rate=0.0, num_labels=7)
    theirs = SwinForImageClassification(config).eval()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    images = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        assert_close(ours(images), theirs(images).logits)


def test_its_size_is_the_published_one():
    """28.29 million for 1000 classes, of which the head has 769,000 (Liu et al. 2021, table 1)."""
    with torch.device("meta"):
        assert parameters(swin_t(1000, stem="imagenet")) == 28_288_354


def test_windows_for_small_images_are_no_larger_than_the_maps():
    network = swin_t(4, width=1 / 32)
    windows = [stage.blocks[0].window_size for stage in network.swin.encoder.layers]
    shifts = [stage.blocks[1].shift_size for stage in network.swin.encoder.layers]
    tables = [
        stage.blocks[0].attention.relative_position_bias.relative_position_bias_table.shape[0]
        for stage in network.swin.encoder.layers
    ]
    assert windows == [4, 4, 4, 2]
    assert shifts == [2, 2, 2, 1]
    assert tables == [49, 49, 49, 9]


@pytest.mark.parametrize("size", [(25, 25), (28, 28), (32, 32), (32, 48)])
def test_images_of_about_32_pixels(size):
    model = build(ModelSpec(name="swin_t", num_classes=4, in_channels=1, width=1 / 32)).eval()
    assert model(torch.rand(2, 1, *size)).shape == (2, 4)


def test_every_pixel_matters_and_every_weight_is_used():
    model = build(ModelSpec(name="swin_t", num_classes=4, width=1 / 32)).eval()
    images = torch.rand(2, 3, 32, 32, requires_grad=True)
    model(images).square().sum().backward()
    assert bool((images.grad != 0).all())
    unused = [name for name, p in model.named_parameters() if p.grad is None]
    assert not unused


def test_gradients_sample_by_sample():
    """Its layers are ones that `torch.func.vmap` knows; a fallback would be a warning."""
    model = build(ModelSpec(name="swin_t", num_classes=4, width=1 / 32)).eval()
    weights = {name: p.detach() for name, p in model.named_parameters()}

    def loss(weights, image):
        return torch.func.functional_call(model, weights, (image[None],)).logsumexp(1).sum()

    images = torch.rand(3, 3, 32, 32)
    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights, images)
    alone = torch.func.grad(loss)(weights, images[1])
    assert_close({name: found[1] for name, found in each.items()}, alone)


def test_it_draws_nothing_while_it_trains():
    model = build(ModelSpec(name="swin_t", num_classes=4, width=1 / 32)).train()
    before = torch.get_rng_state()
    model(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(torch.get_rng_state(), before)
