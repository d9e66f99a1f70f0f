import sys
import time

import numpy as np
import pytest
import torch

from expunge.data.arrays import as_samples
from expunge.data.inputs.images import StreamedImages
from expunge.data.inputs.placement import place_dataset
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.errors import ConfigError, DataError
from expunge.types import Dataset


def contents(folder):
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def write_npz(tmp_path):
    def write(**arrays):
        np.savez(tmp_path / "set.npz", **arrays)
        return str(tmp_path / "set.npz")

    return write


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A function: makes `made_data:make` return, or raise, what is given."""
    (tmp_path / "made_data.py").write_text("def make():\n    raise NotImplementedError\nlist_ = []")
    monkeypatch.syspath_prepend(tmp_path)
    import made_data

    def make(value):
        def give():
            if isinstance(value, Exception):
                raise value
            return value

        monkeypatch.setattr(made_data, "make", give)
        return "made_data:make"

    yield make
    del sys.modules["made_data"]


# digits


def test_digits_are_divided_class_by_class():
    dataset = load(DataSpec(source="digits", validation_fraction=0.1))
    train, test, validation = dataset.train, dataset.test, dataset.validation
    assert len(train) + len(test) + len(validation) == 1797
    assert dataset.held_out == ("test", "validation")
    assert train.name == "digits"
    assert train.inputs.shape == (1, 8, 8)
    assert train.class_names == tuple("0123456789")
    assert not {*train.ids} & {*test.ids}
    assert not {*train.ids} & {*validation.ids}
    share = torch.bincount(test.labels) / (
        torch.bincount(train.labels)
        + torch.bincount(test.labels)
        + torch.bincount(validation.labels)
    )
    torch.testing.assert_close(share, torch.full((10,), 0.2), atol=0.005, rtol=0)
    pixels = train.inputs.tensor
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert pixels.dtype == torch.uint8


def test_ids_do_not_depend_on_the_seed_of_the_split():
    def image_of(dataset):
        samples = dataset.train
        return dict(zip(samples.ids, samples.inputs.tensor, strict=True))

    one, other = (load(DataSpec(source="digits", seed=seed)) for seed in (0, 1))
    assert one.train.ids != other.train.ids
    first, second = image_of(one), image_of(other)
    common = first.keys() & second.keys()
    assert len(common) > 1000
    assert all(torch.equal(first[name], second[name]) for name in common)
    assert load(DataSpec(source="digits")).train.fingerprint == one.train.fingerprint


def test_limits_keep_the_numbers_asked_for():
    dataset = load(DataSpec(source="digits", train_limit=100, test_limit=30, name="few"))
    assert (len(dataset.train), len(dataset.test)) == (100, 30)
    assert torch.bincount(dataset.train.labels).tolist() == [10] * 10
    assert dataset.train.name == "few"
    assert {*dataset.train.ids} <= {*load(DataSpec(source="digits")).train.ids}


def test_digits_take_any_size_and_colour():
    dataset = load(DataSpec(source="digits", image_size=12, channels=3, train_limit=20))
    assert dataset.train.inputs.shape == (3, 12, 12)
    grey = dataset.train.inputs.tensor
    assert torch.equal(grey[:, 0], grey[:, 2])


def test_settings_that_do_not_apply_are_refused():
    with pytest.raises(ConfigError, match="label_column, train_split cannot be used with 'digits'"):
        load(DataSpec(source="digits", label_column="y", train_split="train"))


def test_what_is_left_after_holding_out_must_not_be_nothing(module):
    pair = (np.zeros((3, 1, 4, 4), np.uint8), [0, 1, 2])
    with pytest.raises(DataError, match=r"3 samples are too few to hold out 0.2 of every class"):
        load(DataSpec(source=module((pair, pair)), validation_fraction=0.2))


# folders


def test_a_folder_of_images_is_read_decoded_once_and_left_alone(image_folder, noise, cache):
    before = contents(image_folder)
    spec = DataSpec(source=str(image_folder), test_fraction=0.34)
    dataset = load(spec)
    assert contents(image_folder) == before
    assert dataset.train.name == "photos"
    assert dataset.train.class_names == ("cat", "dog")
    assert (len(dataset.train), len(dataset.test)) == (4, 2)
    assert isinstance(dataset.train.inputs, StreamedImages)
    whole = {
        row.tobytes() for seed in (0, 1) for row in noise(3, (6, 5, 3), seed).transpose(0, 3, 1, 2)
    }
    found = torch.cat([part.inputs.tensor for part in (dataset.train, dataset.test)])
    assert {row.numpy().tobytes() for row in found} == whole
    assert load(spec).train.fingerprint == dataset.train.fingerprint
    assert len(list(cache.iterdir())) == 1
    (folder,) = cache.iterdir()
    assert not (folder / "scratch").exists()


def test_a_second_load_does_not_need_the_library(image_folder, monkeypatch):
    first = load(DataSpec(source=str(image_folder)))
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert load(DataSpec(source=str(image_folder))).train.ids == first.train.ids


def test_a_changed_folder_is_decoded_again(image_folder):
    spec = DataSpec(source=str(image_folder))
    before = load(spec)
    (image_folder / "dog" / "0.png").unlink()
    after = load(spec)
    assert len(after.train) + len(after.test) == 5
    assert len(before.train) + len(before.test) == 6


def test_parquet_with_class_names_and_a_test_split(write_parquet, noise, tmp_path):
    images = noise(5, (4, 6, 3))
    folder = write_parquet(
        {"train": (images, [2, 0, 2, 1, 0]), "valid": (images[:2], [1, 1])},
        class_names=["x", "y", "z"],
        key=["a", "b", "c", "d", "e"],
    )
    before = contents(folder)
    dataset = load(DataSpec(source=str(folder), id_column="key", name="mine"), tmp_path / "other")
    assert contents(folder) == before
    assert (tmp_path / "other").is_dir()
    assert dataset.train.class_names == dataset.test.class_names == ("x", "y", "z")
    assert dataset.train.labels.tolist() == [2, 0, 2, 1, 0]
    assert dataset.train.ids == ("a", "b", "c", "d", "e")
    assert dataset.test.ids == ("a", "b")
    assert dataset.train.name == "mine"
    np.testing.assert_array_equal(dataset.train.inputs.tensor.numpy(), images.transpose(0, 3, 1, 2))
    placed = place_dataset(dataset, torch.device("cpu"))
    assert torch.equal(placed.train.inputs.tensor, dataset.train.inputs.tensor)


def test_numbers_stay_and_texts_are_sorted_over_all_splits(write_parquet, noise):
    images = noise(3, (4, 4))
    folder = write_parquet({"train": (images, [7, 3, 7]), "test": (images[:1], [9])})
    dataset = load(DataSpec(source=str(folder)))
    assert dataset.train.class_names == tuple("0123456789")
    assert dataset.train.labels.tolist() == [7, 3, 7]
    assert dataset.test.labels.tolist() == [9]
    folder = write_parquet({"train": (images, ["b", "a", "b"]), "test": (images[:1], ["a"])})
    assert load(DataSpec(source=str(folder))).train.class_names == ("a", "b")


def test_colour_anywhere_makes_all_splits_colour(write_parquet, noise):
    grey, colour = noise(2, (4, 4)), noise(2, (4, 4, 3))
    folder = write_parquet({"train": (grey, [0, 1]), "test": (colour, [0, 1])})
    dataset = load(DataSpec(source=str(folder)))
    assert dataset.train.inputs.shape == dataset.test.inputs.shape == (3, 4, 4)
    assert load(DataSpec(source=str(folder), channels=1)).test.inputs.shape == (1, 4, 4)


def test_different_sizes_are_brought_to_one_where_asked(write_parquet, noise):
    folder = write_parquet({"train": ([noise(1, (4, 4))[0], noise(1, (9, 6))[0]], [0, 1])})
    with pytest.raises(DataError, match=r"split train, row 1: the image is 9x6 .* pass image_size"):
        load(DataSpec(source=str(folder)))
    images = [*noise(9, (4, 4)), noise(1, (9, 6))[0]]
    folder = write_parquet({"train": (images, [0, 1] * 5)})
    assert load(DataSpec(source=str(folder), image_size=5)).train.inputs.shape == (1, 5, 5)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, -1], "split train, column 'label': 1 labels are negative, the first in row 1"),
        ([0.5, 1.0], "column 'label': labels must be one integer or text per sample, got float"),
        ([0, None], "column 'label': rows without a label: 1"),
        (["a", None], "column 'label': rows without a label: 1"),
    ],
)
def test_labels_that_are_none_are_refused(write_parquet, noise, labels, message):
    folder = write_parquet({"train": (noise(2, (4, 4)), labels)})
    with pytest.raises(DataError, match=message):
        load(DataSpec(source=str(folder)))


def test_rows_that_cannot_be_used_are_named(write_parquet, noise, cache):
    good = noise(2, (4, 4))
    folder = write_parquet({"train": ([*good, b"no image"], [0, 1, 0])})
    with pytest.raises(DataError, match="split train, row 2: the image cannot be decoded"):
        load(DataSpec(source=str(folder)))
    folder = write_parquet({"train": ([*good, None], [0, 1, 0])})
    with pytest.raises(DataError, match="split train, row 2 has no image"):
        load(DataSpec(source=str(folder)))
    folder = write_parquet({"train": (good, [0, 1])}, key=["same", "same"])
    with pytest.raises(DataError, match="1 ids are given more than once: same"):
        load(DataSpec(source=str(folder), id_column="key"))
    assert list(cache.iterdir()) == []


def test_unknown_columns_and_splits_are_named(write_parquet, noise):
    folder = str(write_parquet({"train": (noise(2, (4, 4)), [0, 1])}))
    with pytest.raises(DataError, match="unknown column 'lable': expected one of img, label"):
        load(DataSpec(source=folder, label_column="lable"))
    with pytest.raises(DataError, match="unknown split 'dev': expected one of train"):
        load(DataSpec(source=folder, test_split="dev"))


def test_a_folder_without_a_dataset_is_refused(tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    with pytest.raises(DataError, match=r"neither images nor parquet files: found no files"):
        load(DataSpec(source=str(folder)))
    (folder / "notes.txt").write_text("no images here")
    with pytest.raises(DataError, match=r"neither images nor parquet files: found notes.txt"):
        load(DataSpec(source=str(folder)))


def test_a_parquet_file_that_the_library_passes_over_is_named(write_parquet, noise):
    folder = write_parquet({"train": (noise(4, (4, 4)), [0, 1, 0, 1])})
    (file,) = folder.iterdir()
    (folder / "rest.parquet").write_bytes(file.read_bytes())
    dataset = load(DataSpec(source=str(folder), test_fraction=0.5))
    assert "left out 1 parquet files: rest.parquet" in str(dataset.notes)


def test_a_broken_file_is_refused(tmp_path, write_parquet, noise):
    folder = write_parquet({"train": (noise(2, (4, 4)), [0, 1])})
    (file,) = folder.iterdir()
    for content in (b"PAR1 nonsense PAR1", file.read_bytes()[:-9]):
        file.write_bytes(content)
        with pytest.raises(DataError, match=f"cannot read {folder} as a folder of parquet"):
            load(DataSpec(source=str(folder)))


def test_no_rows_are_refused(write_parquet):
    folder = write_parquet({"train": ([], [])}, class_names=["a"])
    with pytest.raises(DataError, match=r"cannot read|is empty"):
        load(DataSpec(source=str(folder)))


# npz files


def test_an_npz_file_with_its_own_test_set_and_ids(write_npz, noise):
    x = noise(4, (6, 5, 3))
    source = write_npz(
        x_train=x, y_train=[5, 9, 5, 9], x_test=x[:2], y_test=[9, 9], ids_train=list("abcd")
    )
    dataset = load(DataSpec(source=source))
    assert dataset.train.name == "set"
    assert dataset.train.ids == ("a", "b", "c", "d")
    assert dataset.train.class_names == tuple("0123456789")
    assert dataset.train.labels.tolist() == [5, 9, 5, 9]
    assert dataset.test.labels.tolist() == [9, 9]
    np.testing.assert_array_equal(dataset.train.inputs.tensor.numpy(), x.transpose(0, 3, 1, 2))
    smaller = load(DataSpec(source=source, image_size=4, channels=1))
    assert smaller.train.inputs.shape == (1, 4, 4)


def test_an_npz_file_without_test_set_is_divided(write_npz, noise):
    source = write_npz(x_train=noise(10, (6, 5)), y_train=[0, 1] * 5)
    dataset = load(DataSpec(source=source))
    assert (len(dataset.train), len(dataset.test)) == (8, 2)


def test_floats_are_not_resized(write_npz):
    source = write_npz(x_train=np.zeros((4, 6, 6)), y_train=[0, 1, 0, 1])
    with pytest.raises(DataError, match="change images of uint8 only, got float32"):
        load(DataSpec(source=source, image_size=4))


def test_broken_npz_files_are_refused(write_npz, tmp_path):
    x, y = np.zeros((4, 6, 6), np.uint8), [0, 1, 0, 1]
    with pytest.raises(DataError, match="needs the arrays x_train and y_train, has x_train"):
        load(DataSpec(source=write_npz(x_train=x)))
    with pytest.raises(DataError, match="needs the arrays x_test and y_test, has"):
        load(DataSpec(source=write_npz(x_train=x, y_train=y, y_test=y)))
    with pytest.raises(DataError, match=r"as an .npz file of plain arrays: .*allow_pickle"):
        load(DataSpec(source=write_npz(x_train=x, y_train=np.array([{}] * 4))))
    with pytest.raises(DataError, match=r"no file .*absent.npz"):
        load(DataSpec(source=str(tmp_path / "absent.npz")))
    path = tmp_path / "set.npz"
    whole = path.read_bytes()
    for content in (b"", b"nonsense", whole[: len(whole) // 2], whole[:80] + b"x" + whole[81:]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"cannot read .*set.npz as an .npz file"):
            load(DataSpec(source=str(path)))
    np.save(tmp_path / "one.npy", x)
    (tmp_path / "one.npy").rename(path)
    with pytest.raises(DataError, match=r"cannot read .*set.npz as an .npz file"):
        load(DataSpec(source=str(path)))


# callables


def test_a_callable_gives_a_pair_or_a_dataset(module, noise, samples):
    pair = (noise(4, (1, 4, 4)), [1, 2, 4, 1])
    dataset = load(DataSpec(source=module((pair, (pair[0][:1], [2])))))
    assert dataset.train.name == "made_data:make"
    assert dataset.train.class_names == ("0", "1", "2", "3", "4")
    assert dataset.test.labels.tolist() == [2]
    given = Dataset(train=samples, test=samples)
    dataset = load(DataSpec(source=module(given), train_limit=6))
    assert len(dataset.train) == 6
    assert dataset.test is samples
    assert load(DataSpec(source=module([samples, samples]))).train is samples
    held_out = load(DataSpec(source=module(given), validation_fraction=0.5))
    assert len(held_out.validation) == 30
    assert held_out.held_out == ("validation",)
    with pytest.raises(ConfigError, match="has validation samples: leave validation_fraction out"):
        load(
            DataSpec(
                source=module(Dataset(train=samples, test=samples, validation=samples)),
                validation_fraction=0.5,
            )
        )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (ValueError("two\nlines"), "'made_data:make' raised ValueError: two lines"),
        (3, r"must return a Dataset or a pair \(train, test\), got int"),
        ((1, 2, 3), r"got tuple"),
        (("a", "b"), "made_data:make, train: expected a pair"),
    ],
)
def test_a_callable_that_gives_something_else_is_refused(module, value, message):
    with pytest.raises(DataError, match=message):
        load(DataSpec(source=module(value)))


def test_samples_and_tables_cannot_be_mixed(module, samples, noise):
    with pytest.raises(DataError, match="made_data:make, train: expected a pair"):
        load(DataSpec(source=module((samples, (noise(2, (1, 8, 8)), [0, 1])))))


def test_a_test_set_must_fit_the_training_set(module, samples, noise):
    other = as_samples((noise(3, (1, 8, 9)), [0, 1, 2]))
    message = r"training images \(1, 8, 8\) of 3 classes do not fit images \(1, 8, 9\) of 3 classes"
    with pytest.raises(DataError, match=message):
        load(DataSpec(source=module((samples, other))))
    other = as_samples((noise(2, (1, 8, 8)), [0, 1]))
    with pytest.raises(DataError, match=r"of 3 classes do not fit .* of 2 classes"):
        load(DataSpec(source=module((samples, other))))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no_such_module:make", "cannot import 'no_such_module:make', .*: No module named"),
        ("made_data:absent", "cannot import 'made_data:absent', .*no attribute 'absent'"),
        ("made_data:list_", "'made_data:list_' must be callable, got list"),
    ],
)
@pytest.mark.usefixtures("module")
def test_a_callable_that_is_not_there_is_named(source, message):
    with pytest.raises(DataError, match=message):
        load(DataSpec(source=source))


# all


@pytest.mark.parametrize("source", ["/no/such/folder", "./nothing", "a:b:c", "what is this?"])
def test_an_unknown_source_is_told_what_there_is(source):
    with pytest.raises(DataError, match=r"unknown dataset .*: expected digits, breast_cancer, a"):
        load(DataSpec(source=source))


def test_a_file_is_no_source(tmp_path):
    (tmp_path / "file.txt").write_bytes(b"")
    with pytest.raises(DataError, match="unknown dataset"):
        load(DataSpec(source=str(tmp_path / "file.txt")))


def test_real_images_are_decoded_once_and_then_read_at_once(shared_data):
    source = shared_data / "cifar10"
    if not source.is_dir():
        pytest.skip(f"no {source}")
    spec = DataSpec(source=str(source), train_split="test", name="cifar10-jpeg")
    dataset = load(spec)
    assert (len(dataset.train), len(dataset.test)) == (8_000, 2_000)
    assert dataset.train.inputs.shape == (3, 32, 32)
    assert dataset.train.class_names[3] == "cat"
    start = time.perf_counter()
    assert load(spec).train.fingerprint == dataset.train.fingerprint
    assert time.perf_counter() - start < 1
