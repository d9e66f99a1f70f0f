import io

import numpy as np
import pytest
from PIL import Image

from expunge.data.decode import Format, Seen, convert, decode_into, find_format, fit, pixels
from expunge.errors import DataError


class Listed:
    """Encoded images in a list, `size` of them in a chunk."""

    def __init__(self, encoded, size):
        self.encoded = encoded
        self.size = size

    def __len__(self):
        return len(self.encoded)

    def name(self, row):
        return f"here, row {row}"

    def chunks(self):
        return (self.encoded[i : i + self.size] for i in range(0, len(self.encoded), self.size))


def decode(encoded, channels=None, image_size=None, size=2, seen=None):
    pictures = Listed(encoded, size)
    wanted = find_format(pictures, channels, image_size)
    shape = (len(encoded), wanted.channels, wanted.height, wanted.width)
    out = np.zeros(shape, np.uint8)
    decode_into(out, pictures, wanted, seen or Seen())
    return out


def test_colour_images_come_out_as_they_went_in(noise, png, tmp_path):
    arrays = noise(5, (6, 7, 3))
    encoded = [png(array) for array in arrays]
    (tmp_path / "last.png").write_bytes(encoded[-1])
    encoded[-1] = tmp_path / "last.png"
    np.testing.assert_array_equal(decode(encoded), arrays.transpose(0, 3, 1, 2))


def test_large_images_are_decoded_the_same_by_threads(noise, png):
    arrays = noise(9, (80, 60, 3))
    encoded = [png(array) for array in arrays]
    assert len(encoded[0]) > 8192
    np.testing.assert_array_equal(decode(encoded, size=4), arrays.transpose(0, 3, 1, 2))


def test_grey_images_stay_grey_unless_one_has_colour(noise, png):
    grey = noise(3, (4, 4))
    encoded = [png(array) for array in grey]
    np.testing.assert_array_equal(decode(encoded), grey[:, None])
    mixed = decode([*encoded, png(noise(1, (4, 4, 3))[0])])
    assert mixed.shape == (4, 3, 4, 4)
    for channel in range(3):
        np.testing.assert_array_equal(mixed[:3, channel], grey)


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_are_as_asked(noise, png, channels):
    assert decode([png(noise(1, (4, 4, 3))[0])], channels).shape == (1, channels, 4, 4)
    assert decode([png(noise(1, (4, 4))[0])], channels).shape == (1, channels, 4, 4)


def test_transparency_and_palettes_become_colour(noise):
    encoded = []
    for mode in ("RGBA", "P"):
        file = io.BytesIO()
        Image.fromarray(noise(1, (4, 4, 3))[0]).convert(mode).save(file, "PNG")
        encoded.append(file.getvalue())
    assert decode(encoded).shape == (2, 3, 4, 4)


def test_the_shorter_side_is_resized_and_the_centre_cut_out(png):
    array = np.zeros((8, 24, 3), np.uint8)
    array[:, 4:20] = 200
    out = decode([png(array), png(np.full((5, 5, 3), 9, np.uint8))], image_size=4)
    assert out.shape == (2, 3, 4, 4)
    assert (out[0] == 200).all()
    assert (out[1] == 9).all()


def test_photographs_are_turned_upright(noise):
    array = noise(1, (4, 6, 3))[0]
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(array).save(file, "PNG", exif=exif)
    out = decode([file.getvalue()])
    np.testing.assert_array_equal(out[0], np.rot90(array, -1).transpose(2, 0, 1))


def test_different_sizes_need_one_size(png):
    encoded = [png(np.zeros((4, 5), np.uint8)), png(np.zeros((6, 7), np.uint8))]
    with pytest.raises(
        DataError, match="here, row 1: the image is 6x7 but here, row 0 is 4x5: pass image_size"
    ):
        decode(encoded)


@pytest.mark.parametrize("bad", [b"not an image", b"", "cut"])
def test_an_image_that_cannot_be_decoded_is_named(noise, png, bad):
    good = png(noise(1, (9, 9, 3))[0])
    encoded = [good, good, good, good[: len(good) // 2] if bad == "cut" else bad]
    with pytest.raises(DataError, match="here, row 3: the image cannot be decoded"):
        decode(encoded)
    with pytest.raises(DataError, match="here, row 0: the image cannot be decoded"):
        decode(encoded[::-1])


def test_a_bad_image_is_also_named_while_colour_is_looked_for(png):
    good = png(np.zeros((4, 4), np.uint8))
    with pytest.raises(DataError, match="here, row 2: the image cannot be decoded"):
        decode([good, good, b"no"])


def test_a_row_without_image_is_named(png):
    with pytest.raises(DataError, match="here, row 1 has no image"):
        decode([png(np.zeros((4, 4, 3), np.uint8)), None])
    with pytest.raises(DataError, match="here, row 0 has no image"):
        decode([None])


def test_a_chunk_without_any_image_is_named(png):
    with pytest.raises(DataError, match="here, row 2 has no image"):
        decode([*[png(np.zeros((4, 4, 3), np.uint8))] * 2, None, None])


def test_more_than_8_bits_are_refused(png):
    with pytest.raises(DataError, match="row 0: expected 8 bits per channel, got PIL mode I;16"):
        decode([png(np.zeros((4, 4), np.uint16))])


def test_steps_do_nothing_where_nothing_is_to_do(noise):
    image = Image.fromarray(noise(1, (4, 5, 3))[0])
    wanted = Format(channels=3, height=4, width=5, cut=True)
    assert fit(convert(image, 3), wanted) is image
    assert pixels(image).shape == (3, 4, 5)
