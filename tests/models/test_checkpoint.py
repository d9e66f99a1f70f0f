"""What training frameworks save: the weights are found, and the rest is named."""

import argparse
import warnings

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from expunge.errors import CheckpointError
from expunge.models.checkpoint import CONTAINERS, SUFFIXES, read_checkpoint


@pytest.fixture
def state():
    return nn.Linear(2, 3).state_dict()


@pytest.fixture
def saved(tmp_path):
    def save(payload, name="weights.pt"):
        torch.save(payload, tmp_path / name)
        return tmp_path / name

    return save


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


@pytest.mark.parametrize("suffix", SUFFIXES[1:])
def test_pytorchs_suffixes(saved, state, suffix):
    found = read_checkpoint(saved(state, f"weights{suffix}"))
    assert same(found.state, state)
    assert found.notes == ()


@pytest.mark.parametrize("container", [*CONTAINERS, "student"])
def test_containers(saved, state, container):
    """`student` is no usual name, but nothing else in the file holds weights."""
    momenta = {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]}
    payload = {"epoch": 3, container: state, "optimizer": momenta, "step": torch.tensor(7)}
    found = read_checkpoint(saved(payload))
    assert same(found.state, state)
    assert found.notes == (
        f"the weights are those under {container!r} in weights.pt",
        "not used from weights.pt: epoch, optimizer, step",
    )


def test_averages_come_last_and_a_key_chooses(saved, state):
    averaged = {name: 2 * tensor for name, tensor in state.items()}
    path = saved({"state_dict_ema": {"module": averaged}, "model": state})
    found = read_checkpoint(path)
    assert same(found.state, state)
    (note,) = found.notes
    assert note == (
        "the weights are those under 'model' in weights.pt; it also holds state_dict_ema, which "
        "--weights-key chooses"
    )
    found = read_checkpoint(path, "state_dict_ema")
    assert same(found.state, averaged)
    assert "those under 'state_dict_ema'" in found.notes[0]
    assert "those under 'module'" in found.notes[1]
    with pytest.raises(CheckpointError, match="under 'swa': it has weight, bias; the weights are"):
        read_checkpoint(path, "swa")


def test_several_unknown_containers_are_asked_about(saved, state):
    path = saved({"generator": state, "critic": state})
    with pytest.raises(CheckpointError, match=r"\(generator, critic\): name one with --weights-ke"):
        read_checkpoint(path)
    assert same(read_checkpoint(path, "critic").state, state)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_key_is_the_first_part_of_names_too(tmp_path, saved, state, suffix):
    parts = {f"{part}.{name}": t for part in ("student", "teacher") for name, t in state.items()}
    if suffix == ".pt":
        path = saved(parts)
    else:
        path = tmp_path / "weights.safetensors"
        save_file({name: tensor.clone() for name, tensor in parts.items()}, path)
    found = read_checkpoint(path, "teacher")
    assert same(found.state, state)
    (note,) = found.notes
    assert note.startswith(f"not used from {path.name}: student.")
    with pytest.raises(CheckpointError, match="no weights under 'ema': it has student, teacher"):
        read_checkpoint(path, "ema")


def test_what_is_refused_is_named(saved, state):
    for payload, named in (
        ({"state_dict": state, "args": argparse.Namespace(lr=1)}, "argparse.Namespace"),
        (nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
        ({"model": nn.Sequential()}, "torch.nn.modules.container.Sequential"),
    ):
        path = saved(payload)
        with pytest.raises(CheckpointError, match=rf"an object of {named}, and expected") as found:
            read_checkpoint(path)
        assert "torch.save(model.state_dict(), FILE)" in str(found.value)
        assert "\n" not in str(found.value)


def test_tensors_that_are_not_plain_are_named(saved):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        quantised = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    for stray, form in (
        (torch.eye(3).to_sparse(), r"w \(torch\.sparse_coo\)"),
        (torch.ones(2, device="meta"), r"w \(without values, on the meta device\)"),
        (quantised, r"w \(quantised, torch\.qint8\)"),
        ({"version": 3}, r"w \(dict\)"),
        (3, r"w \(int\)"),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = saved({"fc.weight": torch.ones(2), "w": stray})
            with pytest.raises(CheckpointError, match=f"but also has {form}"):
                read_checkpoint(path)


def test_a_parameter_without_a_shape_is_refused(saved):
    path = saved(nn.Sequential(nn.LazyLinear(3)).state_dict())
    with pytest.raises(CheckpointError, match=r"UninitializedParameter|without a shape yet"):
        read_checkpoint(path)


def test_a_dict_that_holds_itself_is_refused(saved, state):
    payload = {"epoch": 1}
    payload["model"] = payload
    with pytest.raises(CheckpointError, match=r"weights\.pt is refused: a dict in it holds itself"):
        read_checkpoint(saved(payload))
