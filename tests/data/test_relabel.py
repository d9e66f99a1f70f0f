from collections import Counter

import numpy as np
import pytest

from expunge.data.arrays import as_samples
from expunge.data.edits.relabel import RelabelConfig, relabel
from expunge.errors import ConfigError, DataError


def samples(n=3000, classes=4):
    pixels = np.arange(n * 4).reshape(n, 1, 2, 2) % 251
    return as_samples(
        (pixels.astype(np.uint8), np.arange(n) % classes), class_names=map(str, range(classes))
    )


def test_a_touched_sample_gets_another_class_each_as_likely():
    before = samples()
    edited = relabel(before, RelabelConfig(share=0.4), seed=2)
    touched = set(edited.touched)
    pairs = Counter()
    for name, old, new in zip(
        before.ids, before.labels.tolist(), edited.samples.labels.tolist(), strict=True
    ):
        assert (old != new) == (name in touched)
        if name in touched:
            pairs[old, new] += 1
    assert len(touched) == 1200
    assert len(pairs) == 12
    assert all(60 <= count <= 140 for count in pairs.values())


def test_inputs_are_left_as_they_are():
    before = samples()
    assert relabel(before, RelabelConfig(), seed=0).samples.inputs is before.inputs


def test_one_class_has_no_other():
    with pytest.raises(DataError, match="needs another class to choose, got 1"):
        relabel(samples(classes=1), RelabelConfig(), seed=0)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_nothing_and_everything_are_no_shares(share):
    with pytest.raises(ConfigError, match="both excluded"):
        RelabelConfig(share=share)
