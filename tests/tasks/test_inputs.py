import torch

from expunge.tasks.inputs import cast_inputs


def test_only_floating_point_numbers_change_their_precision():
    batch = {"ids": torch.arange(3), "weights": torch.ones(3)}
    found = cast_inputs(batch, torch.float64)
    assert {name: each.dtype for name, each in found.items()} == {
        "ids": torch.int64,
        "weights": torch.float64,
    }
    image = torch.ones(1, 2, 3, 3).contiguous(memory_format=torch.channels_last)
    assert not cast_inputs(image, torch.float32).is_contiguous()
    assert cast_inputs(image, torch.float32, torch.contiguous_format).is_contiguous()
