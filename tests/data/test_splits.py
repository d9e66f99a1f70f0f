from dataclasses import replace

import torch
from hypothesis import given
from hypothesis import strategies as st

from expunge.data.arrays import as_samples
from expunge.data.splits import limited, stratified, subset

labels_of = st.lists(st.integers(0, 4), min_size=1, max_size=60).map(torch.tensor)


@given(labels=labels_of, fraction=st.floats(0, 1), seed=st.integers(0, 3))
def test_held_out_and_kept_divide_every_class(labels, fraction, seed):
    kept, held_out = stratified(labels, fraction, seed)
    assert torch.equal(torch.cat([kept, held_out]).sort().values, torch.arange(len(labels)))
    for part in (kept, held_out):
        assert part.tolist() == sorted(part.tolist())
    for label in labels.unique().tolist():
        size = int((labels == label).sum())
        assert int((labels[held_out] == label).sum()) == round(fraction * size)
    again = stratified(labels, fraction, seed)
    assert torch.equal(again[0], kept)


def test_another_seed_holds_out_others():
    labels = torch.arange(100) % 2
    assert not torch.equal(stratified(labels, 0.5, 0)[1], stratified(labels, 0.5, 1)[1])


@given(labels=labels_of, count=st.integers(1, 70), seed=st.integers(0, 3))
def test_a_limit_is_met_exactly_and_in_proportion(labels, count, seed):
    index = limited(labels, count, seed)
    n = len(labels)
    assert len(index) == min(count, n)
    assert index.tolist() == sorted(set(index.tolist()))
    for label in labels.unique().tolist():
        share = min(count, n) * int((labels == label).sum()) / n
        assert abs(int((labels[index] == label).sum()) - share) < 1


def test_a_subset_has_the_images_labels_and_ids_of_its_rows(samples):
    index = torch.tensor([7, 2, 50])
    part = subset(samples, index)
    assert len(part) == 3
    assert part.ids == tuple(samples.ids[i] for i in (7, 2, 50))
    assert torch.equal(part.labels, samples.labels[index])
    assert torch.equal(part.inputs.tensor, samples.inputs.tensor[index])
    assert part.class_names == samples.class_names


def test_a_subset_has_a_fingerprint_of_its_own(samples):
    parts = [torch.tensor([0, 1]), torch.tensor([1, 0]), torch.tensor([0, 1])]
    prints = [subset(samples, index).fingerprint for index in parts]
    assert prints[0] == prints[2]
    assert len({*prints, samples.fingerprint}) == 3


def test_all_rows_in_order_are_the_samples_themselves(samples):
    assert subset(samples, torch.arange(60)) is samples


def test_a_subset_of_streamed_images(noise):
    from expunge.data.inputs.images import StreamedImages

    samples = as_samples((noise(5, (3, 4, 4)), [0, 1, 0, 1, 1]))
    streamed = replace(samples, inputs=StreamedImages(samples.inputs.tensor.numpy()))
    part = subset(streamed, torch.tensor([4, 0]))
    assert torch.equal(part.inputs.tensor, samples.inputs.tensor[[4, 0]])
