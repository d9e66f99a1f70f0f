"""Every method and every pruner on every kind of inputs; what cannot work says so in one line."""

import copy
from dataclasses import replace

import pytest
import torch
from tests.kinds import clouds, save_bert, sentences, stripes
from torch import nn

from expunge.data.inputs.placement import place
from expunge.data.splits import subset
from expunge.data.statistics import input_statistics
from expunge.errors import ConfigError, ModelError
from expunge.methods import METHODS
from expunge.methods.run import run_method
from expunge.models.build import build
from expunge.models.check import check_outputs
from expunge.models.spec import spec_for
from expunge.scenarios import at_random, by_class, make_split
from expunge.settings import Augmentation, Training
from expunge.sparsity import PRUNERS, get_pruner
from expunge.sparsity.mask import apply_mask, check_mask, mask_sparsity
from expunge.training.fit import fit
from expunge.training.predict import predict
from expunge.training.sparsify import sparsify
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context

RECIPE = Training(epochs=30, batch_size=8, lr=0.05, schedule="constant", rewind_epoch=1)
SAMPLES = {
    "images": lambda: stripes(24, (1, 8, 8)),
    "vectors": clouds,
    "tokens": sentences,
}
CANNOT = {("synflow", "tokens"): "synflow sends ones through the network"}


@pytest.fixture(scope="module", params=sorted(SAMPLES))
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def samples(kind):
    return SAMPLES[kind]()


@pytest.fixture(scope="module")
def spec(kind, samples, tmp_path_factory):
    name = {"images": "resnet8", "vectors": "mlp"}.get(kind)
    return spec_for(
        name or save_bert(tmp_path_factory.mktemp("bert")),
        samples.inputs,
        samples.num_classes,
        width=1.0 if kind == "tokens" else 1 / 4,
        statistics=input_statistics(samples),
    )


@pytest.fixture(scope="module")
def context(spec, fabric):
    return Context(fabric=fabric, training=RECIPE, rebuild=lambda seed: build(spec, seed))


@pytest.fixture(scope="module")
def model(context, samples):
    model = context.fresh_model()
    fit(model, Stream(samples, torch.arange(len(samples))), task_loss, RECIPE, context)
    return model.eval()


def test_a_network_learns_it(model, samples, fabric):
    logits = predict(model, samples, fabric, batch_size=7)
    assert logits.shape == (len(samples), 3)
    assert (logits.argmax(1) == samples.labels).double().mean() > 0.9


def test_logits_do_not_depend_on_how_samples_are_placed_and_batched(model, samples, fabric):
    expected = predict(model, samples, fabric)
    index = torch.tensor([5, 0, 5, 11])
    view = subset(samples, index)
    assert view.inputs.kind == samples.inputs.kind
    assert view.inputs.shape == samples.inputs.shape
    assert view.inputs.dtype == samples.inputs.dtype
    placed = replace(view, inputs=place(view.inputs, torch.device("cpu")))
    for part in (view, placed):
        found = predict(model, part, fabric, batch_size=3)
        torch.testing.assert_close(found, expected[index])


@pytest.mark.parametrize("scenario", [by_class(1), at_random(0.2, seed=1)], ids=["class", "random"])
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_unlearns(method, scenario, model, samples, context):
    split = make_split(samples, scenario)
    result, _ = run_method(method, model, split, method.config(), context)
    assert any(
        not torch.equal(a, b) for a, b in zip(model.parameters(), result.parameters(), strict=True)
    )
    check_outputs(result, samples.inputs.shape, samples.num_classes, samples.inputs.kind)


@pytest.mark.parametrize("pruner", PRUNERS, ids=lambda pruner: pruner.name)
def test_every_pruner_prunes_or_says_why_not(pruner, kind, model, samples, context):
    config = pruner.config(sparsity=0.2)  # in so small a network more empties a layer
    recipe = replace(RECIPE, epochs=1)
    context = replace(context, training=recipe)
    start = context.rebuild(3).state_dict() if pruner.when == "trained" else None
    if message := CANNOT.get((pruner.name, kind)):
        with pytest.raises(ModelError, match=message):
            sparsify(model, samples, pruner, config, context, start)
        return
    sparse, mask = sparsify(model, samples, pruner, config, context, start)
    check_mask(model, mask)
    assert mask_sparsity(mask) == pytest.approx(0.2, abs=0.01)
    for name, kept in mask.items():
        assert not sparse.get_parameter(name)[~kept].any()
        assert sparse.get_parameter(name)[kept].all()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_mask_of_the_usual_layers_is_kept(method, model, samples, context):
    """Of what pruners choose from unless told otherwise: not the head, where all is linear."""
    pruner = get_pruner("random")
    mask = pruner.run(model, samples, pruner.config(sparsity=0.3), context)
    split = make_split(samples, at_random(0.2, seed=1))
    sparse = copy.deepcopy(model)
    apply_mask(sparse, mask)
    result, _ = run_method(method, sparse, split, method.config(), replace(context, mask=mask))
    assert all(not result.get_parameter(name)[~kept].any() for name, kept in mask.items())


@pytest.mark.parametrize("augmentation", [Augmentation(flip=True), Augmentation(crop_padding=1)])
def test_only_images_are_augmented(augmentation, kind, model, samples, context):
    context = replace(context, augmentation=augmentation)
    stream, recipe = Stream(samples, torch.arange(8)), replace(RECIPE, epochs=1)
    if kind == "images":
        fit(context.fresh_model(), stream, task_loss, recipe, context)
        return
    with pytest.raises(ConfigError, match=f"change images, and the data are {kind}"):
        fit(context.fresh_model(), stream, task_loss, recipe, context)


def test_synflow_sends_ones_whatever_the_features_are_like(fabric):
    """Means far above and below 1 do not reach it: masks are those of a network without them."""
    pruner, samples = get_pruner("synflow"), clouds()
    mean, std = input_statistics(samples)
    masks = []
    for statistics in (None, (mean, std), (tuple(-m for m in mean), std)):
        spec = spec_for("mlp", samples.inputs, 3, width=0.25, statistics=statistics)
        model = build(spec, 0)
        config = pruner.config(sparsity=0.6)
        masks.append(pruner.run(model, samples, config, Context(fabric=fabric)))
        for name, mask in masks[0].items():
            assert torch.equal(mask, masks[-1][name])


WRONG = {
    "resnet8": {"vectors", "tokens"},
    "mlp": {"images", "tokens"},
    "timm:any": {"vectors", "tokens"},
    "hf:any": {"vectors"},
}


@pytest.mark.parametrize("name", WRONG)
def test_a_network_for_other_inputs_is_refused(name, kind, samples):
    if kind not in WRONG[name]:
        pytest.skip("it takes them")
    message = f"'{name}' takes .*, and the data are {kind}: use"
    with pytest.raises(ModelError, match=message) as caught:
        build(spec_for(name, samples.inputs, 3))
    assert "\n" not in str(caught.value)


def test_a_configuration_of_another_kind_is_refused(tmp_path):
    from transformers import ViTConfig

    ViTConfig(hidden_size=8, num_attention_heads=2).save_pretrained(tmp_path / "vit")
    with pytest.raises(
        ModelError, match=r"describes no classifier of tokens for 3 classes .*'vit'"
    ):
        build(spec_for(f"hf:{tmp_path / 'vit'}", sentences().inputs, 3))
    name = save_bert(tmp_path / "bert")
    with pytest.raises(ModelError, match=r"describes no image classifier for 3 classes .*'bert'"):
        build(spec_for(name, stripes().inputs, 3))


def test_tokens_must_be_of_the_networks_vocabulary_and_not_too_long(tmp_path):
    name = save_bert(tmp_path / "small", vocab_size=12)
    with pytest.raises(ModelError, match="knows token ids 0 to 11, and the data go up to 19"):
        build(spec_for(name, sentences().inputs, 3))
    name = save_bert(tmp_path / "short", max_position_embeddings=4)
    with pytest.raises(ModelError, match=r"does not take tokens of shape \(6,\) \(length\)"):
        check_outputs(build(spec_for(name, sentences().inputs, 3)), (6,), 3, "tokens")


def test_padding_does_not_matter(tmp_path, fabric):
    """Neither to a network that reads from both sides nor to one that reads the last token."""
    from transformers import GPT2Config

    samples = sentences()
    GPT2Config(
        vocab_size=20,
        n_embd=8,
        n_layer=1,
        n_head=2,
        n_positions=16,
        pad_token_id=3,
        bos_token_id=1,
        eos_token_id=1,
    ).save_pretrained(tmp_path / "gpt")
    longer = replace(samples, inputs=samples.inputs.padded(9))
    for name in (save_bert(tmp_path / "bert"), f"hf:{tmp_path / 'gpt'}"):
        model = build(spec_for(name, samples.inputs, 3)).eval()
        one, other = (predict(model, each, fabric) for each in (samples, longer))
        torch.testing.assert_close(one, other)


def test_a_network_of_ones_own_is_given_the_batch(fabric):
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.EmbeddingBag(20, 3)

        def forward(self, batch):
            assert set(batch) == {"input_ids", "attention_mask"}
            return self.embedding(batch["input_ids"])

    check_outputs(Bag(), (6,), 3, "tokens")
    assert predict(Bag(), sentences(), fabric).shape == (24, 3)
    with pytest.raises(ModelError, match=r"does not take tokens .* given as a dict of input_ids"):
        check_outputs(nn.Embedding(20, 3), (6,), 3, "tokens")
