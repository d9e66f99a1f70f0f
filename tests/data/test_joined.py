"""Inputs of two parts as one."""

import numpy as np
import pytest
import torch
from tests.kinds import clouds

from expunge.data.inputs.images import ResidentImages, StreamedImages
from expunge.data.inputs.joined import JoinedInputs
from expunge.errors import DataError


def images(count, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 255, (count, 1, 4, 4)).astype(np.uint8)


@pytest.fixture(params=["resident", "streamed"])
def joined(request):
    first, second = images(5, 0), images(7, 1)
    if request.param == "resident":
        parts = [ResidentImages(torch.from_numpy(each)) for each in (first, second)]
    else:
        parts = [StreamedImages(each) for each in (first, second)]
    return JoinedInputs(*parts), torch.from_numpy(np.concatenate([first, second]))


@pytest.mark.parametrize(
    "index",
    [
        [[0, 4], [2]],
        [[5, 11], [8]],
        [[11, 0, 5, 4], [3, 3], [6]],
        [list(range(12))],
    ],
    ids=["first", "second", "mixed", "all"],
)
def test_batches_are_those_of_both_in_order(joined, index):
    inputs, whole = joined
    found = list(inputs.batches([torch.tensor(rows) for rows in index]))
    assert len(found) == len(index)
    for batch, rows in zip(found, index, strict=True):
        assert torch.equal(batch, whole[rows])
    assert list(inputs.batches([])) == []


def test_a_view_of_a_view(joined):
    inputs, whole = joined
    view = inputs.take(torch.tensor([11, 2, 7, 5])).take(torch.tensor([3, 0, 1]))
    assert len(view) == 3
    (batch,) = view.batches([torch.arange(3)])
    assert torch.equal(batch, whole[[5, 11, 2]])
    (batch,) = view.to(torch.device("cpu")).batches([torch.tensor([1])])
    assert torch.equal(batch, whole[[11]])


def test_it_is_what_both_are(joined):
    inputs, _ = joined
    assert (inputs.kind, inputs.shape, inputs.dtype) == ("images", (1, 4, 4), torch.uint8)
    assert (len(inputs), inputs.vocabulary) == (12, None)


def test_others_are_refused(joined):
    with pytest.raises(DataError, match="expected inputs of one kind, shape and dtype"):
        JoinedInputs(joined[0], clouds().inputs)


def test_tokens_by_name():
    from tests.kinds import sentences

    inputs = sentences().inputs
    both = JoinedInputs(inputs, inputs)
    rows = torch.tensor([len(inputs) + 2, 1, 0, len(inputs)])
    (batch,) = both.batches([rows])
    (expected,) = inputs.batches([rows % len(inputs)])
    assert batch.keys() == expected.keys()
    assert all(torch.equal(batch[name], expected[name]) for name in batch)
    assert both.vocabulary == inputs.vocabulary
