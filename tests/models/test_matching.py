"""Names in files from elsewhere, matched to those of a network."""

import pytest
import torch
from tests.networks_of_different_build import BUILDS
from torch import nn
from torch.nn.utils import parametrizations, prune

from expunge.errors import CheckpointError
from expunge.models.build import build
from expunge.models.matching import matched
from expunge.models.spec import ModelSpec
from expunge.models.weights import load_state, load_weights, save_inner_weights


def make(name, seed=0):
    (found,) = [each for each in BUILDS if each.name == name]
    return found.build(seed)


def same(model, state):
    own = model.state_dict()
    return own.keys() == state.keys() and all(torch.equal(own[name], state[name]) for name in own)


def loaded(model, state):
    """Load a state through matching; what was noted."""
    found = matched(state, model)
    load_state(model, found.state, "the file")
    return found


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "model._orig_mod.", "net."])
def test_a_common_beginning_is_removed_and_said(prefix):
    state = make("batch_norm", 1).state_dict()
    model = make("batch_norm")
    found = loaded(model, {prefix + name: tensor for name, tensor in state.items()})
    assert same(model, state)
    assert found.notes == (f"{prefix!r}, with which the names in the file begin, was removed",)


def test_what_stands_beside_the_network_is_named():
    state = make("batch_norm", 1).state_dict()
    given = {f"backbone.{name}": tensor for name, tensor in state.items()}
    given |= {"criterion.weight": torch.ones(3), "accuracy.total": torch.ones(1)}
    model = make("batch_norm")
    found = loaded(model, given)
    assert same(model, state)
    assert found.notes[1] == (
        "not used, because the network has no such names: criterion.weight, accuracy.total"
    )


def test_another_network_is_refused_after_the_beginning_is_removed():
    state = make("batch_norm", 1).state_dict()
    given = {f"model.{name}": tensor for name, tensor in state.items() if name != "0.weight"}
    given["model.extra"] = torch.ones(1)
    with pytest.raises(CheckpointError, match=r"missing 0\.weight; unexpected extra$"):
        loaded(make("batch_norm"), given)
    with pytest.raises(CheckpointError, match="expected 10 tensors, got 1"):
        loaded(make("batch_norm"), {"x": torch.ones(1)})


def test_two_networks_in_one_file_are_asked_about():
    state = make("batch_norm").state_dict()
    given = {f"{part}.{name}": t for part in ("student", "teacher") for name, t in state.items()}
    with pytest.raises(CheckpointError, match="under student, teacher: choose one with --weights-"):
        matched(given, make("batch_norm"))


def test_a_networks_own_wrapper_is_kept():
    wrapped = nn.ModuleDict({"module": make("batch_norm", 1)})
    model = nn.ModuleDict({"module": make("batch_norm")})
    assert loaded(model, wrapped.state_dict()).notes == ()
    assert same(model, wrapped.state_dict())


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_normalisation_that_was_put_before_may_be_missing(tmp_path, prefix):
    inside = make("batch_norm", 1).state_dict()
    own = "tests.networks_of_different_build:batch_norm"
    spec = ModelSpec(name=own, num_classes=3, in_channels=1, mean=(0.3,), std=(0.2,))
    model = build(spec)
    torch.save({prefix + name: tensor for name, tensor in inside.items()}, tmp_path / "plain.pt")
    found = load_weights(model, tmp_path / "plain.pt")
    assert found.inner
    assert float(model.normalise.mean) == pytest.approx(0.3)
    assert all(torch.equal(model.state_dict()[f"network.{n}"], t) for n, t in inside.items())
    save_inner_weights(model, tmp_path / "inner.safetensors")
    plain = make("batch_norm")
    assert load_weights(plain, tmp_path / "inner.safetensors").notes == ()
    assert same(plain, inside)
    # The same for a named network, whose layers stand beside its normalisation.
    model = build(ModelSpec(name="resnet8", num_classes=3, width=0.125))
    state = {n: t for n, t in model.state_dict().items() if not n.startswith("normalise.")}
    assert loaded(model, state).inner
    assert not loaded(model, model.state_dict()).inner


def test_masks_of_pytorchs_pruning_are_applied_and_returned():
    pruned = make("batch_norm", 1)
    for layer, name in ((pruned[0], "weight"), (pruned[3], "weight"), (pruned[3], "bias")):
        prune.random_unstructured(layer, name, amount=0.5)
    state = {f"model.{name}": tensor for name, tensor in pruned.state_dict().items()}
    model = make("batch_norm")
    found = loaded(model, state)
    assert set(found.mask) == {"0.weight", "3.weight", "3.bias"}
    for name, entry in found.mask.items():
        layer, part = name.split(".")
        assert torch.equal(entry, getattr(pruned[int(layer)], f"{part}_mask").bool())
        assert torch.equal(model.get_parameter(name), getattr(pruned[int(layer)], part))
    assert any(note.startswith("the masks in the file were applied to") for note in found.notes)
    state["model.0.weight_mask"] = 0.5 * state["model.0.weight_mask"]
    with pytest.raises(CheckpointError, match=r"model\.0\.weight_mask must be 0 or 1 for each"):
        matched(state, model)
    # A network that is under this pruning itself has these names.
    assert loaded(make("pruned_by_torch"), make("pruned_by_torch", 1).state_dict()).mask == {}


def test_masks_beside_the_network_are_left_out():
    state = {f"net.{name}": tensor for name, tensor in make("batch_norm", 1).state_dict().items()}
    beside = prune.random_unstructured(nn.Linear(3, 3), "weight", amount=0.5)
    state |= {f"criterion.{name}": tensor for name, tensor in beside.state_dict().items()}
    found = loaded(make("batch_norm"), state)
    assert found.mask == {}
    assert not any("masks" in note for note in found.notes)


def test_old_names_of_weight_norm():
    old, new = make("weight_norm_by_hook", 1), make("weight_norm_by_hook")
    nn.utils.remove_weight_norm(new[0])
    parametrizations.weight_norm(new[0])
    loaded(new, old.state_dict())
    images = torch.rand(2, 1, 8, 8)
    assert torch.allclose(new(images), old(images), atol=1e-5)


def test_tied_weights_stand_under_one_name_or_under_all_with_one_value():
    state = make("tied", 1).state_dict()
    both = [name for name in state if name in ("3.weight", "4.weight")]
    assert len(both) == 2
    for left_out in (None, *both):
        model = make("tied")
        loaded(model, {name: tensor for name, tensor in state.items() if name != left_out})
        assert same(model, state)
    state[both[1]] = state[both[1]] + 1
    with pytest.raises(CheckpointError, match=r"3\.weight, 4\.weight are one weight in the netw"):
        matched(state, make("tied"))
    with pytest.raises(CheckpointError, match=r"missing 3\.weight, 4\.weight"):
        loaded(make("tied"), {name: t for name, t in state.items() if name not in both})
