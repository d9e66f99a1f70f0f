import io
import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save
from tests.fuzz.conftest import changed, fuzz, outcome, values
from torch import nn

from expunge.models.weights import load_weights, read_tensors

NETWORK = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
STATE = {name: tensor.clone() for name, tensor in NETWORK.state_dict().items()}
SAFE = save(STATE)
LENGTH = int.from_bytes(SAFE[:8], "little")
HEADER = json.loads(SAFE[8 : 8 + LENGTH])


def pytorch(zipped: bool) -> bytes:
    file = io.BytesIO()
    torch.save({"state_dict": STATE}, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


PYTORCH = {"new.pt": pytorch(True), "legacy.pth": pytorch(False)}


def load(path):
    """Load a file, and leave the network as it was where that is refused."""
    before = {name: tensor.clone() for name, tensor in NETWORK.state_dict().items()}
    outcome(lambda: read_tensors(path))
    done = outcome(lambda: load_weights(NETWORK, path) or True)
    for name, tensor in NETWORK.state_dict().items():
        assert tensor.isfinite().all()
        assert done or torch.equal(tensor, before[name])


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@fuzz(200)
@given(changed(HEADER), st.integers(-2, 2) | st.sampled_from((0, 0, 0, 2**40, 2**63)))
def test_headers_of_safetensors(folder, header, off):
    text = json.dumps(header).encode()
    path = folder / "w.safetensors"
    size = max(0, len(text) + off).to_bytes(8, "little")
    path.write_bytes(size + text + SAFE[8 + LENGTH :])
    load(path)


@fuzz(150)
@given(
    st.sampled_from((*PYTORCH, "w.safetensors")),
    st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=4),
    st.integers(0, 2**16),
)
def test_bytes_of_checkpoints(folder, name, flips, end):
    content = bytearray(PYTORCH.get(name, SAFE))
    for place, value in flips:
        content[place % len(content)] = value
    path = folder / name
    path.write_bytes(content if end % 3 else content[: end % len(content)])
    load(path)


@fuzz(50)
@given(values)
def test_other_things_in_a_checkpoint(folder, value):
    torch.save(value, folder / "other.pt")
    load(folder / "other.pt")
