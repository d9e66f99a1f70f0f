import threading

import numpy as np
import pytest
import torch

from expunge.data.inputs.images import ResidentImages, StreamedImages
from expunge.data.inputs.placement import place, place_dataset
from expunge.errors import DataError
from expunge.types import Dataset, Samples

CPU = torch.device("cpu")


@pytest.fixture
def array(noise):
    return noise(40, (3, 4, 5))


@pytest.fixture
def mapped(array, tmp_path):
    path = tmp_path / "inputs.npy"
    np.save(path, array)
    return np.load(path, mmap_mode="r")


def reading_threads():
    return [thread for thread in threading.enumerate() if "expunge-images" in thread.name]


def indices(n, size=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return list(torch.randperm(n, generator=generator).split(size))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_resident_and_streamed_give_the_same_batches(array, dtype):
    array = array.astype(dtype)
    resident = ResidentImages(torch.from_numpy(array))
    streamed = StreamedImages(array)
    assert resident.shape == streamed.shape == (3, 4, 5)
    assert len(resident) == len(streamed) == 40
    assert resident.nbytes == streamed.nbytes == array.nbytes
    batches = indices(40)
    count = 0
    for index, one, other in zip(
        batches, resident.batches(batches), streamed.batches(batches), strict=True
    ):
        np.testing.assert_array_equal(one.numpy(), array[index.numpy()])
        assert torch.equal(one, other)
        assert one.dtype == other.dtype
        count += 1
    assert count == 6


def test_a_view_is_of_its_images_in_its_order_also_of_a_view(array, mapped):
    index = torch.tensor([5, 3, 3, 39])
    again = torch.tensor([2, 0])
    for images in (ResidentImages(torch.from_numpy(array)), StreamedImages(mapped)):
        view = images.take(index)
        assert len(view) == 4
        assert view.nbytes == 4 * 60
        np.testing.assert_array_equal(view.tensor.numpy(), array[[5, 3, 3, 39]])
        view = view.take(again)
        (batch,) = view.batches([torch.tensor([1, 0])])
        np.testing.assert_array_equal(batch.numpy(), array[[5, 3]])


def test_taking_a_view_copies_nothing(array):
    tensor = torch.from_numpy(array)
    view = ResidentImages(tensor).take(torch.arange(3))
    assert view._tensor is tensor
    assert ResidentImages(tensor).tensor is tensor


def test_going_to_the_device_where_they_are_copies_nothing(array):
    images = ResidentImages(torch.from_numpy(array))
    assert images.to(CPU) is images


def test_a_view_takes_only_its_own_images_to_a_device(array):
    moved = ResidentImages(torch.from_numpy(array)).take(torch.arange(5)).to(torch.device("meta"))
    assert moved.tensor.shape == (5, 3, 4, 5)
    assert moved.tensor.device.type == "meta"
    assert moved.nbytes == 5 * 60


def test_streamed_images_go_where_they_are_sent(mapped):
    moved = StreamedImages(mapped).take(torch.tensor([4])).to(torch.device("meta"))
    (batch,) = moved.batches([torch.tensor([0])])
    assert batch.device.type == "meta"
    assert batch.shape == (1, 3, 4, 5)


def test_the_thread_ends_when_the_consumer_stops_early(mapped):
    batches = StreamedImages(mapped).batches(indices(40, size=1))
    next(batches)
    assert reading_threads()
    batches.close()
    assert not reading_threads()
    for _ in StreamedImages(mapped).batches(indices(40, size=1)):
        break
    assert not reading_threads()


def test_errors_while_reading_reach_the_consumer(mapped):
    batches = StreamedImages(mapped).batches([torch.tensor([0]), torch.tensor([40])])
    next(batches)
    with pytest.raises(IndexError, match="40"):
        next(batches)
    assert not reading_threads()


def test_errors_in_the_index_reach_the_consumer(mapped):
    def index():
        yield torch.tensor([0])
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        list(StreamedImages(mapped).batches(index()))
    assert not reading_threads()


def test_no_more_than_the_prefetched_batches_are_read_ahead(mapped):
    asked = []

    def index():
        for i in range(40):
            asked.append(i)
            yield torch.tensor([i])

    batches = StreamedImages(mapped, prefetch=2).batches(index())
    next(batches)
    assert len(asked) == 3
    next(batches)
    assert len(asked) == 4
    batches.close()


def test_images_are_resident_within_the_budget_and_streamed_beyond_it(array, mapped):
    size = array.nbytes
    for images in (array, StreamedImages(mapped), ResidentImages(torch.from_numpy(array))):
        near = place(images, CPU, size)
        far = place(images, CPU, size - 1)
        assert isinstance(near, ResidentImages)
        assert isinstance(far, StreamedImages)
        for placed in (near, far):
            np.testing.assert_array_equal(placed.tensor.numpy(), array)


def test_only_the_images_of_a_view_count_against_the_budget(mapped):
    view = StreamedImages(mapped).take(torch.arange(2))
    assert isinstance(place(view, CPU, 2 * 60), ResidentImages)


def test_other_kinds_of_images_go_to_the_device_themselves():
    class Other:
        def to(self, device):
            return f"on {device}"

    assert place(Other(), CPU) == "on cpu"


def test_a_dataset_shares_one_budget(array):
    def samples(count):
        return Samples(
            inputs=StreamedImages(array[:count]),
            labels=torch.zeros(count, dtype=torch.int64),
            ids=tuple(map(str, range(count))),
            class_names=("all",),
            name="noise",
            fingerprint="",
        )

    dataset = Dataset(train=samples(10), test=samples(12), validation=samples(5))
    placed = place_dataset(dataset, CPU, budget_bytes=15 * 60)
    assert isinstance(placed.train.inputs, ResidentImages)
    assert isinstance(placed.test.inputs, StreamedImages)
    assert isinstance(placed.validation.inputs, ResidentImages)
    assert placed.train.ids == dataset.train.ids
    assert place_dataset(Dataset(train=samples(1), test=samples(1)), CPU).validation is None


@pytest.mark.parametrize(
    "array", [np.zeros((2, 3, 4), np.uint8), np.zeros((2, 3, 4, 4), np.float64)]
)
def test_other_shapes_and_dtypes_are_refused(array):
    with pytest.raises(DataError, match=r"uint8 or float32 of shape \(N, C, H, W\), got"):
        StreamedImages(array)
    with pytest.raises(DataError, match=r"uint8 or float32 of shape \(N, C, H, W\), got"):
        ResidentImages(torch.from_numpy(array))
