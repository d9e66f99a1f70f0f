import pytest
import torch
from safetensors.torch import save_file

from expunge.errors import CheckpointError, MaskError
from expunge.sparsity.files import load_mask, save_mask


@pytest.fixture
def mask():
    return {
        "conv.weight": (torch.rand(4, 3, 3, 3) < 0.5).to(memory_format=torch.channels_last),
        "fc.weight": (torch.rand(5, 4) < 0.5).T,
    }


def test_round_trip(mask, tmp_path):
    save_mask(mask, tmp_path / "mask.safetensors")
    loaded = load_mask(tmp_path / "mask.safetensors")
    assert loaded.keys() == mask.keys()
    assert all(torch.equal(loaded[name], mask[name]) for name in mask)
    assert all(entry.dtype == torch.bool for entry in loaded.values())
    assert list(tmp_path.iterdir()) == [tmp_path / "mask.safetensors"]


def test_only_bool_is_a_mask(tmp_path):
    path = tmp_path / "mask.safetensors"
    message = r"the mask must hold only bool.*fc\.weight \(torch\.float32\)"
    with pytest.raises(MaskError, match=message):
        save_mask({"fc.weight": torch.ones(2)}, path)
    assert not path.exists()
    save_file({"fc.weight": torch.ones(2)}, path)
    with pytest.raises(MaskError, match=r"mask\.safetensors must hold only bool.*fc\.weight"):
        load_mask(path)
    save_file({}, path)
    with pytest.raises(MaskError, match="got nothing"):
        load_mask(path)


@pytest.mark.parametrize("keep", [0, 7, 0.5, 0.99])
def test_truncated_files_are_refused(mask, tmp_path, keep):
    path = tmp_path / "mask.safetensors"
    save_mask(mask, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else keep])
    with pytest.raises(CheckpointError, match="is not a whole safetensors file"):
        load_mask(path)


def test_files_that_are_not_there(mask, tmp_path):
    with pytest.raises(CheckpointError, match="expected a mask in safetensors, but there is no"):
        load_mask(tmp_path / "absent.safetensors")
    with pytest.raises(CheckpointError, match="cannot write the mask to"):
        save_mask(mask, tmp_path / "absent" / "mask.safetensors")
