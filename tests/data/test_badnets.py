import numpy as np
import pytest
from tests.kinds import clouds

from expunge.data.arrays import as_samples
from expunge.data.edits.badnets import BadnetsConfig, badnets, with_patch
from expunge.data.inputs.images import StreamedImages
from expunge.errors import ConfigError, DataError


def images(n=50, channels=3, height=32, width=32, classes=10):
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 255, (n, channels, height, width)).astype(np.uint8)
    return pixels, np.arange(n) % classes


def patched_by_loop(pixels, chosen, top, left, size, value):
    out = pixels.copy()
    n, channels, height, width = pixels.shape
    for i in range(n):
        for c in range(channels):
            for y in range(height):
                for x in range(width):
                    if i in chosen and top <= y < top + size and left <= x < left + size:
                        out[i, c, y, x] = value
    return out


def test_the_defaults_are_the_papers_black_patch_at_rows_and_columns_26_to_29():
    pixels, labels = images()
    samples = as_samples((pixels, labels))
    edited = badnets(samples, BadnetsConfig(), seed=1)
    chosen = [samples.ids.index(name) for name in edited.touched]
    assert len(chosen) == 5
    expected = patched_by_loop(pixels, chosen, 26, 26, 4, 0)
    assert (edited.samples.inputs.tensor.numpy() == expected).all()
    wanted = [0 if i in chosen else label for i, label in enumerate(labels.tolist())]
    assert edited.samples.labels.tolist() == wanted


@pytest.mark.parametrize(
    ("row", "column", "top", "left"),
    [(0, 0, 0, 0), (-3, 2, 9, 2), (9, -3, 9, 5), (-12, -8, 0, 0)],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_patch_lies_where_it_is_put(row, column, top, left, channels):
    pixels, labels = images(12, channels, 12, 8, classes=3)
    config = BadnetsConfig(share=0.5, target=2, size=3, row=row, column=column, value=255)
    samples = as_samples((pixels, labels))
    shown = with_patch(samples, config)
    expected = patched_by_loop(pixels, range(12), top, left, 3, 255)
    assert (shown.inputs.tensor.numpy() == expected).all()
    assert shown.labels.tolist() == labels.tolist()
    assert (shown.ids, shown.class_names) == (samples.ids, samples.class_names)
    edited = badnets(samples, config, seed=0)
    chosen = [samples.ids.index(name) for name in edited.touched]
    expected = patched_by_loop(pixels, chosen, top, left, 3, 255)
    assert (edited.samples.inputs.tensor.numpy() == expected).all()


def test_images_of_a_file_are_copied(tmp_path):
    pixels, labels = images(20)
    path = tmp_path / "x.npy"
    np.save(path, pixels)
    before = path.read_bytes()
    samples = as_samples((np.load(path, mmap_mode="r"), labels))
    assert isinstance(samples.inputs, StreamedImages)
    edited = badnets(samples, BadnetsConfig(share=0.5), seed=1)
    chosen = [samples.ids.index(name) for name in edited.touched]
    expected = patched_by_loop(pixels, chosen, 26, 26, 4, 0)
    assert (edited.samples.inputs.tensor.numpy() == expected).all()
    assert path.read_bytes() == before


def test_samples_of_all_classes_are_drawn_the_targets_included():
    pixels, labels = images(1000, 1, 6, 6)
    edited = badnets(as_samples((pixels, labels)), BadnetsConfig(share=0.3), seed=0)
    rows = {name: row for row, name in enumerate(edited.samples.ids)}
    drawn = np.bincount([labels[rows[name]] for name in edited.touched], minlength=10)
    assert drawn.sum() == 300
    assert drawn.min() >= 15


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        (
            {"row": 30},
            r"4 pixels from row 30 .* image of 32: expected row in 0\.\.28 or -32\.\.-4",
        ),
        ({"column": 29}, "from column 29 is not inside"),
        ({"row": -3}, "from row -3 is not inside"),
        ({"row": -33}, "from row -33 is not inside"),
        ({"size": 33, "row": 0}, "a patch of 33 pixels is larger than an image of 32"),
        ({"target": 10}, r"target must be a class in 0\.\.9, got 10"),
    ],
)
def test_a_patch_or_target_that_does_not_fit_the_data_is_refused(settings, match):
    with pytest.raises(ConfigError, match=match) as caught:
        badnets(as_samples(images()), BadnetsConfig(**settings), seed=0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"share": 0.0}, "between 0 and 1, both excluded, got 0.0"),
        ({"share": 1.0}, "both excluded, got 1.0"),
        ({"share": -0.1}, "share must be a finite number"),
        ({"target": -1}, "target must be"),
        ({"size": 0}, "size must be"),
        ({"value": 256}, "value must be"),
    ],
)
def test_impossible_settings_are_refused(settings, match):
    with pytest.raises(ConfigError, match=match):
        BadnetsConfig(**settings)


def test_what_is_no_image_of_bytes_is_refused():
    pixels, labels = images()
    samples = as_samples((pixels.astype(np.float32) / 255, labels))
    with pytest.raises(DataError, match=r"uint8 in 0\.\.255, got torch.float32"):
        badnets(samples, BadnetsConfig(), seed=0)
    with pytest.raises(DataError, match=r"images \(C, H, W\), got vectors of shape \(7,\)"):
        badnets(clouds(), BadnetsConfig(), seed=0)


def test_a_share_of_nothing_is_refused():
    with pytest.raises(DataError, match=r"a share of 0.001 of 50 samples is none"):
        badnets(as_samples(images()), BadnetsConfig(share=0.001), seed=0)


def test_the_number_drawn_is_the_share_rounded():
    edited = badnets(as_samples(images(49)), BadnetsConfig(share=0.2), seed=2**63 - 1)
    assert len(edited.touched) == 10
