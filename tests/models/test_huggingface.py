import dataclasses
import sys

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from transformers import (
    AutoModelForImageClassification,
    BertConfig,
    ConvNextConfig,
    ResNetConfig,
    SwinConfig,
    ViTConfig,
)

from expunge.curvature.head import head_parameters
from expunge.errors import MaskError, ModelError
from expunge.models.build import build
from expunge.models.check import check_outputs
from expunge.models.huggingface import Logits, configuration_digest
from expunge.models.spec import ModelSpec
from expunge.models.weights import load_weights, save_weights
from expunge.sparsity.mask import prunable

VIT = ViTConfig(
    image_size=24,
    patch_size=4,
    hidden_size=8,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=16,
)
CONFIGS = {
    "vit": VIT,
    "swin": SwinConfig(
        image_size=32, patch_size=2, window_size=2, embed_dim=4, depths=[1, 1], num_heads=[1, 2]
    ),
    "resnet": ResNetConfig(
        embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic"
    ),
    "convnext": ConvNextConfig(hidden_sizes=[4, 8], depths=[1, 1], num_stages=2),
}
SHAPE = (1, 16, 16)


def spec_of(folder, **changes):
    sizes = {"num_classes": 5, "in_channels": 1, "image_size": (16, 16)}
    return ModelSpec(**{"name": f"hf:{folder}", **sizes, **changes})


@pytest.fixture(params=sorted(CONFIGS))
def spec(request, config_folder):
    return spec_of(config_folder(CONFIGS[request.param]))


def test_classes_channels_and_image_size_are_the_datas(spec):
    model = build(spec)
    check_outputs(model, SHAPE, 5)
    found = head_parameters(model.eval(), torch.zeros((1, *SHAPE)))
    assert all(name.startswith("network.classifier") for name in found)
    assert {model.get_parameter(name).shape[0] for name in found} == {5}


def test_images_need_not_be_square(config_folder):
    model = build(spec_of(config_folder(VIT), image_size=(16, 8)))
    check_outputs(model, (1, 16, 8), 5)


def test_without_an_image_size_the_configurations_own(config_folder):
    model = build(spec_of(config_folder(VIT), image_size=None))
    check_outputs(model, (1, 24, 24), 5)


def test_the_seed_decides_the_weights_and_the_global_state_does_not(spec):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = build(spec, seed=1).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(6)
    again, other = build(spec, seed=1).state_dict(), build(spec, seed=2).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    drawn = [name for name in first if first[name].ndim > 1 and first[name].std() > 0]
    assert drawn
    assert not any(torch.equal(first[name], other[name]) for name in drawn)


def test_weights_beside_the_configuration_are_never_taken(tmp_path):
    config = ViTConfig(**{**VIT.to_dict(), "image_size": 16, "num_channels": 1, "num_labels": 5})
    trained = AutoModelForImageClassification.from_config(config)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.fill_(7.0)
    trained.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").exists()
    fresh = build(spec_of(tmp_path))
    assert {f"network.{name}" for name in trained.state_dict()} < set(fresh.state_dict())
    assert not any(bool((parameter == 7.0).any()) for parameter in fresh.parameters())


def test_logits_are_the_librarys_for_normalised_images(spec):
    model = build(dataclasses.replace(spec, mean=(0.3,), std=(0.2,))).eval()
    images = torch.rand(3, *SHAPE)
    with torch.no_grad():
        assert_close(model(images), model.network(pixel_values=(images - 0.3) / 0.2).logits)


def test_weights_are_float32_whatever_the_configuration_says(config_folder):
    config = ViTConfig(**{**VIT.to_dict(), "dtype": "bfloat16"})
    assert {p.dtype for p in build(spec_of(config_folder(config))).parameters()} == {torch.float32}


def test_configurations_that_return_tuples(config_folder):
    config = ViTConfig(**{**VIT.to_dict(), "return_dict": False})
    check_outputs(build(spec_of(config_folder(config))), SHAPE, 5)


def test_gradients_sample_by_sample(config_folder):
    """Attention is one that `torch.func.vmap` knows; a fallback would be a warning."""
    model = build(spec_of(config_folder(VIT))).eval()
    weights = {name: p.detach() for name, p in model.named_parameters()}

    def loss(weights, image):
        return torch.func.functional_call(model, weights, (image[None],)).logsumexp(1).sum()

    images = torch.rand(3, *SHAPE)
    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights, images)
    alone = torch.func.grad(loss)(weights, images[1])
    assert_close({k: v[1] for k, v in each.items()}, alone)


def test_weights_are_saved_and_loaded(spec, tmp_path):
    saved, loaded = build(spec, seed=1).eval(), build(spec, seed=2).eval()
    save_weights(saved, tmp_path / "weights.safetensors")
    load_weights(loaded, tmp_path / "weights.safetensors")
    images = torch.rand(2, *SHAPE)
    with torch.no_grad():
        assert torch.equal(saved(images), loaded(images))


def test_tied_weights_are_saved_and_loaded(tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(3, 3)
            self.two = nn.Linear(3, 3)
            self.two.weight = self.one.weight

    saved, loaded = Tied(), Tied()
    save_weights(saved, tmp_path / "weights.safetensors")
    load_weights(loaded, tmp_path / "weights.safetensors")
    assert torch.equal(saved.one.weight, loaded.two.weight)
    assert loaded.one.weight is loaded.two.weight


def test_linear_layers_are_prunable_and_convolutions_are_not_assumed(config_folder):
    model = build(spec_of(config_folder(VIT)))
    weights = prunable(model, ("linear",))
    assert "network.classifier.weight" in weights
    assert all(weight.ndim == 2 for weight in weights.values())
    assert list(prunable(model)) == ["network.vit.embeddings.patch_embeddings.projection.weight"]
    encoder = model.network.vit.layers
    with pytest.raises(MaskError, match="no weights in layers of kind conv: choose layers from"):
        prunable(encoder, ("conv",))


def test_a_changed_configuration_is_another_network(config_folder):
    folder = config_folder(VIT)
    first = configuration_digest(f"hf:{folder}")
    assert first == configuration_digest(f"hf:{folder}")
    config_folder(ViTConfig(**{**VIT.to_dict(), "hidden_size": 12}))
    assert configuration_digest(f"hf:{folder}") != first
    assert configuration_digest("resnet18") is None
    assert configuration_digest("mine:network") is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (BertConfig(), "describes no image classifier for 5 classes.*'bert'"),
        ({"model_type": "zzz"}, "cannot read 'hf:.*zzz"),
        ({}, r"cannot read 'hf:.*expected a folder with a config\.json"),
        ({"model_type": "zzz", "auto_map": {"AutoConfig": "evil.Config"}}, "custom code"),
        ({"model_type": "vit", "patch_size": 0}, "no image classifier .*ZeroDivisionError"),
        ({"model_type": "vit", "hidden_size": "wide"}, "cannot read 'hf:"),
    ],
)
def test_configurations_that_do_not_fit(config_folder, config, message):
    with pytest.raises(ModelError, match=message) as caught:
        build(spec_of(config_folder(config)))
    assert "\n" not in str(caught.value)


def test_code_that_comes_with_a_configuration_is_not_run(config_folder, tmp_path):
    folder = config_folder({"model_type": "zzz", "auto_map": {"AutoConfig": "evil.Config"}})
    (folder / "evil.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\n", encoding="utf-8"
    )
    with pytest.raises(ModelError):
        build(spec_of(folder))
    assert not (tmp_path / "ran").exists()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match=r"cannot read 'hf:.*nowhere': expected a folder"):
        build(spec_of(tmp_path / "nowhere"))


def test_a_hub_that_does_not_answer_is_asked_once(monkeypatch):
    from huggingface_hub import HfApi

    asked = []

    def no_answer(self, name, **_):
        asked.append(name)
        raise ConnectionError("no route")

    monkeypatch.setattr(HfApi, "model_info", no_answer)
    with pytest.raises(ModelError, match=r"cannot read 'hf:someone/something'.*no route"):
        build(spec_of("someone/something"))
    assert asked == ["someone/something"]


def test_a_name_without_a_source(tmp_path):
    with pytest.raises(ModelError, match="'hf:' names no network: expected hf:NAME"):
        build(spec_of(""))


def test_sizes_that_it_would_not_get(config_folder):
    with pytest.raises(ModelError, match=r"leave stem and width.*width 0\.5"):
        build(spec_of(config_folder(VIT), width=0.5))


@pytest.mark.parametrize("name", ["swin_t", "hf:folder"])
def test_a_missing_library_names_the_extra(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModelError, match=r"pip install 'expunge\[transformers\]'"):
        build(ModelSpec(name=name, num_classes=4))


def test_logits_has_no_weights():
    assert not list(Logits().parameters())
