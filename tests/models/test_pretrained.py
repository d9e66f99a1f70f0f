"""Folders of the library `transformers`, in and out."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    BertConfig,
    ViTConfig,
)

from expunge.errors import CheckpointError
from expunge.models.build import build
from expunge.models.pretrained import load_pretrained, normalisation_in, save_pretrained
from expunge.models.spec import ModelSpec
from expunge.models.weights import load_weights

CLASSES = ("ash", "birch", "cedar")
VIT = ViTConfig(
    image_size=8,
    patch_size=4,
    num_channels=3,
    hidden_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=8,
    id2label=dict(enumerate(CLASSES)),
)
BERT = BertConfig(
    vocab_size=20,
    hidden_size=8,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=8,
    max_position_embeddings=16,
    num_labels=3,
)
PROCESSOR = {"do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}


@pytest.fixture
def vit(tmp_path):
    """A folder with a vision transformer and its image processor, and the network."""
    network = AutoModelForImageClassification.from_config(VIT)
    network.save_pretrained(tmp_path / "vit")
    (tmp_path / "vit" / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    return tmp_path / "vit", network.eval()


@pytest.fixture
def bert(tmp_path):
    """The same for text, in several files."""
    network = AutoModelForSequenceClassification.from_config(BERT)
    network.save_pretrained(tmp_path / "bert", max_shard_size="2KB")
    (tmp_path / "bert" / "tokenizer.json").write_text("{}")
    return tmp_path / "bert", network.eval()


def image_spec(folder, **changes):
    sizes = {"num_classes": 3, "image_size": (8, 8), "mean": (0.5,) * 3, "std": (0.25,) * 3}
    return ModelSpec(**{"name": f"hf:{folder}", **sizes, **changes})


def text_spec(folder):
    return ModelSpec(name=f"hf:{folder}", num_classes=3, input_kind="tokens", vocabulary=20)


def loads(kind, folder):
    """What the library loads from a folder; it must miss nothing and have nothing left."""
    network, found = kind.from_pretrained(folder, output_loading_info=True)
    assert not any(found.values()), found
    return network.eval()


def test_images_in_and_out(vit, tmp_path):
    folder, network = vit
    spec = image_spec(folder)
    model = build(spec).eval()
    loaded = load_pretrained(model, folder, CLASSES)
    assert (loaded.notes, loaded.inner) == ((), True)
    images = torch.rand(2, 3, 8, 8)
    expected = network((images - 0.5) / 0.25).logits
    assert torch.allclose(model(images), expected, atol=1e-5)
    notes = save_pretrained(model, spec, tmp_path / "out")
    assert notes == (f"copied from {folder}: preprocessor_config.json",)
    again = loads(AutoModelForImageClassification, tmp_path / "out")
    assert torch.allclose(again((images - 0.5) / 0.25).logits, expected, atol=1e-5)
    assert again.config.id2label == dict(enumerate(CLASSES))
    assert normalisation_in(tmp_path / "out") == {"mean": [0.5] * 3, "std": [0.25] * 3}


def test_text_in_several_files_in_and_out(bert, tmp_path):
    folder, network = bert
    model = build(text_spec(folder)).eval()
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    load_pretrained(model, folder, CLASSES)
    tokens = {"input_ids": torch.arange(1, 7)[None], "attention_mask": torch.ones(1, 6).long()}
    expected = network(**tokens).logits
    assert torch.allclose(model(tokens), expected, atol=1e-5)
    (note,) = save_pretrained(model, text_spec(folder), tmp_path / "out")
    assert note == f"copied from {folder}: tokenizer.json"
    again = loads(AutoModelForSequenceClassification, tmp_path / "out")
    assert torch.allclose(again(**tokens).logits, expected, atol=1e-5)


@pytest.mark.parametrize("as_file", [False, True])
def test_old_names_of_layer_normalisation(bert, tmp_path, as_file):
    folder, network = bert
    old = {
        name.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): tensor
        for name, tensor in network.state_dict().items()
    }
    for path in folder.glob("model*"):
        path.unlink()
    torch.save(old, folder / "pytorch_model.bin")
    model = build(text_spec(folder))
    if as_file:
        assert load_weights(model, folder / "pytorch_model.bin").inner
    else:
        load_pretrained(model, folder, CLASSES)
    for name, tensor in network.state_dict().items():
        assert torch.equal(model.state_dict()[f"network.{name}"], tensor), name


def test_weights_of_another_network_are_refused_by_name(vit):
    folder, _ = vit
    state = load_file(folder / "model.safetensors")
    before = {name: tensor.clone() for name, tensor in state.items()}
    model = build(image_spec(folder))
    own = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state["classifier.weight"] = torch.ones(4, 8)
    del state["classifier.bias"]
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError) as caught:
        load_pretrained(model, folder, CLASSES)
    assert str(caught.value) == (
        f"{folder} holds the weights of another network: missing classifier.bias; "
        "not fitting classifier.weight (expected (3, 8), got (4, 8))"
    )
    assert all(torch.equal(own[name], tensor) for name, tensor in model.state_dict().items())
    save_file({**before, "pooler.x": torch.ones(1)}, folder / "model.safetensors", {"format": "pt"})
    assert load_pretrained(model, folder, CLASSES).notes == (f"not used from {folder}: pooler.x",)
    (folder / "model.safetensors").write_bytes(b"{}")
    with pytest.raises(CheckpointError, match="cannot read the weights in"):
        load_pretrained(model, folder, CLASSES)
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"holds no weights: expected model\.safetensors"):
        load_pretrained(model, folder, CLASSES)


def test_classes_in_another_order_are_refused_by_their_names(vit):
    folder, _ = vit
    model = build(image_spec(folder))
    with pytest.raises(CheckpointError, match="are ash, birch, cedar, those of the data in anoth"):
        load_pretrained(model, folder, ("birch", "ash", "cedar"))
    load_pretrained(model, folder, ("0", "1", "2"))


@pytest.mark.parametrize(
    ("processor", "expected"),
    [
        (PROCESSOR, {"mean": [0.5] * 3, "std": [0.25] * 3}),
        ({**PROCESSOR, "do_normalize": False}, "off"),
        ({**PROCESSOR, "rescale_factor": 1 / 127.5}, None),
        ({**PROCESSOR, "do_rescale": False}, None),
        ({**PROCESSOR, "rescale_factor": 0.00392157}, {"mean": [0.5] * 3, "std": [0.25] * 3}),
        ({**PROCESSOR, "do_normalize": None}, {"mean": [0.5] * 3, "std": [0.25] * 3}),
        ({**PROCESSOR, "do_rescale": None, "rescale_factor": None},
         {"mean": [0.5] * 3, "std": [0.25] * 3}),
        ({"do_normalize": False, "do_rescale": False}, None),
        ({**PROCESSOR, "image_mean": 0.5}, None),
    ],
)  # fmt: skip
def test_the_normalisation_of_an_image_processor(tmp_path, processor, expected):
    assert normalisation_in(tmp_path) is None
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    assert normalisation_in(tmp_path) == expected
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(CheckpointError, match="cannot read"):
        normalisation_in(tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"rescale_factor": "x"}, {"image_std": ["a"]}, {"image_mean": [{}]}]
)
def test_an_image_processor_without_numbers_is_refused(tmp_path, wrong):
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**PROCESSOR, **wrong}))
    with pytest.raises(CheckpointError, match=r"cannot read .*: expected numbers: "):
        normalisation_in(tmp_path)


def test_another_normalisation_is_written_or_said(vit, tmp_path):
    folder, _ = vit
    spec = image_spec(folder, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))
    notes = save_pretrained(build(spec), spec, tmp_path / "one")
    assert "preprocessor_config.json was changed to what the network expects" in notes[1]
    found = normalisation_in(tmp_path / "one")
    assert found == {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    (folder / "preprocessor_config.json").unlink()
    (note,) = save_pretrained(build(spec), spec, tmp_path / "two")
    assert note.startswith("there is no image processor: the network expects images normalised by")


def test_only_networks_of_the_library_have_folders(vit, tmp_path):
    spec = ModelSpec(name="resnet8", num_classes=3)
    with pytest.raises(CheckpointError, match="is for networks of the library transformers"):
        load_pretrained(build(spec), vit[0], CLASSES)
