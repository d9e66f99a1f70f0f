"""What is being written is beside what was there, and takes its place whole or not at all."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from expunge.atomic import (
    PREFIX,
    SILENCE,
    aside_name,
    creating,
    making,
    publish,
    replacing,
    sweep,
    sync,
    this_host,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_half(path, error):
    path.write_text("half")
    raise error


@pytest.fixture
def synced(monkeypatch):
    """The names of what was synced, in order."""
    found = []
    fsync = os.fsync

    def counted(descriptor):
        found.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    return found


@pytest.mark.parametrize("links", [True, False])
def test_what_is_there_first_stays(tmp_path, monkeypatch, links):
    def refuse(source, target):
        raise OSError(errno.EPERM, "no links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "claim"

    def write_second():
        with creating(path) as late:
            with creating(path) as aside:
                aside.write_text("first")
            late.write_text("second")

    with pytest.raises(FileExistsError):
        write_second()
    assert path.read_text() == "first"
    with pytest.raises(KeyError), creating(tmp_path / "other") as aside:
        write_half(aside, KeyError)
    assert names(tmp_path) == ["claim"]


def test_a_file_takes_its_place_when_it_is_whole(tmp_path, synced):
    path = tmp_path / "x.npy"
    path.write_text("old")
    with replacing(path) as aside:
        assert aside.parent == tmp_path
        assert aside.name.startswith(PREFIX)
        assert aside.suffix == ".npy"
        aside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(tmp_path) == ["x.npy"]
    assert synced == [aside.name, tmp_path.name]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_fails_leaves_the_old_file_and_those_of_others(tmp_path, error):
    for name in ("x", "x.partial", ".x", ".expunge-mine"):
        (tmp_path / name).write_text("old")
    before = names(tmp_path)
    with pytest.raises(error), replacing(tmp_path / "x") as aside:
        write_half(aside, error)
    assert names(tmp_path) == before
    assert (tmp_path / "x").read_text() == "old"


def test_a_file_in_a_folder_that_is_made_is_written_in_its_place(tmp_path, synced):
    with making(tmp_path / "made") as folder:
        (folder / "deep").mkdir()
        for name in ("a", "deep/b"):
            with replacing(folder / name) as aside:
                assert aside == folder / name
                aside.write_text(name)
        with pytest.raises(KeyError), replacing(folder / "c") as aside:
            write_half(aside, KeyError)
        assert synced == []
    # All of it before it has its name, which need not be on the disk at once.
    assert sorted(synced) == sorted(["a", "b", "deep", folder.name])
    assert names(tmp_path) == ["made"]
    assert names(tmp_path / "made") == ["a", "deep"]


@pytest.mark.parametrize("name", [".expunge-mine", "expunge-0123456789abcdef", ".expunge-0123"])
def test_a_folder_of_a_similar_name_is_none_that_is_made(tmp_path, name):
    (tmp_path / name).mkdir()
    with replacing(tmp_path / name / "x") as aside:
        assert aside != tmp_path / name / "x"
        aside.write_text("")


def test_nothing_is_kept_of_a_folder_that_fails(tmp_path):
    with pytest.raises(KeyError), making(tmp_path / "made") as folder:
        write_half(folder / "a", KeyError)
    assert names(tmp_path) == []


def test_the_folder_that_was_made_first_is_kept(tmp_path):
    with making(tmp_path / "made") as ours:
        (ours / "who").write_text("ours")
        with making(tmp_path / "made") as theirs:
            (theirs / "who").write_text("theirs")
    assert (tmp_path / "made" / "who").read_text() == "theirs"
    assert names(tmp_path) == ["made"]


@pytest.mark.parametrize("block", [Path.write_text, lambda path, _: path.symlink_to(path.parent)])
def test_what_is_no_folder_is_not_taken_for_one(tmp_path, block):
    block(tmp_path / "made", "a file")
    (tmp_path / "aside").mkdir()
    with pytest.raises(OSError, match="Not a directory"):
        publish(tmp_path / "aside", tmp_path / "made")


def test_what_a_killed_writer_leaves_is_deleted_by_the_next(tmp_path):
    (tmp_path / "x").write_text("old")
    code = """
import os, signal, sys
from pathlib import Path
from expunge.atomic import making, replacing
with replacing(Path(sys.argv[1]) / "x") as file, making(Path(sys.argv[1]) / "y") as folder:
    file.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "x").read_text() == "old"
    left = [name for name in names(tmp_path) if name != "x"]
    assert len(left) == 2
    assert all(name.startswith(PREFIX) for name in left)
    with replacing(tmp_path / "z") as aside:
        aside.write_text("new")
    assert names(tmp_path) == ["x", "z"]


@pytest.fixture
def dead():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


TOKEN = "0123456789abcdef"


@pytest.mark.parametrize("write", [creating, making, replacing])
@pytest.mark.parametrize("suffix", ["", ".json"])
def test_only_what_belongs_to_nobody_is_deleted(tmp_path, dead, write, suffix):
    """Not what a process at work writes, on this host or another, nor what a user calls so."""
    mine = [
        f".expunge-{this_host()}-{os.getpid()}-{TOKEN}{suffix}",
        f".expunge-elsewhere-{dead}-{TOKEN}{suffix}",
        f".expunge-a-{this_host()}-{dead}-{TOKEN}{suffix}",
        f".expunge-{TOKEN}{suffix}",
        f".expunge-{this_host()}-{dead}-{TOKEN}{suffix}.partial.npy",
        "x.partial", ".expunge-mine", f"expunge-{this_host()}-{dead}-{TOKEN}",
    ]  # fmt: skip
    for name in mine:
        (tmp_path / name).write_text("")
    for name in (f".expunge-{this_host()}-{dead}-{TOKEN}{suffix}", f".expunge-{TOKEN}.npy"):
        (tmp_path / name).write_text("")
    old = tmp_path / f".expunge-elsewhere-1-{TOKEN}"
    old.mkdir()
    (old / "grows").write_text("")
    for path in (old, tmp_path / f".expunge-{TOKEN}.npy"):
        os.utime(path, (time.time() - SILENCE - 60,) * 2)
    with write(tmp_path / "made") as aside:
        if write is not making:
            aside.write_text("")
    # While a large file grows, the time of its folder stands still.
    assert names(tmp_path) == sorted([*mine, old.name, "made"])
    os.utime(old / "grows", (time.time() - SILENCE - 60,) * 2)
    os.utime(old, (time.time() - SILENCE - 60,) * 2)
    sweep(tmp_path)
    assert names(tmp_path) == sorted([*mine, "made"])


def test_names_are_never_the_same():
    assert len({aside_name("a", "b") for _ in range(100)}) == 100
    assert aside_name("a", "b").startswith(".expunge-a-b-")


def test_filesystems_that_cannot_sync_a_folder(tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(errno.EINVAL, "Invalid argument")

    (tmp_path / "x").write_text("")
    monkeypatch.setattr(os, "fsync", refuse)
    sync(tmp_path)
    with pytest.raises(OSError, match="Invalid argument"):
        sync(tmp_path / "x")
