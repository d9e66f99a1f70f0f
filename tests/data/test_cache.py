import os
from pathlib import Path

import numpy as np
import pytest
import torch

from expunge.data.arrays import as_samples
from expunge.data.cache import cached
from expunge.data.inputs.images import StreamedImages
from expunge.data.places import default_cache, files_digest
from expunge.errors import DataError


@pytest.fixture
def samples(noise):
    return as_samples((noise(6, (3, 4, 4)), [0, 1, 2] * 2), class_names=["a", "b", "c"])


@pytest.fixture
def build(samples):
    """Writes the samples, and counts how often."""

    def make(folder):
        make.calls += 1
        array = samples.inputs.tensor.numpy()
        np.save(folder / "train.inputs.npy", array)
        return {"train": samples}

    make.calls = 0
    return make


def test_what_was_built_once_is_read_the_next_time(tmp_path, samples, build):
    for _ in range(2):
        parts = cached(tmp_path / "new", {"of": 1}, "set", build)
        found = parts["train"]
        assert isinstance(found.inputs, StreamedImages)
        assert torch.equal(found.inputs.tensor, samples.inputs.tensor)
        assert torch.equal(found.labels, samples.labels)
        assert (found.ids, found.class_names) == (samples.ids, samples.class_names)
        assert (found.fingerprint, found.name) == (samples.fingerprint, "set")
    assert build.calls == 1
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_another_key_is_built_anew(tmp_path, build):
    cached(tmp_path, {"of": 1}, "set", build)
    cached(tmp_path, {"of": 2}, "set", build)
    assert build.calls == 2


@pytest.mark.parametrize("file", ["samples", "train.inputs.npy", "train.labels.npy"])
@pytest.mark.parametrize("broken", [b"", b"{}", b"[]", "cut", None])
def test_a_broken_folder_is_built_anew(tmp_path, samples, build, file, broken):
    cached(tmp_path, {}, "set", build)
    (folder,) = tmp_path.iterdir()
    path = folder / file
    if broken is None:
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[: len(content) * 2 // 3] if broken == "cut" else broken)
    parts = cached(tmp_path, {}, "set", build)
    assert build.calls == 2
    assert torch.equal(parts["train"].inputs.tensor, samples.inputs.tensor)


def test_a_folder_of_another_length_is_built_anew(tmp_path, build):
    cached(tmp_path, {}, "set", build)
    (folder,) = tmp_path.iterdir()
    np.save(folder / "train.labels.npy", np.zeros(5, np.int64))
    assert len(cached(tmp_path, {}, "set", build)["train"]) == 6
    assert build.calls == 2


def test_nothing_is_left_behind_when_building_fails(tmp_path):
    def fail(folder):
        (folder / "half").write_text("")
        raise DataError("no")

    with pytest.raises(DataError, match="no"):
        cached(tmp_path, {}, "set", fail)
    assert list(tmp_path.iterdir()) == []


def test_whoever_is_first_wins(tmp_path, build):
    def slower(folder):
        cached(tmp_path, {}, "set", build)
        return build(folder)

    assert len(cached(tmp_path, {}, "set", slower)["train"]) == 6
    assert build.calls == 2
    assert len(list(tmp_path.iterdir())) == 1


def test_other_failures_to_rename_are_not_swallowed(tmp_path, build, monkeypatch):
    def refuse(self, target):
        raise PermissionError("no")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError):
        cached(tmp_path, {}, "set", build)


def test_a_cache_that_cannot_be_written_is_named(tmp_path, build):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write the cache .* EXPUNGE_CACHE"):
        cached(tmp_path / "file" / "cache", {}, "set", build)


def test_the_default_cache_is_what_the_variable_names(monkeypatch, tmp_path):
    monkeypatch.setenv("EXPUNGE_CACHE", str(tmp_path))
    assert default_cache() == tmp_path
    monkeypatch.delenv("EXPUNGE_CACHE")
    assert default_cache().parts[-3:] == (".cache", "expunge", "data")


def test_the_digest_of_files_sees_every_change(tmp_path):
    folder = tmp_path / "a"
    (folder / "deep").mkdir(parents=True)
    file = folder / "deep" / "x"
    file.write_text("1")
    prints = [files_digest(folder)]
    assert files_digest(folder) == prints[0]
    file.write_text("12")
    prints.append(files_digest(folder))
    os.utime(file, ns=(1, 1))
    prints.append(files_digest(folder))
    file.rename(folder / "y")
    prints.append(files_digest(folder))
    folder.rename(tmp_path / "b")
    prints.append(files_digest(tmp_path / "b"))
    assert len(set(prints)) == len(prints)


def bits(path, every):
    """The content of a file with one of its bits changed, at some places in turn."""
    content = path.read_bytes()
    for place in range(0, len(content), every):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        yield bytes(changed)
    path.write_bytes(content)


@pytest.mark.parametrize("file", ["samples", "train.inputs.npy", "train.labels.npy"])
def test_a_changed_bit_is_noticed_and_said(tmp_path, samples, build, caplog, file):
    """Values that look as good as any others, too."""
    cached(tmp_path, {}, "set", build)
    (folder,) = tmp_path.iterdir()
    changes = list(bits(folder / file, every=23))
    for changed in changes:
        (folder / file).write_bytes(changed)
        caplog.clear()
        parts = cached(tmp_path, {}, "set", build)
        assert torch.equal(parts["train"].inputs.tensor, samples.inputs.tensor)
        assert torch.equal(parts["train"].labels, samples.labels)
        (said,) = caplog.messages
        assert said.startswith(f"note: the decoded data at {folder} are damaged (")
    assert build.calls == 1 + len(changes)


def test_a_whole_folder_is_read_without_a_word(tmp_path, build, caplog):
    for _ in range(2):
        cached(tmp_path, {}, "set", build)
    assert caplog.messages == []
