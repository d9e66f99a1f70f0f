import os
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from expunge.errors import CheckpointError
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.models.weights import load_state, load_weights, read_tensors, save_weights

SPEC = ModelSpec(name="resnet8", num_classes=4, width=0.125)


def same(first, second):
    return first.keys() == second.keys() and all(
        torch.equal(tensor, second[name]) and tensor.dtype == second[name].dtype
        for name, tensor in first.items()
    )


@pytest.fixture
def model():
    model = build(SPEC, 1)
    model.train()(torch.rand(4, 3, 8, 8))  # so that running statistics are not the defaults
    return model


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_round_trip_is_exact(model, tmp_path, memory_format):
    model = model.to(memory_format=memory_format)
    save_weights(model, tmp_path / "weights.safetensors")
    other = build(SPEC, 2)
    load_weights(other, tmp_path / "weights.safetensors")
    assert same(model.state_dict(), other.state_dict())
    assert [file.name for file in tmp_path.iterdir()] == ["weights.safetensors"]


def test_tied_weights_can_be_saved(tmp_path):
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    save_weights(tied, tmp_path / "tied.safetensors")
    assert same(read_tensors(tmp_path / "tied.safetensors"), tied.state_dict())


def test_a_failed_save_keeps_the_old_file(model, tmp_path, monkeypatch):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"old")

    def full(state, whole):
        whole.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr("expunge.models.weights.save_file", full)
    with pytest.raises(CheckpointError, match=r"cannot write weights to .*no space left"):
        save_weights(model, path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(model, tmp_path):
    with pytest.raises(CheckpointError, match="cannot write weights to"):
        save_weights(model, tmp_path / "absent" / "weights.safetensors")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pth.tar"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state},
        lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
        lambda state: {f"_orig_mod.module.{name}": tensor for name, tensor in state.items()},
    ],
)
def test_pytorch_files_of_many_shapes(model, tmp_path, wrap, suffix):
    path = tmp_path / f"model{suffix}"
    torch.save(wrap(dict(model.state_dict())), path)
    other = build(SPEC, 2)
    load_weights(other, path)
    assert same(model.state_dict(), other.state_dict())


def test_a_prefix_that_is_the_networks_own_is_kept(tmp_path):
    saved, loaded = nn.Module(), nn.Module()
    saved.module, loaded.module = nn.Linear(2, 2), nn.Linear(2, 2)
    torch.save(saved.state_dict(), tmp_path / "outer.pt")
    load_weights(loaded, tmp_path / "outer.pt")
    assert same(saved.state_dict(), loaded.state_dict())


class Hostile:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return (os.mkdir, (str(self.trace),))


def test_a_hostile_pickle_is_refused_and_not_run(model, tmp_path):
    for name, save in (
        ("zip.pt", torch.save),
        ("raw.pt", lambda o, p: p.write_bytes(pickle.dumps(o, protocol=2))),
    ):
        save({"state_dict": Hostile(tmp_path / "trace")}, tmp_path / name)
        with pytest.raises(CheckpointError, match=r"is refused.*\(UnpicklingError\)"):
            load_weights(model, tmp_path / name)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("keep", [0, 7, 100, 0.5, 0.99])
def test_a_truncated_file_is_refused_whole(model, tmp_path, suffix, keep):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save(model.state_dict(), path)
    else:
        save_weights(model, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else keep])
    other = build(SPEC, 2)
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    with pytest.raises(CheckpointError, match="weights") as caught:
        load_weights(other, path)
    assert "\n" not in str(caught.value)
    assert same(before, other.state_dict())


def test_files_that_are_not_weights(model, tmp_path):
    with pytest.raises(CheckpointError, match="there is no file"):
        load_weights(model, tmp_path / "absent.safetensors")
    with pytest.raises(CheckpointError, match="there is no file"):
        load_weights(model, tmp_path)
    (tmp_path / "weights.npz").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"expected a \.safetensors, \.pt"):
        load_weights(model, tmp_path / "weights.npz")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(CheckpointError, match="must hold a state dict, got list"):
        load_weights(model, tmp_path / "list.pt")
    torch.save({"fc.weight": torch.ones(2), "epoch": 3}, tmp_path / "mixed.pt")
    with pytest.raises(CheckpointError, match=r"dense tensors, but also has epoch \(int\)"):
        load_weights(model, tmp_path / "mixed.pt")
    torch.save({"fc.weight": torch.ones(2, device="meta")}, tmp_path / "meta.pt")
    with pytest.raises(CheckpointError, match=r"but also has fc\.weight"):
        read_tensors(tmp_path / "meta.pt")


def test_the_state_of_another_network_is_refused_by_name(model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = dict(model.state_dict())
    state["extra"] = state.pop("conv1.weight")
    state["fc.weight"] = torch.ones(10, 8)
    state["bn1.num_batches_tracked"] = torch.tensor(0.5)
    with pytest.raises(CheckpointError) as caught:
        load_state(model, state, "the file")
    message = str(caught.value)
    assert message.startswith("the file holds the weights of another network")
    assert "missing conv1.weight; unexpected extra; not fitting " in message
    assert "fc.weight (expected float32 (4, 8), got float32 (10, 8))" in message
    assert "bn1.num_batches_tracked (expected int64 (), got float32 ())" in message
    assert same(before, model.state_dict())


def test_at_most_ten_names_are_listed(model):
    with pytest.raises(CheckpointError, match="and 36 more"):
        load_state(model, {}, "nothing")


@pytest.mark.parametrize(
    "bad",
    [
        torch.tensor(float("nan")),
        torch.tensor(float("inf")),
        torch.tensor(1e300, dtype=torch.float64),
    ],
)
def test_values_that_are_not_finite_are_refused(model, tmp_path, bad):
    state = dict(model.state_dict())
    state["fc.bias"] = state["fc.bias"].to(bad.dtype).clone()
    state["fc.bias"][0] = bad
    save_file(state, tmp_path / "bad.safetensors")
    with pytest.raises(CheckpointError, match=r"not finite \(expected none\) in fc\.bias$"):
        load_weights(model, tmp_path / "bad.safetensors")


def test_half_precision_files_fit_a_full_precision_network(model, tmp_path):
    state = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in model.state_dict().items()
    }
    torch.save(state, tmp_path / "half.pt")
    load_weights(model, tmp_path / "half.pt")
    assert model.fc.weight.dtype == torch.float32
