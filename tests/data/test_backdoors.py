"""Blended, warped and clean-label backdoors, each against its equation, pixel by pixel."""

import math

import numpy as np
import pytest
import torch
from tests.data.test_badnets import images, patched_by_loop
from tests.kinds import clouds

from expunge.data.arrays import as_samples
from expunge.data.edits.blended import BlendedConfig, blended, with_pattern
from expunge.data.edits.clean_label_patch import CleanLabelPatchConfig, clean_label_patch
from expunge.data.edits.clean_label_patch import with_patch as with_clean_label_patch
from expunge.data.edits.warped import WarpedConfig, field, warped, with_warp
from expunge.errors import ConfigError, DataError


def chosen_by(edited):
    rows = {name: row for row, name in enumerate(edited.samples.ids)}
    return [rows[name] for name in edited.touched]


def test_blended_pixels_are_the_mean_weighted_by_alpha():
    pixels, labels = images(20, 3, 5, 4)
    samples = as_samples((pixels, labels))
    config = BlendedConfig(share=0.3, target=2, alpha=0.2, pattern_seed=7)
    pattern = torch.randint(0, 256, (3, 5, 4), generator=torch.Generator().manual_seed(7)).numpy()
    edited = blended(samples, config, seed=1)
    chosen = chosen_by(edited)
    assert len(chosen) == 6
    expected = pixels.copy()
    for row in chosen:
        for place in np.ndindex(3, 5, 4):
            mixed = 0.2 * int(pattern[place]) + 0.8 * int(pixels[(row, *place)])
            expected[(row, *place)] = round(mixed)
    assert np.array_equal(edited.samples.inputs.tensor.numpy(), expected)
    wanted = [2 if row in chosen else label for row, label in enumerate(labels.tolist())]
    assert edited.samples.labels.tolist() == wanted
    # A weight of one leaves the pattern alone.
    alone = with_pattern(samples, BlendedConfig(alpha=1.0, pattern_seed=7))
    assert np.array_equal(alone.inputs.tensor.numpy(), np.broadcast_to(pattern, pixels.shape))


def cubic(t):
    """Keys' kernel with a = −0.75."""
    a, t = -0.75, abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


def enlarged(points, height, width):
    """Bicubic interpolation of `(k, k)`, corner on corner; beyond the edge, the edge."""
    k = len(points)
    out = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            v, u = y * (k - 1) / (height - 1), x * (k - 1) / (width - 1)
            for j in range(math.floor(v) - 1, math.floor(v) + 3):
                for i in range(math.floor(u) - 1, math.floor(u) + 3):
                    value = points[min(max(j, 0), k - 1)][min(max(i, 0), k - 1)]
                    out[y, x] += cubic(v - j) * cubic(u - i) * value
    return out


def read_at(image, v, u):
    """Bilinear interpolation at the row v and the column u, in pixels."""
    height, width = image.shape
    top, left = min(math.floor(v), height - 2), min(math.floor(u), width - 2)
    down, right = v - top, u - left
    return (1 - down) * ((1 - right) * image[top, left] + right * image[top, left + 1]) + down * (
        (1 - right) * image[top + 1, left] + right * image[top + 1, left + 1]
    )


def test_warped_pixels_are_read_where_the_field_says():
    height, width, k, s = 7, 6, 3, 1.5
    config = WarpedConfig(share=0.25, target=1, grid=k, strength=s, warp_seed=5)
    generator = torch.Generator().manual_seed(5)
    drawn = 2 * torch.rand((1, 2, k, k), generator=generator, dtype=torch.float64).numpy()[0] - 1
    offsets = s * drawn / np.abs(drawn).mean()
    moved = [enlarged(offsets[axis], height, width) / height for axis in (0, 1)]
    pixels, labels = images(8, 1, height, width)
    expected = pixels.copy()
    edited = warped(as_samples((pixels, labels)), config, seed=0)
    chosen = chosen_by(edited)
    assert len(chosen) == 2
    where = np.zeros((height, width, 2))
    for y in range(height):
        for x in range(width):
            u = min(max(2 * x / (width - 1) - 1 + moved[0][y, x], -1), 1)
            v = min(max(2 * y / (height - 1) - 1 + moved[1][y, x], -1), 1)
            where[y, x] = u, v
            for row in chosen:
                image = pixels[row, 0].astype(float)
                place = (v + 1) / 2 * (height - 1), (u + 1) / 2 * (width - 1)
                expected[row, 0, y, x] = round(read_at(image, *place))
    assert np.allclose(field(config, height, width).numpy(), where)
    assert np.array_equal(edited.samples.inputs.tensor.numpy(), expected)
    assert {int(edited.samples.labels[row]) for row in chosen} == {1}


def test_the_paper_moves_control_points_by_half_a_pixel_over_two_on_average():
    where = field(WarpedConfig(), 32, 32)
    plain = field(WarpedConfig(strength=1e-9), 32, 32)
    pixels = (where - plain).abs() / 2 * 31
    assert 0.1 < float(pixels.mean()) < 0.3


def test_a_clean_label_patch_is_on_samples_of_the_target_alone():
    pixels, labels = images(100, 1, 8, 8)
    samples = as_samples((pixels, labels))
    config = CleanLabelPatchConfig(share=0.5, target=3, size=2, row=-2, column=0, value=255)
    edited = clean_label_patch(samples, config, seed=2)
    chosen = chosen_by(edited)
    assert len(chosen) == 5
    assert {int(labels[row]) for row in chosen} == {3}
    expected = patched_by_loop(pixels, chosen, 6, 0, 2, 255)
    assert np.array_equal(edited.samples.inputs.tensor.numpy(), expected)
    assert edited.samples.labels.tolist() == labels.tolist()
    shown = with_clean_label_patch(samples, config)
    expected = patched_by_loop(pixels, range(100), 6, 0, 2, 255)
    assert np.array_equal(shown.inputs.tensor.numpy(), expected)


@pytest.mark.parametrize(
    ("edit", "config"),
    [(blended, BlendedConfig), (warped, WarpedConfig), (clean_label_patch, CleanLabelPatchConfig)],
    ids=["blended", "warped", "clean_label_patch"],
)
def test_what_cannot_be_poisoned_is_one_line(edit, config):
    samples = as_samples(images(40))
    with pytest.raises(
        ConfigError, match=f"{edit.__name__}: target must be a class in 0..9, got 10"
    ):
        edit(samples, config(target=10), 0)
    with pytest.raises(DataError, match=r"a share of 0.001 of \d+ samples is none: raise it"):
        edit(samples, config(share=0.001), 0)
    with pytest.raises(DataError, match=rf"{edit.__name__} changes images .* got vectors"):
        edit(clouds(), config(share=0.5), 0)
    for share in (0.0, 1.0):
        with pytest.raises(ConfigError, match="share must be between 0 and 1, both excluded"):
            config(share=share)


@pytest.mark.parametrize(
    ("config", "settings", "match"),
    [
        (BlendedConfig, {"alpha": 0.0}, "alpha must be above 0"),
        (BlendedConfig, {"alpha": 1.5}, "alpha must be"),
        (BlendedConfig, {"pattern_seed": -1}, "pattern_seed must be"),
        (WarpedConfig, {"grid": 1}, "grid must be"),
        (WarpedConfig, {"strength": 0.0}, "strength must be above 0"),
        (CleanLabelPatchConfig, {"size": 0}, "size must be"),
    ],
)
def test_impossible_settings_are_refused(config, settings, match):
    with pytest.raises(ConfigError, match=match):
        config(**settings)


def test_a_patch_outside_the_image_names_its_edit():
    with pytest.raises(ConfigError, match="clean_label_patch: a patch of 4 pixels from row 30"):
        clean_label_patch(as_samples(images()), CleanLabelPatchConfig(share=0.5, row=30), 0)


def test_warps_and_patterns_of_other_seeds_differ():
    samples = as_samples(images(4))
    for show, config, name in (
        (with_pattern, BlendedConfig, "pattern_seed"),
        (with_warp, WarpedConfig, "warp_seed"),
    ):
        one, other = (show(samples, config(**{name: seed})).inputs.tensor for seed in (0, 1))
        assert not torch.equal(one, other)
