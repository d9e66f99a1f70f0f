"""Ids and labels of tables are text, exactly as they are written."""

import json

import pytest

from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.errors import DataError
from expunge.scenarios import by_ids, make_split


@pytest.fixture
def read(tmp_path):
    """A function: the dataset of a CSV file with this content."""

    def read(content, name="set.csv", **settings):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load(DataSpec(source=str(path), test_fraction=0.5, **settings))

    return read


def found(dataset):
    """The class name of every id."""
    return {
        name: part.class_names[label]
        for part in (dataset.train, dataset.test)
        for name, label in zip(part.ids, part.labels.tolist(), strict=True)
    }


LABELS = ["NA", "null", "1", "01", "1e5", "nan", "None", "True", "a b", "ä"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_text_stays_as_it_is_written(read, end, mark):
    rows = [(f"0000{n}{half}", label) for half in "ab" for n, label in enumerate(LABELS)]
    lines = [f"{name},{n}.5,{label}" for n, (name, label) in enumerate(rows)]
    dataset = read(mark + end.join(["id,a,label", *lines]) + end)
    assert found(dataset) == dict(rows)
    assert dataset.train.class_names == tuple(sorted(LABELS))
    assert dataset.train.ids_from == "column 'id'"
    assert dataset.notes == ("the labels are the column 'label', the features are the column a",)


def test_ids_may_hold_anything_and_agree_with_a_list(read, tmp_path):
    names = ["00001", "1", "1e5", "NA", 'say "x"', "a, b", " padded ", "#7", "ä", "-"]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    lines = [f"{cell},{n},{n % 2}" for n, cell in enumerate(quoted)]
    dataset = read("id,a,label\n" + "\n".join(lines))
    assert set(found(dataset)) == {name.strip() for name in names}
    wanted = {name.strip() for name in dataset.train.ids[:3]}
    listed = [cell for name, cell in zip(names, quoted, strict=True) if name.strip() in wanted]
    (tmp_path / "delete.csv").write_text("id\n" + "\n".join(listed) + "\n")
    split = make_split(dataset.train, by_ids(tmp_path / "delete.csv"))
    assert {dataset.train.ids[row] for row in split.forget.tolist()} == wanted


@pytest.mark.parametrize("cell", ["", "  ", '""'])
def test_an_empty_label_or_id_names_the_file_the_column_and_the_row(read, cell):
    with pytest.raises(DataError, match=r"set.csv, column 'label': rows without a label: 1$"):
        read(f"a,label\n1,x\n2,{cell}\n")
    with pytest.raises(DataError, match=r"set.csv, column 'id': rows without an id: 1$"):
        read(f"a,id,label\n1,x,y\n2,{cell},y\n")


def test_ids_that_are_the_same_but_for_white_space_are_refused(read):
    with pytest.raises(DataError, match="1 ids are given more than once: x"):
        read("a,id,label\n1,x,y\n2,x ,y\n")


def test_a_suffix_in_capitals_is_the_same(read):
    assert len(found(read("a,label\n1,x\n2,x\n3,y\n4,y\n", "SET.CSV"))) == 4


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,label\n\xff,1\n", "cannot read .*set.csv as a CSV file in UTF-8"),
        ("a,label\n", "set.csv is empty"),
        ("", "set.csv is empty"),
        ('a,label\n"1,x\n', "cannot read .*set.csv as a CSV file"),
        ("a,label\n1,x,2\n", "set.csv, row 0: expected 2 values, got 3"),
        ("a,label\n1,x\n\x00,y\n", "cannot read .*set.csv as a CSV file|expected a number"),
        ("a,label\n" + "1" * 200_000 + ",x\n", "cannot read .*set.csv as a CSV file"),
    ],
)
def test_files_that_are_no_tables_are_refused(read, content, message):
    with pytest.raises(DataError, match=message):
        read(content)


def test_a_file_larger_than_memory_is_refused_before_it_is_read(read, monkeypatch):
    monkeypatch.setattr("expunge.memory.memory_bytes", lambda: 100)
    with pytest.raises(DataError, match=r"set.csv needs memory of about .* MB"):
        read("a,label\n" + "1,x\n" * 10)


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([1, 20, 3, 4], ["1", "20", "3", "4"]),
        (["01", "1", "NA", " x"], ["01", "1", "NA", "x"]),
        ([1.0, 2.0, 3.0, 4.0], r"column 'key', row 0: an id must be a text .* got 1.0 \(float\)"),
        ([True, False, None, None], "rows without an id: 2, 3"),
        ([b"a", b"b", b"c", b"d"], r"got b'a' \(bytes\)"),
        ([1, 2, 2, None], "rows without an id: 3"),
    ],
)
def test_ids_of_a_parquet_file(tmp_path, ids, expected):
    import pyarrow
    from pyarrow import parquet

    table = {"key": ids, "a": [0.5, 1, 2, 3], "label": ["1", "01", "1", "01"]}
    path = tmp_path / "set.parquet"
    parquet.write_table(pyarrow.table(table), path)
    spec = DataSpec(source=str(path), id_column="key", test_fraction=0.5)
    if isinstance(expected, str):
        with pytest.raises(DataError, match=expected):
            load(spec)
        return
    assert found(load(spec)) == dict(zip(expected, table["label"], strict=True))


def test_whole_numbers_of_a_parquet_file_are_outputs_and_texts_are_names(tmp_path):
    import pyarrow
    from pyarrow import parquet

    path = tmp_path / "set.parquet"
    spec = DataSpec(source=str(path), test_fraction=0.5)
    for labels, names in (([0, 3, 0, 3], "0123"), (["0", "3", "0", "3"], "03")):
        parquet.write_table(pyarrow.table({"a": [0.5, 1, 2, 3], "label": labels}), path)
        assert load(spec).train.class_names == tuple(names)


def test_a_parquet_file_of_more_rows_than_memory_holds_is_refused(tmp_path, monkeypatch):
    import pyarrow
    from pyarrow import parquet

    path = tmp_path / "set.parquet"
    parquet.write_table(pyarrow.table({"a": [0.5] * 100_000, "label": [0] * 100_000}), path)
    assert path.stat().st_size < 10_000
    monkeypatch.setattr("expunge.memory.memory_bytes", lambda: 1_000_000)
    with pytest.raises(DataError, match=r"set.parquet needs memory of about .* MB"):
        load(DataSpec(source=str(path)))


def test_other_files_beside_the_tables_of_a_folder_are_named(read, tmp_path):
    for name in ("train", "val"):
        (tmp_path / f"{name}.csv").write_text("a,label\n1,x\n2,y\n3,x\n4,y\n")
    dataset = load(DataSpec(source=str(tmp_path), test_fraction=0.5), tmp_path.parent / "cache")
    assert f"left out other files of {tmp_path}: val.csv" in dataset.notes


def test_columns_that_are_not_used_are_named(tmp_path):
    import pyarrow
    from pyarrow import parquet

    rows = {"text": ["a", "b"] * 4, "input_ids": [[1, 2]] * 8, "attention_mask": [[1, 1]] * 8}
    path = tmp_path / "set.parquet"
    parquet.write_table(pyarrow.table({**rows, "label": [0, 1] * 4}), path)
    (note,) = load(DataSpec(source=str(path))).notes
    assert note == "the labels are the column 'label'; columns that are not used: text"
    assert json.dumps(note)
