import errno
import json
import math
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors import SafetensorError

from expunge.errors import StoreError
from expunge.runs import read_arrays, read_json, read_object, write_arrays, write_json
from expunge.runs.files import disk_is_full


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_json_comes_back_in_order(tmp_path):
    value = {"b": [1, 2.5, None, True], "a": {"é": "ü"}, "tuple": (1, 2)}
    write_json(tmp_path / "x.json", value)
    back = read_json(tmp_path / "x.json")
    assert back == value | {"tuple": [1, 2]}
    assert list(back) == ["b", "a", "tuple"]
    assert (tmp_path / "x.json").read_text().startswith('{\n "b": [\n  1,')
    assert names(tmp_path) == ["x.json"]


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf], {"a": {1, 2}}, {(1,): 2}])
def test_what_is_not_json_is_refused_and_the_old_file_kept(tmp_path, value):
    path = tmp_path / "x.json"
    write_json(path, "old")
    with pytest.raises(StoreError, match=r"cannot write .*x\.json: "):
        write_json(path, value)
    assert read_json(path) == "old"
    assert names(tmp_path) == ["x.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"a": NaN}', b"[Infinity]", b"\xff\xfe\x00", b"[" * 100_000]
)
def test_what_is_not_json_cannot_be_read(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"x\.json is not valid JSON: "):
        read_json(path)


def test_files_that_are_not_there(tmp_path):
    for read in (read_json, read_object, read_arrays):
        with pytest.raises(StoreError, match=r"cannot read .*gone: No such file"):
            read(tmp_path / "gone")
    with pytest.raises(StoreError, match=r"cannot write .*x\.json: No such file"):
        write_json(tmp_path / "no folder" / "x.json", 1)


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write_json(path, "old")

    def interrupt(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_json(path, "new")
    assert json.loads(path.read_text()) == "old"
    assert names(tmp_path) == ["x.json"]


DTYPES = st.sampled_from(["?", "i1", "u1", "<i4", "<i8", "<u8", "<f2", "<f4", "<f8"])


@given(
    arrays=st.dictionaries(
        st.text(min_size=1).filter(lambda name: name != "__metadata__"),
        DTYPES.flatmap(lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, min_side=0))),
        max_size=4,
    )
)
def test_arrays_come_back_exactly(tmp_path_factory, arrays):
    path = tmp_path_factory.mktemp("arrays") / "a.safetensors"
    write_arrays(path, arrays)
    back = read_arrays(path)
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
        np.testing.assert_array_equal(back[name], array)


def test_views_and_foreign_byte_orders_are_written_as_they_read(tmp_path):
    whole = np.arange(24, dtype=np.int64).reshape(4, 6)
    given_ = {"t": whole.T, "s": whole[::2, ::-1], "big": whole.astype(">i8")}
    write_arrays(tmp_path / "a", given_)
    for name, array in read_arrays(tmp_path / "a").items():
        assert array.tolist() == given_[name].tolist()


@pytest.mark.parametrize(
    "array", [np.array(["x"]), np.array([None]), np.array([1j]), np.zeros(1, np.longdouble)]
)
def test_other_kinds_of_arrays_are_refused(tmp_path, array):
    with pytest.raises(StoreError, match=r"cannot write 'odd' to .* got "):
        write_arrays(tmp_path / "a", {"odd": array})
    assert names(tmp_path) == []


def test_files_that_are_not_whole_are_refused(tmp_path):
    path = tmp_path / "a"
    write_arrays(path, {"x": np.arange(100.0)})
    content = path.read_bytes()
    for broken in (content[:-1], content[:20], b"", b"hello" * 10):
        path.write_bytes(broken)
        with pytest.raises(StoreError, match="not a whole safetensors file"):
            read_arrays(path)


def test_a_full_disk_is_known_by_its_number():
    full = OSError(errno.ENOSPC, "whatever")
    wrapped = ValueError("a layer above")
    wrapped.__cause__ = full
    assert disk_is_full(full) == disk_is_full(wrapped) == "No space left on device"
    written = SafetensorError("Error while serializing: I/O error: File too large (os error 27)")
    assert disk_is_full(written) == "File too large"
    others = SafetensorError("header too large"), OSError(errno.EACCES, ""), ValueError(), None
    assert [disk_is_full(other) for other in others] == [None] * 4


def test_an_object_is_an_object(tmp_path):
    write_json(tmp_path / "x.json", {"a": [1]})
    assert read_object(tmp_path / "x.json") == {"a": [1]}
    write_json(tmp_path / "x.json", [1])
    with pytest.raises(StoreError, match=r"x\.json must hold a JSON object, got list"):
        read_object(tmp_path / "x.json")
