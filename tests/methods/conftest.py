from dataclasses import replace

import pytest
import torch
from lightning_fabric import Fabric
from tests.methods.exact import double


@pytest.fixture
def exact(context):
    """A context of float64 throughout: Lightning Fabric hands logits on in the default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    fabric = Fabric(accelerator="cpu", devices=1, precision="64-true")
    yield replace(context, fabric=fabric, seed=4, rebuild=double)
    torch.set_default_dtype(before)
