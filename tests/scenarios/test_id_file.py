import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expunge.errors import ForgetError
from expunge.scenarios.id_file import csv_of_ids, read_ids

ids_of = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1),
    min_size=1,
    max_size=8,
)


@pytest.fixture
def file(tmp_path):
    """A function: a file of a name with this content, text or bytes."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@given(ids=ids_of, newline=st.sampled_from(["\n", "\r\n", "\r"]), bom=st.booleans())
def test_ids_survive_a_text_file(tmp_path_factory, ids, newline, bom):
    ids = [name for name in ids if not name.startswith("#")]
    if not ids or "id" in [cell.strip().lower() for cell in next(csv.reader(ids[:1]))]:
        return
    path = tmp_path_factory.mktemp("ids") / "ids.txt"
    path.write_bytes(newline.join(ids).encode("utf-8-sig" if bom else "utf-8"))
    assert read_ids(path) == tuple(ids)


@given(ids=ids_of, header=st.sampled_from([["id"], ["label", "ID"], ["id", "label", "note"]]))
def test_ids_survive_a_csv_file(tmp_path_factory, ids, header):
    path = tmp_path_factory.mktemp("ids") / "ids.csv"
    column = [name.lower() for name in header].index("id")
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        for name in ids:
            writer.writerow([*["x"] * column, name, *["x"] * (len(header) - column - 1)])
    assert read_ids(path) == tuple(ids)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ids.txt", "a\n\n  b \n# a comment\nc"),
        ("ids", "a\r\nb\r\nc\r\n"),
        ("ids.txt", b"\xef\xbb\xbfa\nb\nc"),
        ("ids.csv", b"\xef\xbb\xbfid\r\na\r\nb\r\nc\r\n"),
        ("ids.csv", "a\nb\nc"),
        ("ids.CSV", "a,1\nb,2\nc,3\n"),
        ("ids.csv", 'label,id\n1,"a"\n\n2, b\n3,c\n'),
        ("ids.txt", "label, Id\n1,a\n2,b\n3,c"),
    ],
)
def test_text_and_csv_are_read(file, name, content):
    path = file(name, content)
    before = path.stat().st_mtime_ns, path.read_bytes()
    assert read_ids(path) == ("a", "b", "c")
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("ids.txt", "", "holds no ids"),
        ("ids.txt", "# only\n\n", "holds no ids"),
        ("ids.csv", "id\n", "holds no ids"),
        ("ids.csv", "label,id\n3\n", "the row '3' has no id"),
        ("ids.csv", "id,label\n,3\n", "the row ',3' has no id"),
        ("ids.csv", 'id\n"a\n', "is not valid CSV"),
        ("ids.csv", '"a\n', "is not valid CSV"),
        ("ids.txt", b"a\0b", "is not a text file"),
        ("ids.txt", b"\x89PNG\xff", "is not a text file"),
    ],
)
def test_files_without_ids_are_refused(file, name, content, message):
    with pytest.raises(ForgetError, match=message):
        read_ids(file(name, content))


def test_a_line_that_is_no_csv_is_an_id(file):
    assert read_ids(file("ids.txt", "a" * 200_000)) == ("a" * 200_000,)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ForgetError, match=r"cannot read the ids in .*absent.csv: No such file"):
        read_ids(tmp_path / "absent.csv")
    with pytest.raises(ForgetError, match=r"cannot read the ids in .*: Is a directory"):
        read_ids(tmp_path)


@given(
    ids=st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0")).filter(
            lambda name: name == name.strip() != ""
        ),
        min_size=1,
        max_size=8,
    )
)
def test_written_ids_are_read_again(tmp_path_factory, ids):
    path = tmp_path_factory.mktemp("ids") / "ids.csv"
    path.write_text(csv_of_ids(ids), encoding="utf-8", newline="")
    assert read_ids(path) == tuple(ids)
