import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from expunge.data.augment import _index_runs, _select_runs, augment, draw_changes
from expunge.settings import Augmentation


def one_by_one(images, augmentation, generator):
    """Every image alone: mirrored pixel by pixel, copied into zeros, cut out."""
    batch, channels, height, width = images.shape
    padding = augmentation.crop_padding
    mirrored = torch.zeros(batch)
    if augmentation.flip:
        mirrored = torch.rand(batch, generator=generator) < 0.5
    offsets = torch.zeros(2, batch, dtype=torch.int64)
    if padding:
        offsets = torch.randint(0, 2 * padding + 1, (2, batch), generator=generator)
    out = torch.zeros_like(images)
    for i in range(batch):
        for c in range(channels):
            for y in range(height):
                for x in range(width):
                    row = y + int(offsets[0, i]) - padding
                    column = x + int(offsets[1, i]) - padding
                    if mirrored[i]:
                        column = width - 1 - column
                    if 0 <= row < height and 0 <= column < width:
                        out[i, c, y, x] = images[i, c, row, column]
    return out


def augmented(images, augmentation, generator):
    return augment(images, draw_changes(augmentation, len(images), generator))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pixels(*shape, dtype=torch.uint8):
    return torch.randint(1, 256, shape, generator=seeded()).to(dtype)


@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)),
    padding=st.integers(0, 7),
    flip=st.booleans(),
    dtype=st.sampled_from([torch.uint8, torch.float32]),
    layout=st.sampled_from([torch.contiguous_format, torch.channels_last]),
    seed=st.integers(0, 9),
)
def test_the_batch_is_changed_as_every_image_alone(shape, padding, flip, dtype, layout, seed):
    images = pixels(*shape, dtype=dtype).contiguous(memory_format=layout)
    before = images.clone()
    augmentation = Augmentation(crop_padding=padding, flip=flip)
    changed = augmented(images, augmentation, seeded(seed))
    assert torch.equal(changed, one_by_one(before, augmentation, seeded(seed)))
    assert changed.dtype == dtype
    assert changed.is_contiguous(memory_format=layout)
    assert torch.equal(images, before)


def test_a_view_of_no_layout_is_changed_too():
    images = pixels(4, 3, 8, 8)[:, :, ::2, 1:5]
    augmentation = Augmentation(crop_padding=2, flip=True)
    changed = augmented(images, augmentation, seeded())
    assert torch.equal(changed, one_by_one(images, augmentation, seeded()))


def test_without_changes_the_input_comes_back_and_nothing_is_drawn():
    images, generator = pixels(2, 3, 4, 4), seeded()
    assert augmented(images, Augmentation(), generator) is images
    assert torch.equal(generator.get_state(), seeded().get_state())


def test_the_same_state_gives_the_same_images_and_the_next_state_others():
    images, augmentation = pixels(16, 3, 8, 8), Augmentation(crop_padding=2, flip=True)
    generator = seeded()
    first = augmented(images, augmentation, generator)
    assert torch.equal(first, augmented(images, augmentation, seeded()))
    assert not torch.equal(first, augmented(images, augmentation, generator))


@pytest.mark.parametrize("world", [1, 2, 5])
@pytest.mark.parametrize(
    "augmentation",
    [
        Augmentation(),
        Augmentation(crop_padding=2),
        Augmentation(flip=True),
        Augmentation(crop_padding=2, flip=True),
    ],
)
def test_shares_of_a_batch_are_changed_as_the_whole(augmentation, world):
    images = pixels(5, 3, 6, 6)
    whole = augmented(images, augmentation, seeded())
    for rank in range(world):
        own = slice(rank, None, world)
        changes = draw_changes(augmentation, len(images), seeded()).take(own)
        assert torch.equal(augment(images[own], changes), whole[own])


def test_the_global_generator_is_left_alone():
    state = torch.get_rng_state()
    augmented(pixels(4, 1, 4, 4), Augmentation(crop_padding=1, flip=True), seeded())
    assert torch.equal(state, torch.get_rng_state())


def test_offsets_and_mirrors_are_uniform():
    n = 9000
    images = torch.zeros(n, 1, 3, 3, dtype=torch.uint8)
    images[:, :, 1, 1], images[:, :, 1, 2] = 1, 2
    changed = augmented(images, Augmentation(crop_padding=1, flip=True), seeded())
    places = (changed[:, 0] == 1).float().mean(0)
    torch.testing.assert_close(places, torch.full((3, 3), 1 / 9), atol=0.015, rtol=0)
    whole = augmented(images, Augmentation(flip=True), seeded())
    assert (whole[:, 0, 1, 0] == 2).float().mean() == pytest.approx(0.5, abs=0.02)


def test_runs_are_the_same_however_they_are_cut():
    padded, start = pixels(5, 40), torch.tensor([0, 3, 7, 10, 1])
    runs = _select_runs(padded, start, 30)
    assert torch.equal(runs, _index_runs(padded, start, 30))
    assert torch.equal(runs[2], padded[2, 7:37])
