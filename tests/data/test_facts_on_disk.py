"""Facts are kept on disk, and damaged ones are noticed, said and read again."""

import pytest

from expunge.data.facts import resolve
from expunge.data.spec import DataSpec


@pytest.fixture
def kept(tmp_path):
    spec = DataSpec(source="digits", train_limit=5, test_limit=5)
    facts = resolve(spec, tmp_path)
    (path,) = (tmp_path / "facts").iterdir()
    return spec, facts, path


def test_whole_facts_are_read_without_a_word(kept, tmp_path, caplog):
    spec, facts, _ = kept
    assert resolve(spec, tmp_path) == facts
    assert caplog.messages == []


@pytest.mark.parametrize("place", [0, 32, 40, -60, -1])
def test_a_changed_bit_is_noticed_and_said(kept, tmp_path, caplog, place):
    spec, facts, path = kept
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    assert resolve(spec, tmp_path) == facts
    (said,) = caplog.messages
    assert said.startswith(f"note: {path} is damaged (it has changed since it was written)")
    assert path.read_bytes() != content
