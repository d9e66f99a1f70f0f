"""What is swept, and what is not: by lock, by process, by host, by silence."""

import errno
import os
import subprocess
import sys
import threading
import time

import pytest
from tests.deadlines import stretched

from expunge.atomic import SILENCE, this_host
from expunge.errors import StoreError
from expunge.runs import Node, Store
from expunge.runs.aside import QUIET

NODE = Node(kind="train", version=1, params={})
TOKEN = "0123456789abcdef"


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "runs")
    with store.create(Node(kind="other", version=1, params={})):
        pass
    return store


@pytest.fixture
def dead():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def no_locks(monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)


def left(store, host, process, silent=0.0, lock=False):
    """A folder that a maker left, or is at."""
    folder = store.root / ".aside" / f".expunge-{NODE.id}-{host}-{process}-{TOKEN}"
    folder.mkdir()
    (folder / "half").write_text("half")
    if lock:
        (store.root / ".locks" / folder.name).write_text("")
    then = time.time() - silent
    os.utime(folder, (then, then))
    return folder


def inside(store):
    return [*(store.root / ".aside").iterdir(), *(store.root / ".locks").iterdir()]


def test_own_with_a_free_lock_is_swept(store):
    # The lock says it, even where another process has the number by now.
    left(store, this_host(), os.getpid(), lock=True)
    Store(store.root)
    assert inside(store) == []


def test_own_with_a_lock_that_is_held_stays(store):
    with store.create(NODE) as folder:
        os.utime(folder, (1, 1))  # however long it has been silent
        Store(store.root)
        assert folder.exists()
    assert store.has(NODE)


def test_own_without_locks_goes_by_the_process(store, no_locks, dead):
    alive = left(store, this_host(), os.getpid(), silent=9 * SILENCE)
    left(store, this_host(), dead, lock=True)
    Store(store.root)
    assert inside(store) == [alive]


def test_a_maker_without_locks_is_safe_from_a_sweep_with_locks(store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("fcntl.flock", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOLCK, "")))
        making = store.create(NODE)
        folder = making.__enter__()
    Store(store.root)
    assert folder.exists()
    making.__exit__(None, None, None)
    assert store.has(NODE)


def test_a_process_that_may_not_be_signalled_lives(store, no_locks, monkeypatch):
    def forbid(process, signal):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "kill", forbid)
    folder = left(store, this_host(), 1)
    Store(store.root)
    assert inside(store) == [folder]


@pytest.mark.parametrize("host", ["elsewhere", f"{this_host()}-2", f"a-{this_host()}", "a.b-1-2"])
@pytest.mark.parametrize("lock", [True, False])
def test_of_another_host_only_what_is_silent_is_swept(store, dead, host, lock):
    fresh = left(store, host, dead, silent=SILENCE - 60, lock=lock)
    Store(store.root)
    assert fresh.exists()
    os.utime(fresh, (time.time() - SILENCE - 60,) * 2)
    Store(store.root)
    assert inside(store) == []


def test_silence_is_by_the_clock_of_the_filesystem(store, dead, monkeypatch):
    fresh = left(store, "elsewhere", dead)
    monkeypatch.setattr(time, "time", lambda: 1e10)
    Store(store.root)
    assert fresh.exists()


def test_whoever_makes_an_artefact_is_seen(store, dead):
    assert not store.being_made(NODE)
    with store.create(NODE):
        assert store.being_made(NODE)
        assert not store.being_made("train-0123456789abcdef")
    assert not store.being_made(NODE)
    left(store, this_host(), dead)
    assert not store.being_made(NODE)


def test_a_maker_on_another_host_is_seen_while_it_gives_signs_of_life(store, dead):
    folder = left(store, "elsewhere", dead, silent=QUIET - 30)
    assert store.being_made(NODE)
    os.utime(folder, (time.time() - QUIET - 30,) * 2)
    assert not store.being_made(NODE)
    assert folder.exists()  # it is not swept so soon


def test_what_has_another_name_is_somebody_elses(store):
    names = ("mine", ".expunge-mine", f".expunge-x-{this_host()}-1-{TOKEN}", ".tmp-train")
    for name in names:
        (store.root / ".aside" / name).mkdir()
        (store.root / name).mkdir()
    Store(store.root)
    assert sorted(path.name for path in inside(store)) == sorted(names)
    assert all((store.root / name).exists() for name in names)


def test_locks_of_killed_processes_are_swept(store):
    (store.root / ".locks" / NODE.id).write_text("")
    with store.lock("train-0123456789abcdef"):
        Store(store.root)
        assert [path.name for path in inside(store)] == ["train-0123456789abcdef"]
    assert inside(store) == []


def test_a_maker_gives_signs_of_life(store):
    code = """
import os, sys, time
from pathlib import Path
from expunge.runs import Node, Store, heartbeat
heartbeat.INTERVAL = 0.02
store = Store(Path(sys.argv[1]))
for kind in ("first", "second"):
    with store.create(Node(kind=kind, version=1, params={})) as folder:
        os.utime(folder, (1, 1))
        late = time.monotonic() + float(sys.argv[2])
        while folder.stat().st_mtime == 1 and time.monotonic() < late:
            time.sleep(0.01)
        print(folder.stat().st_mtime > 1)
# A process that was forked has no threads, and starts its own.
if (child := os.fork()) == 0:
    with store.create(Node(kind="third", version=1, params={})) as folder:
        os.utime(folder, (1, 1))
        late = time.monotonic() + float(sys.argv[2])
        while folder.stat().st_mtime == 1 and time.monotonic() < late:
            time.sleep(0.01)
        print(folder.stat().st_mtime > 1, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(store.root), str(stretched(10))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True"] * 3


def test_one_thread_gives_all_signs_of_life(store):
    before = None
    for seed in range(3):
        with store.create(Node(kind="a", version=1, params={"seed": seed})):
            now = [each for each in threading.enumerate() if each.name == "heartbeat"]
            assert len(now) == 1
            assert before in (None, now)
            before = now


def test_a_host_with_a_strange_name(store, monkeypatch):
    class Named:
        nodename = "../my host/é"

    monkeypatch.setattr(os, "uname", Named)
    with store.create(NODE) as folder:
        assert folder.parent == store.root / ".aside"
        assert ".._my_host__-" in folder.name
        Store(store.root)
        assert folder.exists()
    left(store, this_host(), os.getpid(), lock=True)
    Store(store.root)
    assert inside(store) == []


def test_a_folder_that_was_taken_for_dead_is_an_error_of_one_line(store):
    with pytest.raises(StoreError, match="cannot write"), store.create(NODE) as folder:
        folder.rmdir()
