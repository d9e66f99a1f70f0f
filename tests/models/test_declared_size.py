"""Networks and files that cannot fit are refused by what they declare."""

import zipfile

import pytest
import torch
from torch import nn

from expunge.errors import CheckpointError, ModelError
from expunge.models import declared_size
from expunge.models.build import build
from expunge.models.networks import MODELS
from expunge.models.spec import ModelSpec
from expunge.models.weights import read_tensors


def spec(name, width):
    if "images" in MODELS[name].inputs:
        return ModelSpec(name=name, num_classes=3, width=width)
    return ModelSpec(name=name, num_classes=3, width=width, input_kind="vectors", features=4)


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"swin_t"}))
@pytest.mark.parametrize("width", [1e4, 1e12, 1e30])
def test_a_network_wider_than_memory_is_refused_before_it_is_built(name, width):
    with pytest.raises(ModelError, match=f"{name} of width .*: make it smaller$"):
        build(spec(name, width))


def test_the_check_leaves_the_weights_as_the_seed_makes_them(monkeypatch):
    wide = build(spec("mlp", 5.0), seed=3).state_dict()
    monkeypatch.setattr("expunge.models.build._WIDE", 1e9)
    for name, tensor in build(spec("mlp", 5.0), seed=3).state_dict().items():
        assert torch.equal(tensor, wide[name])


def test_weights_are_counted_in_bytes(monkeypatch):
    needed = 4 * (10 * 5 + 5)
    monkeypatch.setattr("expunge.memory.memory_bytes", lambda: needed)
    declared_size.check_network("one", lambda: nn.Linear(10, 5))
    monkeypatch.setattr("expunge.memory.memory_bytes", lambda: needed - 1)
    with pytest.raises(ModelError, match="the weights of one take"):
        declared_size.check_network("one", lambda: nn.Linear(10, 5))


def test_other_faults_of_a_network_are_not_called_large():
    def broken():
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        declared_size.check_network("one", broken)


@pytest.fixture
def bomb(tmp_path):
    """A checkpoint of zeros whose entries were compressed: 70 MiB in some kB."""
    whole, path = tmp_path / "whole.pt", tmp_path / "bomb.pt"
    torch.save({"weight": torch.zeros(70 * 2**18)}, whole)
    with (
        zipfile.ZipFile(whole) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry))
    assert path.stat().st_size < 2**20
    return path


def test_a_file_that_inflates_is_refused_by_its_declared_size(bomb, monkeypatch):
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("the file was read"))
    with pytest.raises(CheckpointError, match=r"would inflate to 73.4 MB; save it again"):
        read_tensors(bomb)


def test_tensors_larger_than_memory_are_refused(bomb, tmp_path, monkeypatch):
    monkeypatch.setattr("expunge.memory.memory_bytes", lambda: 2**20)
    for path in (bomb, tmp_path / "whole.pt"):
        with pytest.raises(CheckpointError, match=r"tensors take 73.4 MB, and this machine has 1"):
            read_tensors(path)


def test_plain_files_are_read(tmp_path):
    for name, compress in (("new.pt", True), ("legacy.pt", False)):
        path = tmp_path / name
        torch.save({"w": torch.ones(3)}, path, _use_new_zipfile_serialization=compress)
        assert torch.equal(read_tensors(path)["w"], torch.ones(3))
    whole = (tmp_path / "new.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="is refused: expected only tensors"):
        read_tensors(tmp_path / "cut.pt")


def test_a_header_of_impossible_sizes_is_one_line(tmp_path):
    header = b'{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}'
    for size in (len(header), 2**62):
        path = tmp_path / "w.safetensors"
        path.write_bytes(size.to_bytes(8, "little") + header + b"\0" * 4)
        with pytest.raises(CheckpointError, match="is not a whole safetensors file") as caught:
            read_tensors(path)
        assert "\n" not in str(caught.value)
