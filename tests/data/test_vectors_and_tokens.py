"""Vectors and tokens: storage, what tells them apart, and every way that they come in."""

import csv
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.kinds import clouds, sentences

from expunge.data.arrays import as_samples
from expunge.data.inputs.placement import place_dataset
from expunge.data.inputs.tokens import Tokens
from expunge.data.inputs.vectors import Vectors
from expunge.data.sources import SOURCES, all_sources, find_source, load
from expunge.data.sources.source import Source
from expunge.data.spec import DataSpec
from expunge.data.splits import subset
from expunge.data.statistics import input_statistics
from expunge.errors import ConfigError, DataError
from expunge.types import Dataset

datasets = pytest.importorskip("datasets")


@pytest.fixture
def write(tmp_path):
    """A function: writes columns to a file of the kind that its name says."""

    def write(name, **columns):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if path.suffix == ".npz":
            np.savez(path, **columns)
        elif path.suffix == ".csv":
            with path.open("w", newline="", encoding="utf-8") as file:
                rows = csv.writer(file)
                rows.writerow(columns)
                rows.writerows(zip(*columns.values(), strict=True))
        else:
            datasets.Dataset.from_dict(columns).to_parquet(path)
        return str(path)

    return write


def ragged(*lengths):
    return [list(range(1, length + 1)) for length in lengths]


# storage


def test_vectors_are_handed_out_as_they_are():
    numbers = torch.arange(12.0).view(4, 3)
    vectors = Vectors(numbers)
    assert (vectors.kind, vectors.shape, vectors.dtype, len(vectors)) == (
        "vectors",
        (3,),
        torch.float32,
        4,
    )
    view = vectors.take(torch.tensor([3, 1])).take(torch.tensor([1, 0, 0]))
    (batch,) = view.batches([torch.tensor([0, 2])])
    assert torch.equal(batch, numbers[[1, 3]])
    assert vectors.tensor.data_ptr() == numbers.data_ptr()
    for wrong in (numbers.double(), numbers[0], numbers[:, None]):
        with pytest.raises(DataError, match=r"vectors must be float32 of shape \(N, D\), got"):
            Vectors(wrong)


def test_tokens_are_handed_out_by_name():
    samples = sentences()
    tokens = samples.inputs
    assert (tokens.kind, tokens.shape, tokens.dtype, len(tokens)) == (
        "tokens",
        (6,),
        torch.int64,
        24,
    )
    assert tokens.vocabulary == 20
    view = tokens.take(torch.tensor([3, 1])).take(torch.tensor([1, 0, 0]))
    assert len(view) == 3
    (batch,) = view.to(torch.device("cpu")).batches([torch.tensor([0, 2])])
    assert list(batch) == ["input_ids", "attention_mask"]
    for name, tensor in batch.items():
        assert torch.equal(tensor, tokens.tensors[name][[1, 3]])
    longer = tokens.padded(8).tensors
    assert all(torch.equal(longer[name][:, :6], tokens.tensors[name]) for name in longer)
    assert not any(tensor[:, 6:].any() for tensor in longer.values())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"attention_mask": None}, "tokens are input_ids, attention_mask and perhaps"),
        ({"other": torch.ones((2, 3), dtype=torch.int64)}, "got input_ids, attention_mask, other"),
        ({"attention_mask": torch.ones((2, 4), dtype=torch.int64)}, r"has the shape \(2, 4\), and"),
        ({"attention_mask": torch.ones((2, 3))}, "attention_mask must be int64 .* got float32"),
        ({"attention_mask": torch.tensor([[1, 1, 1], [0, 0, 0]])}, "row 1: attention_mask must be"),
        ({"attention_mask": torch.tensor([[1, 1, 1], [2, 1, 0]])}, "row 1: attention_mask must be"),
        ({"input_ids": torch.tensor([[1, -1, 1], [2, 1, 0]])}, "row 0: input_ids holds a negative"),
    ],
)
def test_what_are_no_tokens_is_refused(changes, message):
    ones = torch.ones((2, 3), dtype=torch.int64)
    tensors = {"input_ids": ones, "attention_mask": ones, **changes}
    tensors = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    with pytest.raises(DataError, match=message):
        Tokens(tensors)


# what tells them apart


def test_ids_do_not_depend_on_the_longest_of_the_others():
    samples = sentences()
    longer = as_samples((samples.inputs.padded(9).tensors, samples.labels))
    assert longer.ids == samples.ids
    assert len({*samples.ids}) == len(samples)
    assert longer.fingerprint != samples.fingerprint


@pytest.mark.parametrize("name", ["input_ids", "attention_mask"])
def test_ids_and_fingerprints_see_every_tensor(name):
    samples = sentences()
    tensors = {name: tensor.clone() for name, tensor in samples.inputs.tensors.items()}
    tensors[name][3, 0] = 0
    changed = as_samples((tensors, samples.labels))
    assert [row for row in range(24) if changed.ids[row] != samples.ids[row]] == [3]
    assert changed.fingerprint != samples.fingerprint


def test_ids_and_fingerprints_of_vectors():
    samples = clouds()
    numbers = samples.inputs.tensor.clone()
    numbers[4] = numbers[2]
    changed = as_samples((numbers, samples.labels))
    assert changed.ids[4] == f"{samples.ids[2]}-1"
    assert changed.fingerprint != samples.fingerprint
    assert as_samples((samples.inputs.tensor, samples.labels)).fingerprint == samples.fingerprint


@pytest.mark.parametrize("samples", [clouds(), sentences()], ids=["vectors", "tokens"])
def test_a_subset_and_its_placement(samples):
    index = torch.tensor([7, 2, 4])
    part = subset(samples, index)
    assert part.ids == tuple(samples.ids[row] for row in index)
    placed = place_dataset(Dataset(train=part, test=samples), torch.device("cpu"), budget_bytes=0)
    whole = as_samples((_stored(placed.train.inputs), part.labels))
    assert whole.ids == part.ids


def _stored(inputs):
    return inputs.tensors if isinstance(inputs, Tokens) else inputs.tensor


def test_statistics_of_features():
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((3000, 3)) * [1e-2, 3, 1] + [1e4, -5, 0]
    vectors[:, 2] = 7
    vectors = vectors.astype(np.float32)
    mean, std = input_statistics(as_samples((vectors, np.zeros(3000, int))))
    np.testing.assert_allclose(mean, vectors.astype(np.float64).mean(0))
    np.testing.assert_allclose(std[:2], vectors.astype(np.float64).std(0)[:2])
    assert std[2] == 1
    assert input_statistics(sentences()) is None


# arrays


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint8])
def test_arrays_of_two_dimensions_are_vectors(dtype):
    array = np.arange(12).reshape(4, 3).astype(dtype)
    samples = as_samples((array, [0, 1, 0, 1]))
    assert samples.inputs.kind == "vectors"
    np.testing.assert_array_equal(samples.inputs.tensor.numpy(), array.astype(np.float32))
    rows = [(torch.from_numpy(row), label) for row, label in zip(array, [0, 1, 0, 1], strict=True)]
    assert as_samples(rows).ids == samples.ids


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((0, 3)), r"expected vectors of shape \(N, D\), got \(0, 3\)"),
        (np.array([["a", "b"]]), "expected vectors of numbers, got an array of <U1"),
        (np.array([[1.0, 2.0], [0.0, np.inf]]), "row 1: number 1 of the vector is not finite"),
        (np.array([[1.0, 2.0], [1e300, 0.0]]), "row 1: number 0 of the vector is not finite"),
        (np.array([[True, False]]), "got torch.bool"),
        ({"input_ids": np.ones((2, 3), int)}, "data: tokens are input_ids, attention_mask and"),
        ({"input_ids": np.ones((2, 3))}, "data: input_ids must be integers, got torch.float64"),
    ],
)
def test_arrays_that_are_neither_are_refused(inputs, message):
    with pytest.raises(DataError, match=message):
        as_samples((inputs, [0, 1]))


def test_a_split_of_the_library_may_hold_tokens_or_numbers():
    columns = {"input_ids": ragged(3, 2), "attention_mask": [[1] * 3, [1] * 2], "label": [1, 0]}
    samples = as_samples(datasets.Dataset.from_dict(columns))
    assert samples.inputs.tensors["input_ids"].tolist() == [[1, 2, 3], [1, 2, 0]]
    assert samples.labels.tolist() == [1, 0]
    numbers = as_samples(datasets.Dataset.from_dict({"a": [0.5, 1.0], "b": [1, 2], "y": [0, 1]}))
    assert numbers.inputs.tensor.tolist() == [[0.5, 1.0], [1.0, 2.0]]


# sources


def test_breast_cancer_is_as_it_was_measured():
    from sklearn.datasets import load_breast_cancer

    dataset = load(DataSpec(source="breast_cancer"))
    assert len(dataset.train) + len(dataset.test) == 569
    assert dataset.train.class_names == ("malignant", "benign")
    assert dataset.train.inputs.shape == (30,)
    expected = load_breast_cancer()
    found = torch.cat([part.inputs.tensor for part in (dataset.train, dataset.test)])
    assert {row.tobytes() for row in expected.data.astype(np.float32)} == {
        row.numpy().tobytes() for row in found
    }
    with pytest.raises(ConfigError, match="image_size cannot be used with 'breast_cancer'"):
        load(DataSpec(source="breast_cancer", image_size=8))


def test_an_npz_file_of_vectors(write):
    x = np.arange(12.0).reshape(4, 3)
    source = write("set.npz", x_train=x, y_train=[5, 9, 5, 9], x_test=x[:2], y_test=[9, 5])
    dataset = load(DataSpec(source=source))
    assert dataset.train.inputs.tensor.tolist() == x.tolist()
    assert dataset.test.labels.tolist() == [9, 5]
    with pytest.raises(ConfigError, match=r"channels cannot be used with '.*set.npz'"):
        load(DataSpec(source=source, channels=1))
    source = write("set.npz", x_train=x, y_train=[0, 1, 0, 1], x_test=x[:, :2], y_test=[0, 1, 0, 1])
    with pytest.raises(DataError, match=r"training vectors \(3,\) of 2 classes do not fit vectors"):
        load(DataSpec(source=source))


def test_an_npz_file_of_tokens(write):
    ids = np.arange(12).reshape(4, 3)
    ones = np.ones((4, 3), int)
    arrays = {
        "input_ids_train": ids,
        "attention_mask_train": ones,
        "y_train": [0, 1, 0, 1],
        "input_ids_test": ids[:2, :2],
        "attention_mask_test": ones[:2, :2],
        "y_test": [0, 1],
        "ids_train": list("abcd"),
    }
    dataset = load(DataSpec(source=write("set.npz", **arrays)))
    assert dataset.train.inputs.vocabulary == 12
    assert dataset.train.ids == tuple("abcd")
    assert dataset.test.inputs.tensors["input_ids"].tolist() == [[0, 1, 0], [3, 4, 0]]
    del arrays["attention_mask_test"]
    with pytest.raises(DataError, match=r"set.npz, test: tokens are input_ids, attention_mask"):
        load(DataSpec(source=write("set.npz", **arrays)))
    with pytest.raises(DataError, match=r"set.npz, train: expected x or tokens, got both"):
        load(DataSpec(source=write("set.npz", x_train=ids, **arrays)))


NUMBERS = {"a": ["1", "2.5", "-3e2", "0", "7"], "b": ["0", "1", "1", "0", "4"]}


def test_labels_and_ids_of_a_csv_file_are_read_as_text(write):
    codes = ["00001", "1", "00001", "1", "1"]
    source = write("cells.csv", cell=["007", "7", "08", "8", "9"], **NUMBERS, label=codes)
    dataset = load(DataSpec(source=source, id_column="cell", test_fraction=0.4))
    assert dataset.train.name == "cells"
    assert dataset.train.class_names == ("00001", "1")
    rows = {
        name: (dataset.train.class_names[label], row.tolist())
        for part in (dataset.train, dataset.test)
        for name, label, row in zip(part.ids, part.labels.tolist(), part.inputs.tensor, strict=True)
    }
    assert rows["007"] == ("00001", [1, 0])
    assert rows["08"] == ("00001", [-300, 1])
    assert rows["8"] == ("1", [0, 0])


def test_whole_numbers_as_labels_are_ordered_as_numbers(write):
    labels = ["10", "9", "10", "9", "-0"]
    source = write("set.csv", **NUMBERS, label=labels)
    found = load(DataSpec(source=source, test_limit=1, train_limit=4, test_fraction=0.5))
    assert found.train.class_names == ("-0", "9", "10")
    source = write("set.csv", **NUMBERS, label=["10", "9", "10", "9", "9"])
    assert load(DataSpec(source=source)).train.class_names == ("9", "10")


def test_a_folder_of_csv_files(write):
    write("set/train.csv", **NUMBERS, label=list("aabba"))
    source = write("set/test.csv", b=["3"], a=["4"], label=["b"])
    folder = source.removesuffix("/test.csv")
    with pytest.raises(DataError, match=r"test.csv: expected the columns a, b"):
        load(DataSpec(source=folder))
    write("set/test.csv", a=["3"], b=["4"], label=["b"])
    dataset = load(DataSpec(source=folder))
    assert (len(dataset.train), len(dataset.test)) == (5, 1)
    assert dataset.test.inputs.tensor.tolist() == [[3, 4]]
    assert dataset.test.labels.tolist() == [1]
    assert dataset.train.name == "set"
    assert not dataset.held_out


def test_csv_files_of_other_names_in_a_folder_are_refused(write):
    source = write("set/data.csv", **NUMBERS, label=list("aabba"))
    with pytest.raises(DataError, match=r"CSV files in a folder must be called train.csv"):
        load(DataSpec(source=source.removesuffix("/data.csv")))


def test_a_parquet_file_of_numbers(write):
    source = write(
        "set.parquet", id=["a", "b", "c"], a=[0.5, 1, 2], b=[1, 2, 3], kind=["x", "y", "x"]
    )
    dataset = load(DataSpec(source=source, label_column="kind", test_fraction=0.5, train_limit=9))
    assert {*dataset.train.ids, *dataset.test.ids} == set("abc")
    assert dataset.train.inputs.shape == (2,)
    again = load(DataSpec(source=source, label_column="kind", test_fraction=0.5))
    assert again.train.fingerprint == dataset.train.fingerprint


def test_a_column_called_id_is_no_feature(write):
    source = write("set.csv", **NUMBERS, label=list("aabba"), id=["1", "2", "3", "4", "5"])
    dataset = load(DataSpec(source=source))
    assert {*dataset.train.ids, *dataset.test.ids} == set("12345")
    assert dataset.train.inputs.shape == (2,)


@pytest.mark.parametrize("name", ["set.parquet", "set/train.parquet"])
def test_parquet_files_of_tokens(write, name):
    source = write(
        name,
        text=["one two", "one", "one two three"],
        input_ids=ragged(2, 1, 3),
        attention_mask=[[1] * 2, [1], [1] * 3],
        label=["x", "y", "x"],
    )
    write(
        name.replace("train", "test"),
        input_ids=ragged(4, 1, 3),
        attention_mask=[[1] * 4, [1], [1] * 3],
        label=["x", "y", "x"],
    ) if "/" in name else None
    spec = DataSpec(source=source.removesuffix("/train.parquet"), test_fraction=0.5)
    dataset = load(spec)
    inputs = dataset.train.inputs
    assert inputs.kind == "tokens"
    assert inputs.shape == dataset.test.inputs.shape == ((4,) if "/" in name else (3,))
    lengths = sorted(inputs.tensors["attention_mask"].sum(1).tolist())
    assert lengths == [1, 2, 3] if "/" in name else len(lengths) < 3
    assert load(spec).train.fingerprint == dataset.train.fingerprint


def test_a_second_load_comes_from_the_cache(write, monkeypatch):
    source = write(
        "set.parquet", input_ids=ragged(2, 1, 2), attention_mask=ragged(1, 1, 1), label=[0, 1, 0]
    )
    with pytest.raises(DataError, match=r"column 'attention_mask', row 0: expected 2 numbers"):
        load(DataSpec(source=source))
    source = write(
        "set.parquet",
        input_ids=ragged(2, 1, 2),
        attention_mask=[[1, 1], [1], [1, 0]],
        token_type_ids=[[0, 1], [0], [1, 1]],
        label=[0, 1, 0],
    )
    first = load(DataSpec(source=source, test_fraction=0.5))
    monkeypatch.setattr("expunge.data.table_files.read_columns", None)
    second = load(DataSpec(source=source, test_fraction=0.5))
    assert second.train.ids == first.train.ids
    assert list(second.train.inputs.tensors) == ["input_ids", "attention_mask", "token_type_ids"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"a": ["1", "x"], "label": ["p", "q"]},
            "set.csv, column 'a', row 1: expected a number",
        ),
        ({"a": ["1", ""], "label": ["p", "q"]}, "column 'a', row 1: expected a number, got ''"),
        (
            {"a": ["1_0", "2"], "label": ["p", "q"]},
            "column 'a', row 0: expected a number, got",
        ),
        ({"a": ["1", "nan"], "label": ["p", "q"]}, "column 'a', row 1: expected a finite number"),
        ({"a": ["1", "1e99"], "label": ["p", "q"]}, "column 'a', row 1: expected a finite number"),
        ({"a": ["1", "2"], "label": ["p", ""]}, "column 'label': rows without a label: 1"),
        ({"a": ["1", "2"], "b": ["p", "q"]}, "set.csv: cannot tell which column holds the labels"),
        ({"id": ["1", "1"], "a": ["1", "2"], "label": ["p", "q"]}, "column 'id': 1 ids are given"),
        ({"label": ["p", "q"]}, "set.csv has no column beside label and id"),
        ({"a": [], "label": []}, "set.csv is empty"),
    ],
)
def test_csv_files_that_do_not_fit_are_refused_by_column_and_row(write, columns, message):
    with pytest.raises(DataError, match=message) as caught:
        load(DataSpec(source=write("set.csv", **columns)))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,label\n1,x\n2\n", "set.csv, row 1: expected 2 values, got 1"),
        (b"a,a,label\n1,2,x\n", "set.csv: columns are named twice: a"),
        (b"a,label\n\xff,x\n", "cannot read .*set.csv as a CSV file in UTF-8"),
        (b'a,label\n"1,x\n', "cannot read .*set.csv as a CSV file in UTF-8"),
    ],
)
def test_broken_csv_files_are_refused(tmp_path, content, message):
    (tmp_path / "set.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(DataSpec(source=str(tmp_path / "set.csv")))


def test_other_files_that_do_not_fit(write, tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"there is no file .*absent.csv"):
        load(DataSpec(source=str(tmp_path / "absent.csv")))
    source = write("set.csv", **NUMBERS, label=list("aabba"))
    with pytest.raises(DataError, match=r"unknown column 'lable'.*did you mean 'label'"):
        load(DataSpec(source=source, label_column="lable"))
    with pytest.raises(DataError, match="unknown column 'key'"):
        load(DataSpec(source=source, id_column="key"))
    with pytest.raises(ConfigError, match="train_split cannot be used with"):
        load(DataSpec(source=source, train_split="train"))
    source = write("set.parquet", input_ids=ragged(2, 1), label=[0, 1])
    with pytest.raises(DataError, match=r"need the columns input_ids and attention_mask, got"):
        load(DataSpec(source=source))
    source = write("set.parquet", input_ids=["a", "b"], attention_mask=ragged(1, 1), label=[0, 1])
    with pytest.raises(DataError, match=r"column 'input_ids', row 0: expected a list of whole"):
        load(DataSpec(source=source))
    source = write("new/set.parquet", a=[1, 2], text=["a", "b"], label=[0, 1])
    with pytest.raises(DataError, match=r"split train, column 'text', row 0: expected a number"):
        load(DataSpec(source=source.removesuffix("/set.parquet")))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r'pip install "expunge\[hub\]"'):
        load(DataSpec(source=source))


# the registry


def test_names_are_unique_and_every_source_says_how_it_is_named():
    assert len({source.name for source in SOURCES}) == len(SOURCES)
    for source in SOURCES:
        assert source.form
        assert source.version >= 1
        assert source.load.__doc__


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("digits", "digits"),
        ("breast_cancer", "breast_cancer"),
        ("some/where/set.npz", "npz"),
        ("set.csv", "table"),
        ("set.parquet", "table"),
        ("my_package.data:make", "callable"),
        ("owner/name", "hub"),
        (".", "folder"),
    ],
)
def test_a_dataset_is_read_by_the_source_that_recognises_it(dataset, name):
    assert find_source(dataset).name == name


class Entry:
    value = "someone:SOURCE"

    def __init__(self, source):
        self.source = source

    def load(self):
        return self.source


def test_a_package_adds_a_source_and_is_asked_first(monkeypatch):
    samples = clouds()
    added = Source(
        name="warehouse",
        form="warehouse:TABLE",
        recognises=lambda source: source.startswith("warehouse:"),
        load=lambda spec, cache: {"train": replace(samples, name=spec.source)},
    )
    entries = [Entry(added)]
    monkeypatch.setattr("expunge.plugins.entries", lambda group: tuple(entries))
    dataset = load(DataSpec(source="warehouse:cells"))
    assert dataset.train.name == "warehouse:cells"
    assert dataset.held_out == ("test",)
    with pytest.raises(DataError, match="expected warehouse:TABLE, digits"):
        load(DataSpec(source="what is this?"))
    entries[0] = Entry(replace(added, name="digits"))
    with pytest.raises(ConfigError, match="source 'digits' exists already"):
        all_sources()
    entries[0] = Entry("digits")
    with pytest.raises(ConfigError, match=r"must name an expunge\.Source"):
        all_sources()
