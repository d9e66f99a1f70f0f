import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import TensorDataset

from expunge.data.arrays import as_samples
from expunge.data.inputs.images import StreamedImages
from expunge.errors import DataError

LABELS = [1, 0, 2, 1]


class Listed(torch.utils.data.Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def test_samples_come_back_unchanged(samples):
    assert as_samples(samples, name="other") is samples


def test_every_way_to_give_the_same_images_gives_the_same_samples(noise):
    array = noise(4, (3, 5, 6))
    tensor, last = torch.from_numpy(array), array.transpose(0, 2, 3, 1)
    given = [
        (array, LABELS),
        (array, np.array(LABELS, np.uint8)),
        [tensor, torch.tensor(LABELS)],
        (last, LABELS),
        (torch.from_numpy(last.copy()), torch.tensor(LABELS)),
        (array.astype(np.int64), LABELS),
        TensorDataset(tensor, torch.tensor(LABELS)),
        Listed(list(zip(last, LABELS, strict=True))),
        Listed(
            [(Image.fromarray(image), label) for image, label in zip(last, LABELS, strict=True)]
        ),
        list(zip(array, LABELS, strict=True)),
    ]
    first = as_samples(given[0])
    assert first.inputs.shape == (3, 5, 6)
    assert first.labels.tolist() == LABELS
    assert first.class_names == ("0", "1", "2")
    for data in given:
        samples = as_samples(data)
        assert samples.fingerprint == first.fingerprint
        assert samples.ids == first.ids
        np.testing.assert_array_equal(samples.inputs.tensor.numpy(), array)


def test_grey_images_need_no_channel_axis(noise):
    array = noise(4, (5, 6))
    samples = as_samples((array, LABELS))
    assert samples.inputs.shape == (1, 5, 6)
    pictures = Listed([(Image.fromarray(image), 0) for image in array])
    assert as_samples(pictures).ids == samples.ids
    assert as_samples((array[..., None], LABELS)).ids == samples.ids


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("raw", [False, True])
def test_floats_are_kept_as_float32(noise, dtype, raw):
    array = (noise(4, (3, 5, 6)) / 255 - (2 if raw else 0)).astype(dtype)
    images = as_samples((array, LABELS), raw_pixels=raw).inputs.tensor
    assert images.dtype == torch.float32
    np.testing.assert_array_equal(images.numpy(), array.astype(np.float32))


@pytest.mark.parametrize(
    "dtype", ["uint16", "uint32", "uint64", "int16", ">u2", ">i4", "int64", ">f4", "longdouble"]
)
def test_any_type_of_number_holds_pixels(noise, dtype):
    array = noise(4, (3, 5, 6))
    scaled = array / 255 if np.dtype(dtype).kind == "f" else array
    images = as_samples((scaled.astype(dtype), LABELS)).inputs.tensor.numpy()
    np.testing.assert_allclose(images, scaled, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.uint16, torch.uint32, torch.int16, torch.bfloat16])
def test_any_type_of_tensor_holds_pixels(noise, dtype):
    array = noise(4, (3, 5, 6))
    if dtype.is_floating_point:
        array //= 255
    images = as_samples((torch.from_numpy(array).to(dtype), LABELS)).inputs.tensor.numpy()
    np.testing.assert_array_equal(images, array)


@pytest.mark.parametrize("dtype", [np.uint16, np.uint64, ">f4", np.float16, bool])
def test_any_type_of_number_makes_vectors(noise, dtype):
    array = noise(4, (7,)).astype(dtype)
    if dtype is bool:
        with pytest.raises(DataError, match=r"expected vectors of numbers, got torch.bool"):
            as_samples((array, LABELS))
        return
    found = as_samples((array, LABELS)).inputs.tensor
    np.testing.assert_array_equal(found.numpy(), array.astype(np.float32))


def test_dark_bytes_are_noted(noise):
    (note,) = as_samples((noise(4, (5, 6)) // 16, LABELS)).notes
    assert note.startswith("the largest pixel is 15: integers are read as 0-255")
    assert as_samples((noise(4, (5, 6)), LABELS)).notes == ()


def test_arrays_are_shared_not_copied(noise):
    array = noise(4, (3, 5, 6))
    array.flags.writeable = False
    images = as_samples((array, LABELS)).inputs.tensor
    assert images.data_ptr() == array.ctypes.data


def test_a_memory_map_is_not_read_into_memory(noise, tmp_path):
    np.save(tmp_path / "x.npy", noise(4, (3, 5, 6)))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    samples = as_samples((mapped, LABELS))
    assert isinstance(samples.inputs, StreamedImages)
    assert samples.ids == as_samples((np.array(mapped), LABELS)).ids


def test_whole_number_labels_are_outputs_of_the_network_and_stay(noise):
    samples = as_samples((noise(2, (1, 4, 4)), [4, 1]))
    assert samples.labels.tolist() == [4, 1]
    assert samples.num_classes == 5


def test_texts_are_numbered_in_sorted_order_or_as_told(noise):
    images = noise(3, (1, 4, 4))
    samples = as_samples((images, ["dog", "cat", "dog"]))
    assert samples.labels.tolist() == [1, 0, 1]
    assert samples.class_names == ("cat", "dog")
    samples = as_samples((images[:1], ["dog"]), class_names=("ant", "dog", "cat"))
    assert samples.labels.tolist() == [1]
    assert samples.class_names == ("ant", "dog", "cat")
    with pytest.raises(DataError, match="row 0: label dog is not one of the 1 classes ant"):
        as_samples((images[:1], ["dog"]), class_names=["ant"])


def test_class_names_may_be_more_than_occur(noise):
    samples = as_samples((noise(2, (1, 4, 4)), [0, 1]), class_names=["a", "b", "c"])
    assert samples.num_classes == 3
    with pytest.raises(DataError, match="label 1 is not one of the 1 classes a"):
        as_samples((noise(2, (1, 4, 4)), [0, 1]), class_names=["a"])


def test_ids_may_be_given(noise):
    samples = as_samples((noise(2, (1, 4, 4)), [0, 1]), ids=["x", "y"], name="set")
    assert samples.ids == ("x", "y")
    assert samples.name == "set"
    with pytest.raises(DataError, match="set: 1 ids are given more than once: x"):
        as_samples((noise(2, (1, 4, 4)), [0, 1]), ids=["x", "x"], name="set")
    with pytest.raises(DataError, match="set has 2 images but 1 ids"):
        as_samples((noise(2, (1, 4, 4)), [0, 1]), ids=["x"], name="set")


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_ids_are_unique_however_often_an_image_comes(rows):
    array = np.arange(4, dtype=np.uint8)[rows][:, None, None, None].repeat(2, 3)
    samples = as_samples((array[..., :1], np.zeros(len(rows), int)))
    assert len(set(samples.ids)) == len(rows)
    for row, value in enumerate(rows):
        repeats = rows[:row].count(value)
        assert samples.ids[row].endswith(f"-{repeats}") == bool(repeats)


ZEROS = np.zeros((2, 3, 4, 4), np.uint8)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (ZEROS, r"data: expected a pair \(images, labels\).*, got ndarray"),
        ("digits", "got str"),
        ({"train": 1}, "got dict"),
        ((ZEROS, [0]), "data has 2 images but 1 labels"),
        ((ZEROS[:0], []), r"data is empty: images have the shape \(0, 3, 4, 4\)"),
        ((ZEROS[:, :2], [0, 1]), r"with 1 or 3 channels, got \(2, 2, 4, 4\)"),
        ((np.full((2, 4, 4), "a"), [0, 1]), "expected images of numbers, got an array of <U1"),
        (
            (ZEROS.astype(int) + 256, [0, 1]),
            "integers in 0-255 or floats in 0-1, got int64 in 256 to 256: scale them, or, if thes",
        ),
        ((ZEROS.astype(np.int16) - 1, [0, 1]), "got int16 in -1 to -1"),
        ((ZEROS.astype(np.uint16) + 256, [0, 1]), "got int64 in 256 to 256"),
        ((ZEROS.astype(np.int64) + 49, [0, 1]), "int64 in 49 to 49 may be no pixels in 0-255: "),
        ((ZEROS.astype(np.uint64) + 2**63, [0, 1]), "images hold 9223372036854775808, which no i"),
        ((ZEROS + 2.5, [0, 1]), "floats in 0-1, got float64 in 2.5 to 2.5: scale them; if the net"),
        ((ZEROS - np.float32(0.5), [0, 1]), "got float32 in -0.5 to -0.5"),
        ((ZEROS.astype(complex), [0, 1]), "expected images of numbers, got an array of complex128"),
        ((torch.zeros(2, 1, 4, 4).to_sparse(), [0, 1]), "a dense tensor, got torch.sparse_coo"),
        ((torch.zeros(2, 1, 4, 4, dtype=torch.complex64), [0, 1]), "or floats, got complex64"),
        ((ZEROS.astype(object), [0, 1]), "expected images of numbers, got an array of object"),
        ((ZEROS.astype("M8[s]"), [0, 1]), r"got an array of datetime64\[s\]"),
        ((np.ma.masked_equal(ZEROS, 0), [0, 1]), "expected images without gaps, got a masked"),
        ((ZEROS.astype(bool), [0, 1]), "got bool"),
        ((ZEROS / np.float64([[[[1.0]]], [[[0.1]]]]) + [[[[0.0]]], [[[np.nan]]]], [0, 1]), "row 1"),
        ((ZEROS, [0, -1]), "1 labels are negative, the first in row 1"),
        ((ZEROS, torch.tensor([0.0, 1.0])), "got float32"),
        (Listed([]), "data is empty: expected at least one item"),
        (Listed([ZEROS[0]]), r"row 0: expected an item \(image, label\), got ndarray"),
        (Listed([("a", 0)]), "row 0: expected an image as tensor, array or PIL image, got str"),
        (
            Listed([(ZEROS[0], 0), (ZEROS[0, :1], 0)]),
            r"row 1: the image has the shape \(1, 4, 4\) but the first \(3, 4, 4\)",
        ),
        (
            Listed([(Image.new("I", (2, 2)), 0)]),
            "row 0: expected 8 bits per channel, got PIL mode I",
        ),
        (iter([]), "got list_iterator"),
    ],
)
def test_other_data_is_refused(data, message):
    with pytest.raises(DataError, match=message):
        as_samples(data)
