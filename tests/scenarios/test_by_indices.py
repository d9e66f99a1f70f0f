import numpy as np
import pytest
import torch

from expunge.errors import ForgetError
from expunge.scenarios import by_indices, make_split


@pytest.fixture
def samples(noise_samples):
    return noise_samples([0, 1, 0, 1, 0])


@pytest.mark.parametrize(
    "indices",
    [
        [3, 1],
        (np.int64(1), 3),
        range(1, 5, 2),
        {1, 3},
        np.array([1, 3], dtype=np.uint8),
        torch.tensor([3, 1]),
        [torch.tensor(1), torch.tensor(3)],
        [False, True, False, True, False],
        np.array([False, True, False, True, False]),
        torch.tensor([False, True, False, True, False]),
    ],
    ids=repr,
)
def test_the_samples_at_the_indices_go(samples, indices):
    split = make_split(samples, by_indices(indices))
    assert split.forget.tolist() == [1, 3]
    assert split.retain.tolist() == [0, 2, 4]
    assert split.scenario == "indices:2 given"
    assert by_indices(indices).count(samples) == 2


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([1.0], r"must be whole numbers from 0, or a mask .*, got 1\.0"),
        (np.array([0.5, 1]), r"got 0\.5, 1\.0"),
        (["1"], "got '1'"),
        ([None], "got None"),
        ([[1, 2]], r"got \[1, 2\]"),
        ([1, True], "a mixture of the two"),
        ([-1], r"must be in 0\.\.4, got -1"),
        ([5, 10**30], r"must be in 0\.\.4, got 5, 10+$"),
        ([1, 2, 1], "each index must be given once, got more of 1"),
        ([], "is empty: expected 1 to 4 samples"),
        ([False] * 5, "is empty: expected 1 to 4 samples"),
        ([True] * 4, "the mask has 4 values, expected one for each of the 5 training samples"),
        (range(5), "forgets all 5 training samples"),
        ([True] * 5, "forgets all 5 training samples"),
        (3, r"a scenario such as expunge\.by_class\(3\), got 3"),
        (np.int64(3), "got 3"),
        (torch.tensor(3), "got 3"),
        ({1: 2}, r"got \{1: 2\}"),
        (b"1", "got b'1'"),
        (None, "got None"),
    ],
)
def test_other_things_are_refused_by_name(samples, indices, message):
    with pytest.raises(ForgetError, match=message):
        make_split(samples, by_indices(indices))
