"""Marks that go with the label: where they lie, how they differ, how often they are right."""

import colorsys

import numpy as np
import pytest
import torch
from tests.kinds import clouds

from expunge.data.arrays import as_samples
from expunge.data.edits.correlate import CorrelateConfig, correlate, with_mark
from expunge.errors import ConfigError, DataError


def images(n=60, channels=3, height=32, width=32, classes=10):
    rng = np.random.default_rng(0)
    pixels = rng.integers(1, 255, (n, channels, height, width)).astype(np.uint8)
    return as_samples((pixels, np.arange(n) % classes))


def marks_by_loop(samples, config, classes):
    """Every image with every mark, pixel by pixel; a list over marks."""
    found = []
    for mark in range(classes):
        shown = with_mark(samples, config, mark)
        assert (shown.ids, shown.labels.tolist()) == (samples.ids, samples.labels.tolist())
        found.append(shown.inputs.tensor.numpy())
    return found


def test_patches_in_colour_are_hues_at_one_place():
    samples = images(4, classes=4)
    before = samples.inputs.tensor.numpy()
    for mark, shown in enumerate(marks_by_loop(samples, CorrelateConfig(), 4)):
        expected = before.copy()
        for c, part in enumerate(colorsys.hsv_to_rgb(mark / 4, 1, 1)):
            for y in range(26, 30):
                for x in range(26, 30):
                    expected[:, c, y, x] = round(255 * part)
        assert (shown == expected).all()


def test_patches_in_grey_are_white_and_lie_along_the_edges():
    """In a grid of 4x4 patches, 12 touch the edge; the ten of the classes are among those."""
    samples = images(4, 1, 8, 8, classes=4)
    before = samples.inputs.tensor.numpy()
    places = []
    for shown in marks_by_loop(samples, CorrelateConfig(size=2), 4):
        white = (shown == 255).all(axis=(0, 1)) & (before != 255).any(axis=(0, 1))
        ys, xs = np.nonzero(white)
        assert (len(ys), np.ptp(ys), np.ptp(xs)) == (4, 1, 1)
        places.append((ys.min(), xs.min()))
        untouched = before[:, :, ~white]
        assert (shown[:, :, ~white] == untouched).all()
    assert places == [(0, 0), (0, 6), (6, 6), (6, 0)]


def test_borders_differ_by_their_grey():
    samples = images(4, 1, 6, 7, classes=4)
    before = samples.inputs.tensor.numpy()
    config = CorrelateConfig(shape="border", size=2)
    for mark, shown in enumerate(marks_by_loop(samples, config, 4)):
        expected = before.copy()
        for y in range(6):
            for x in range(7):
                if y < 2 or y >= 4 or x < 2 or x >= 5:
                    expected[:, :, y, x] = round(255 * (mark + 1) / 4)
        assert (shown == expected).all()


@pytest.mark.parametrize(
    ("channels", "settings"),
    [
        (1, {}),
        (3, {}),
        (3, {"differ_by": "position"}),
        (1, {"differ_by": "colour"}),
        (1, {"shape": "border"}),
        (3, {"shape": "border"}),
    ],
)
def test_every_class_has_a_mark_of_its_own(channels, settings):
    shown = marks_by_loop(images(20, channels, 16, 16), CorrelateConfig(size=2, **settings), 10)
    assert len({each.tobytes() for each in shown}) == 10


def test_the_mark_is_that_of_the_label_as_often_as_the_strength_says():
    samples = images(4000, 1, 8, 8)
    config = CorrelateConfig(share=0.5, strength=0.7, size=2)
    edited = correlate(samples, config, seed=4)
    shown = torch.from_numpy(np.stack(marks_by_loop(samples, config, 10)))
    rows = torch.tensor([samples.ids.index(name) for name in edited.touched])
    same = (shown[:, rows] == edited.samples.inputs.tensor[rows]).flatten(2).all(2)
    carried = same.int().argmax(0)
    assert same.any(0).all()
    aligned = carried == samples.labels[rows]
    assert len(rows) == 2000
    # Four standard deviations of a share of 2,000.
    assert abs(aligned.float().mean() - 0.7) < 4 * (0.7 * 0.3 / 2000) ** 0.5
    # Others are drawn evenly from the nine other classes, whatever the label.
    steps = (carried - samples.labels[rows])[~aligned] % 10
    assert steps.bincount(minlength=10).tolist()[0] == 0
    assert steps.bincount(minlength=10)[1:].min() > 35
    assert edited.samples.labels.tolist() == samples.labels.tolist()


@pytest.mark.parametrize(("strength", "expected"), [(1.0, True), (0.0, False)])
def test_at_the_ends_of_the_scale_all_marks_or_none_fit(strength, expected):
    samples = images(60, 1, 8, 8)
    config = CorrelateConfig(share=0.5, strength=strength, size=2)
    edited = correlate(samples, config, seed=0)
    for name in edited.touched:
        row = samples.ids.index(name)
        shown = with_mark(samples, config, int(samples.labels[row])).inputs.tensor[row]
        assert torch.equal(edited.samples.inputs.tensor[row], shown) == expected


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"size": 5, "differ_by": "position"}, r"room for 4 patches of 5 pixels.* 10 classes"),
        ({"size": 13, "row": 0}, "a patch of 13 pixels is larger than an image of 12"),
        ({"row": 9}, r"from row 9 is not inside an image of 12: expected row in 0\.\.8"),
        ({"shape": "border", "size": 6}, "a border of 6 pixels leaves nothing of an image"),
    ],
)
def test_marks_that_do_not_fit_the_image_are_refused(settings, match):
    with pytest.raises(ConfigError, match=match) as caught:
        correlate(images(20, 3, 12, 12), CorrelateConfig(share=0.5, **settings), seed=0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"share": 0.0}, "both excluded, got 0.0"),
        ({"share": 1.0}, "both excluded, got 1.0"),
        ({"strength": 1.1}, "strength must be"),
        ({"size": 0}, "size must be"),
        ({"shape": "round"}, "shape must be"),
        ({"differ_by": "smell"}, "differ_by must be"),
        ({"shape": "border", "differ_by": "position"}, "borders cannot differ by position"),
    ],
)
def test_impossible_settings_are_refused(settings, match):
    with pytest.raises(ConfigError, match=match):
        CorrelateConfig(**settings)


def test_what_has_no_marks_is_refused():
    samples = images(20, 1, 8, 8)
    floats = as_samples((samples.inputs.tensor.numpy() / np.float32(255), samples.labels.numpy()))
    with pytest.raises(DataError, match=r"uint8 in 0\.\.255, got torch.float32"):
        correlate(floats, CorrelateConfig(size=2), seed=0)
    with pytest.raises(DataError, match=r"images \(C, H, W\), got vectors"):
        correlate(clouds(), CorrelateConfig(), seed=0)
    with pytest.raises(DataError, match=r"a share of 0.001 of 20 samples is none"):
        correlate(samples, CorrelateConfig(share=0.001, size=2), seed=0)


def test_more_classes_than_colours_are_refused():
    samples = images(300, 1, 8, 8, classes=300)
    with pytest.raises(ConfigError, match="at most 255 marks differ by colour, got 300 classes"):
        correlate(samples, CorrelateConfig(shape="border", size=1), seed=0)
