"""Groups of test samples: every mark on all of them, or as a file says."""

import pytest
import torch

from expunge.data.by_id import digest_of
from expunge.data.edits.apply import edit_configs
from expunge.data.edits.correlate import CorrelateConfig, with_mark
from expunge.data.groups import check_groups, group_names, grouped, read_groups
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.errors import ConfigError, DataError

MARKS = {"correlate": {"size": 1}}
SPEC = DataSpec(source="digits", train_limit=60, test_limit=30, edits=MARKS)


@pytest.fixture(scope="module")
def test_samples():
    return load(SPEC).test


def written(tmp_path, text):
    path = tmp_path / "groups.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def test_every_mark_is_on_every_test_sample(test_samples):
    parts = list(grouped(test_samples, SPEC))
    names = group_names(SPEC, test_samples.class_names)
    assert names == tuple(f"patch of {digit}" for digit in range(10))
    assert len(parts) == 10
    for mark, part in enumerate(parts):
        expected = with_mark(test_samples, CorrelateConfig(size=1), mark)
        assert torch.equal(part.samples.inputs.tensor, expected.inputs.tensor)
        assert torch.equal(part.samples.labels, test_samples.labels)
        assert part.samples.ids == test_samples.ids
        assert part.groups.tolist() == [mark] * 30


def test_a_file_gives_the_groups_of_what_it_lists(tmp_path, test_samples):
    ids = test_samples.ids
    lines = ["Group,note,ID", f"b,x,{ids[4]}", "", f"a,,{ids[1]}", f" b ,,{ids[2]}"]
    file = written(tmp_path, "\ufeff" + "\r\n".join(lines))
    spec = DataSpec(source="digits", groups=file)
    (part,) = grouped(test_samples, spec)
    assert part.samples.ids == (ids[1], ids[2], ids[4])
    names = group_names(spec, test_samples.class_names)
    assert [names[at] for at in part.groups.tolist()] == ["a", "b", "b"]
    assert part.samples.labels.tolist() == test_samples.labels[torch.tensor([1, 2, 4])].tolist()
    said = check_groups(read_groups(file), ids, file)
    assert said == "groups: 3 of 30 test samples in a, b; 27 without a group are left out"


def test_a_file_comes_before_marks(tmp_path, test_samples):
    file = written(tmp_path, f"id,group\n{test_samples.ids[0]},a\n{test_samples.ids[1]},b\n")
    assert group_names(DataSpec(source="digits", groups=file, edits=MARKS), ()) == ("a", "b")


def test_the_order_of_the_file_does_not_matter():
    assert digest_of({"a": "x", "b": "y"}) == digest_of({"b": "y", "a": "x"})
    assert digest_of({"a": "x", "b": "y"}) != digest_of({"a": "y", "b": "x"})


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "expected the columns id and group, got none"),
        ("id,class\n1,2\n", "expected the columns id and group, got id, class"),
        ("id,group\n", "lists no samples"),
        ("id,group\n1\n", "the row '1' lacks an id or a group"),
        ("id,group\n1,a\n1,b\n", "the sample 1 is there twice"),
        ('id,group\n"1,a\n', "is not valid CSV"),
        (b"id,group\n\xff\xfe", "it is not text"),
    ],
)
def test_a_file_that_lists_no_groups_is_refused(tmp_path, text, match):
    with pytest.raises(DataError, match=match) as caught:
        read_groups(written(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"cannot read the groups in .*: No such file"):
        read_groups(tmp_path / "none.csv")


def test_groups_of_other_samples_or_of_one_kind_are_refused():
    with pytest.raises(DataError, match="1 of 2 ids are not those of test samples: other"):
        check_groups({"a": "x", "other": "y"}, ["a", "b"], "f.csv")
    with pytest.raises(DataError, match="expected two groups or more, got x alone"):
        check_groups({"a": "x"}, ["a", "b"], "f.csv")


def test_data_without_groups_are_refused(test_samples):
    bare = DataSpec(source="digits")
    with pytest.raises(ConfigError, match="digits has no groups: give a file"):
        next(grouped(test_samples, bare))
    with pytest.raises(ConfigError, match="digits has no groups: give a file"):
        group_names(bare, ())


def test_two_edits_with_marks_are_refused(monkeypatch):
    from dataclasses import replace

    from expunge.data.edits import apply, correlate

    second = replace(correlate.EDIT, name="second")
    monkeypatch.setattr(apply, "get_edit", lambda name: second)
    with pytest.raises(ConfigError, match="one edit with marks at most, got correlate, second"):
        edit_configs({"correlate": {}, "second": {}})
