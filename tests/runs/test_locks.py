"""Locks: each file is there only while it is held, and who waits gets the file that counts."""

import errno
import os
import subprocess
import threading
import time

import pytest
from tests.deadlines import stretched

from expunge.errors import StoreError
from expunge.runs import Node, Store
from expunge.runs.locks import Locks, names_in

NODE = Node(kind="train", version=1, params={})


@pytest.fixture
def locks(tmp_path):
    return Locks(tmp_path / "runs" / ".locks")


def test_a_lock_file_goes_with_its_holder(locks):
    with locks.hold("a") as held, locks.hold("b"):
        assert held
        assert sorted(names_in(locks.folder)) == ["a", "b"]
        with pytest.raises(BlockingIOError), locks.hold("a", wait=False):
            pass
        assert sorted(names_in(locks.folder)) == ["a", "b"]
    assert names_in(locks.folder) == []
    with pytest.raises(KeyError), locks.hold("a"):
        raise KeyError
    assert names_in(locks.folder) == []


def test_a_file_that_was_removed_meanwhile_is_no_lock(locks, monkeypatch):
    """Between opening and locking, the last holder may remove the file."""
    import fcntl

    flock = fcntl.flock
    taken = []

    def late(descriptor, operation):
        if not taken:
            taken.append(descriptor)
            (locks.folder / "a").unlink()
        flock(descriptor, operation)

    monkeypatch.setattr("fcntl.flock", late)
    with locks.hold("a") as held:
        assert held
        with pytest.raises(BlockingIOError), locks.hold("a", wait=False):
            pass
    assert taken


def test_never_two_at_once(started, tmp_path):
    code = """
import os, sys
from pathlib import Path
from expunge.runs.locks import Locks
folder = Path(sys.argv[1])
for _ in range(300):
    with Locks(folder / "locks").hold("a"):
        os.close(os.open(folder / "here", os.O_CREAT | os.O_EXCL))
        os.unlink(folder / "here")
"""
    each = [started("-c", code, tmp_path) for _ in range(4)]
    assert [process.succeeded() for process in each] == [""] * 4
    assert names_in(tmp_path / "locks") == []


def test_threads_wait_for_each_other(locks):
    waited = []

    def wait():
        with locks.hold("a"):
            waited.append(time.monotonic())

    thread = threading.Thread(target=wait)
    with locks.hold("a"):
        thread.start()
        time.sleep(0.2)
        done = time.monotonic()
    thread.join(stretched(20))
    assert waited[0] >= done


def test_a_child_that_was_forked_does_not_keep_the_lock(started, locks):
    """As the workers of a data loader that outlive the stage: who waits already gets it."""
    code = """
import os, sys, time
from pathlib import Path
from expunge.runs.locks import Locks
with Locks(Path(sys.argv[1])).hold("a"):
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    print("held", flush=True)
    sys.stdin.readline()
time.sleep(60)
"""
    process = started("-c", code, locks.folder, stdin=subprocess.PIPE)
    got = threading.Event()

    def wait():
        with locks.hold("a"):
            got.set()

    assert process.stdout.readline().strip() == "held"
    threading.Thread(target=wait, daemon=True).start()
    assert not got.wait(0.3)
    process.stdin.write("release\n")
    process.stdin.flush()
    assert got.wait(stretched(20))


NONE = [errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS]


@pytest.mark.parametrize("number", NONE)
def test_without_locks_the_store_goes_on(tmp_path, monkeypatch, number):
    def refuse(descriptor, operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)
    store = Store(tmp_path / "runs")
    assert store.locks
    with store.lock(NODE):
        assert not store.locks
        with store.lock(NODE), store.create(NODE) as folder:
            with Store(store.root).create(NODE) as other:
                (other / "who").write_text("first")
            (folder / "who").write_text("second")
    assert store.open(NODE).file("who").read_text() == "first"
    assert [list((store.root / name).iterdir()) for name in (".locks", ".aside")] == [[], []]


def test_other_errors_of_locking_are_one_line(tmp_path, monkeypatch):
    def fail(descriptor, operation):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("fcntl.flock", fail)
    store = Store(tmp_path / "runs")
    with pytest.raises(StoreError, match=r"cannot lock .*: Input/output error"):
        store.create(NODE).__enter__()


def test_with_locks_a_store_says_so(tmp_path):
    store = Store(tmp_path / "runs")
    with store.lock(NODE):
        assert store.locks
