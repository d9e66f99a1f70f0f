import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from expunge.atomic import this_host
from expunge.digest import with_digest, without_digest
from expunge.errors import StoreError
from expunge.runs import (
    Node,
    Store,
    checked,
    checked_if_any,
    read_arrays,
    read_artefact,
    write_arrays,
    write_json,
)


def node(seed=0, kind="train", **parents):
    return Node(kind=kind, version=1, params={"seed": seed}, parents=parents)


def make(store, which, content="hello"):
    with store.create(which, {"seconds": 1.5}) as folder:
        (folder / "a.txt").write_text(content)
        (folder / "deep").mkdir()
        write_arrays(folder / "deep" / "b.safetensors", {"x": np.arange(1000.0)})
    return which.id


OWN = {".locks", ".aside", "store.json"}


def make_small(store, which):
    with store.create(which):
        pass
    return which.id


def names(root):
    """What a store holds, and what is left in its own folders."""
    kept = [path.name for path in root.iterdir() if path.name not in OWN]
    left = [path.name for own in (".locks", ".aside") for path in root.glob(f"{own}/*")]
    return sorted(kept + left)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def test_what_was_made_can_be_opened(store):
    assert not store.has(node())
    run_id = make(store, node())
    assert store.has(node())
    assert store.has(run_id)
    for artefact in (store.open(run_id), Store(store.root).open(node())):
        assert artefact.node == store.node(run_id) == node()
        assert artefact.id == run_id
        assert artefact.folder == store.path(run_id) == store.root / run_id
        assert artefact.files == ("a.txt", "deep/b.safetensors")
        assert artefact.file("a.txt").read_text() == "hello"
        assert read_arrays(artefact.file("deep/b.safetensors"))["x"][-1] == 999
        assert artefact.created.endswith("+00:00")


def test_an_artefact_may_have_no_files(store):
    with store.create(node()):
        pass
    assert store.open(node()).files == ()


def test_a_file_that_is_not_there(store):
    make(store, node())
    with pytest.raises(StoreError, match=r"has no file 'c': it has a.txt, deep/b.safetensors"):
        store.open(node()).file("c")


def test_looking_makes_no_folder(store):
    assert store.list() == ()
    assert store.ids() == set()
    assert not store.has(node())
    with pytest.raises(StoreError, match=r"has no train-[0-9a-f]{16}$"):
        store.open(node())
    with pytest.raises(StoreError, match="begins with 'train': it is empty"):
        store.find("train")
    assert not store.root.exists()


def test_a_root_that_is_a_file(tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(StoreError, match="runs is not a folder: choose another"):
        Store(tmp_path / "runs")


def test_a_root_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "runs")
    with (
        pytest.raises(StoreError, match=r"cannot write to .*: Not a directory"),
        store.create(node()),
    ):
        pass


def fail_half_way(folder, error):
    (folder / "a.txt").write_text("half")
    raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_of_what_failed(store, error):
    with pytest.raises(error), store.create(node()) as folder:
        fail_half_way(folder, error)
    assert names(store.root) == []
    assert not store.has(node())
    make(store, node())


def test_the_one_that_was_finished_first_is_kept(store):
    with store.create(node()) as folder:
        make(Store(store.root), node(), "theirs")
        (folder / "a.txt").write_text("ours")
    assert store.open(node()).file("a.txt").read_text() == "theirs"
    assert names(store.root) == [node().id]


def test_the_name_of_the_record_is_taken(store):
    with (
        pytest.raises(StoreError, match=r"artefact.json is the store's own"),
        store.create(node()) as folder,
    ):
        (folder / "artefact.json").write_text("{}")
    assert names(store.root) == []


def test_links_are_refused(store, tmp_path):
    with pytest.raises(StoreError, match=r"link.txt is a link"), store.create(node()) as folder:
        (folder / "link.txt").symlink_to(tmp_path)


# Damage


def edit(key, change):
    """Damage that changes a part of an early record, which has no digest."""

    def damage(folder):
        path = folder / "artefact.json"
        record = without_digest(json.loads(path.read_text()))
        path.write_text(json.dumps(record | {key: change(record[key])}))

    return damage


def resign(folder):
    """Damage of a time, which is no part of the id and of no file."""
    path = folder / "artefact.json"
    path.write_text(path.read_text().replace('"seconds": 1.5', '"seconds": 1.25'))


def write(name, content):
    return lambda folder: (folder / name).write_text(content)


def truncate(folder):
    with (folder / "deep" / "b.safetensors").open("r+b") as file:
        file.truncate(500)


def flip(folder):
    path = folder / "deep" / "b.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


RECORDS = [
    (write("artefact.json", "{"), r"artefact.json is not valid JSON"),
    (write("artefact.json", "[]"), r"artefact.json must hold a JSON object, got list"),
    (write("artefact.json", "{}"), "its keys are not those of a record"),
    (edit("node", lambda _: {}), "not a node: expected kind, version, params"),
    (resign, "it has changed since it was written"),
    (lambda folder: (folder / "artefact.json").unlink(), r"cannot read .*artefact.json: No such"),
    (
        edit("node", lambda of: of | {"params": {"seed": 1}}),
        "changed and is that of train-",
    ),
    (edit("node", lambda of: of | {"version": 2}), r"changed and is that of train-[0-9a-f]{16}"),
    (edit("node", lambda of: of | {"parents": {"x": "y"}}), "'y' is no artefact's id"),
    (edit("files", list), "it lists no files"),
    (edit("created", lambda _: None), "it lists no files"),
    (edit("files", lambda of: of | {"a.txt": {"bytes": 5}}), "it does not say what a.txt holds"),
    (edit("files", lambda of: of | {"../a": of["a.txt"]}), "it names a file outside, ../a"),
    (edit("files", lambda of: of | {"/etc/a": of["a.txt"]}), "it names a file outside, /etc/a"),
]
FILES = [
    (truncate, "deep/b.safetensors"),
    (flip, "deep/b.safetensors"),
    (lambda folder: shutil.rmtree(folder / "deep"), "deep/b.safetensors"),
    (lambda folder: (folder / "a.txt").unlink(), "a.txt"),
    (write("a.txt", "jello"), "a.txt"),
    (edit("files", lambda of: of | {"a.txt": of["a.txt"] | {"bytes": 4}}), "a.txt"),
]


def check_message(error, store, run_id):
    assert str(error.value).startswith(f"{run_id} is damaged, ")
    assert str(error.value).endswith(
        f": remove it with `expunge runs remove {run_id} --store {store.root}`"
    )
    assert "\n" not in str(error.value)


def check_it_can_be_made_again(store, run_id):
    assert [summary.id for summary in store.list()] == [run_id]
    assert store.remove(run_id) == (run_id,)
    make(store, node())
    assert store.open(run_id).file("a.txt").read_text() == "hello"
    assert store.open(run_id).file("deep/b.safetensors")


@pytest.mark.parametrize(("damage", "match"), RECORDS)
def test_a_damaged_record_is_named_with_the_way_out(store, damage, match):
    run_id = make(store, node())
    damage(store.path(run_id))
    for use in (store.open, store.node, lambda each: checked(store.path(each), "a.txt")):
        with pytest.raises(StoreError, match=match) as caught:
            use(run_id)
        check_message(caught, store, run_id)
    check_it_can_be_made_again(store, run_id)


@pytest.mark.parametrize(("damage", "name"), FILES)
def test_a_damaged_file_is_named_with_the_way_out(store, damage, name):
    run_id = make(store, node())
    damage(store.path(run_id))
    artefact = store.open(run_id)
    for use in (artefact.file, lambda each: checked(store.path(run_id), each)):
        with pytest.raises(StoreError, match=f"{name} is missing or changed") as caught:
            use(name)
        check_message(caught, store, run_id)
    (other,) = {"a.txt", "deep/b.safetensors"} - {name}
    assert artefact.file(other) == checked(store.path(run_id), other) == artefact.folder / other
    check_it_can_be_made_again(store, run_id)


def test_every_bit_of_a_record_is_checked(store):
    folder = store.path(make_small(store, node()))
    path = folder / "artefact.json"
    content = path.read_bytes()
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(StoreError, match=r"is damaged, its artefact.json cannot be used"):
            read_artefact(folder)
    path.write_bytes(content)
    assert read_artefact(folder).node == node()


def test_a_record_of_an_early_version_is_read(store):
    folder = store.path(make(store, node()))
    edit("created", lambda _: "2020-01-01")(folder)
    assert read_artefact(folder).created == "2020-01-01"


def test_a_file_that_may_lack_is_told_from_one_that_is_gone(store):
    folder = store.path(make(store, node()))
    assert checked_if_any(folder, "a.txt") == folder / "a.txt"
    assert checked_if_any(folder, "b.txt") is None
    (folder / "a.txt").unlink()
    with pytest.raises(StoreError, match=r"a.txt is missing or changed"):
        checked_if_any(folder, "a.txt")


def test_the_way_out_of_a_root_with_spaces_can_be_typed(tmp_path):
    store = Store(tmp_path / "my runs")
    run_id = make(store, node())
    truncate(store.path(run_id))
    with pytest.raises(StoreError, match=rf"remove {run_id} --store '{tmp_path}/my runs'`"):
        checked(store.path(run_id), "deep/b.safetensors")


def test_a_file_is_read_once_for_each_state(store, monkeypatch):
    path = store.path(make(store, node())) / "a.txt"
    read = []
    digest = hashlib.file_digest

    def counted(file, algorithm):
        read.append(file.name)
        return digest(file, algorithm)

    monkeypatch.setattr("hashlib.file_digest", counted)
    store.open(node())
    assert read == []
    for _ in range(3):
        assert checked(path.parent, "a.txt") == store.open(node()).file("a.txt") == path
    assert read == [str(path)]
    os.utime(path, ns=(1, 1))
    checked(path.parent, "a.txt")
    assert read == [str(path)] * 2
    path.write_text("jello")
    with pytest.raises(StoreError, match="changed"):
        checked(path.parent, "a.txt")


def test_writing_inside_an_artefact_syncs_each_file_and_folder_once(store, monkeypatch):
    make(store, node(1))
    synced = []
    fsync = os.fsync

    def counted(descriptor):
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    with store.create(node()) as folder:
        (folder / "deep").mkdir()
        write_json(folder / "deep" / "x.json", 1)
    assert sorted(synced) == [folder.name, "artefact.json", "deep", "x.json"]


# Lists


def test_the_list_is_in_the_order_of_making(store):
    first, second = make(store, node(1)), make(store, node(2, kind="prune", model=node(1).id))
    for run_id, created in ((first, "2024-01-02"), (second, "2024-01-01")):
        path = store.path(run_id) / "artefact.json"
        record = without_digest(json.loads(path.read_text()))
        path.write_text(json.dumps(with_digest(record | {"created": created})))
    later = store.list()
    assert [summary.id for summary in later] == [second, first]
    assert later[0].kind == "prune"
    assert later[0].params == {"seed": 2}
    assert later[0].parents == {"model": first}
    assert later[0].problem == ""
    on_disk = [path for path in store.path(second).rglob("*") if path.is_file()]
    assert later[0].size_bytes == sum(path.stat().st_size for path in on_disk) > 8000


def test_the_list_shows_what_cannot_be_read(store):
    good, bad = make(store, node(1)), make(store, node(2))
    (store.path(bad) / "artefact.json").write_text("")
    summaries = {summary.id: summary for summary in store.list()}
    assert summaries[good].problem == ""
    assert "artefact.json is not valid JSON" in summaries[bad].problem
    assert (summaries[bad].kind, summaries[bad].params, summaries[bad].parents) == (
        "train",
        {},
        {},
    )
    assert summaries[bad].size_bytes > 8000


@pytest.mark.parametrize(
    ("made", "label"),
    [({"label": "train resnet8, seed 0"}, "train resnet8, seed 0"), ({}, ""), ({"label": 3}, "")],
)
def test_the_list_says_what_people_call_an_artefact(store, made, label):
    with store.create(node(), made):
        pass
    (summary,) = store.list()
    assert summary.label == store.open(node()).label == label


def test_the_list_is_of_artefacts_only(store, tmp_path):
    run_id = make(store, node())
    (store.root / "notes").mkdir()
    (store.root / "train-0123456789abcdef").write_text("a file")
    (tmp_path / "elsewhere").mkdir()
    (store.root / "train-0123456789abcdee").symlink_to(tmp_path / "elsewhere")
    assert [summary.id for summary in store.list()] == [run_id]
    assert not store.has("train-0123456789abcdee")
    assert store.ids() == {run_id}


def test_find_takes_what_is_unique(store):
    train, prune = make(store, node(1)), make(store, node(1, kind="prune"))
    other = make(store, node(2, kind="prune"))
    assert store.find("t") == store.find(train[:10]) == store.find(train) == train
    assert store.find(prune) == prune
    with pytest.raises(StoreError, match=rf"'prune-' is ambiguous: ({prune}|{other}), "):
        store.find("prune-")
    with pytest.raises(StoreError, match=r"begins with 'x': it has prune-.*, train-"):
        store.find("x")
    with pytest.raises(StoreError, match="ambiguous"):
        store.find("")


# Removal


def family(store):
    """A model, its pruned copy, what is predicted with both, and a stranger."""
    model = make(store, node())
    sparse = make(store, node(kind="prune", model=model))
    both = make(store, node(kind="a_measure", model=model, sparse=sparse))
    return model, sparse, both, make(store, node(9))


def test_what_others_were_made_from_stays(store):
    model, sparse, both, _ = family(store)
    with pytest.raises(
        StoreError, match=rf"^{both}, {sparse} were made from {model}: .*--dependants"
    ):
        store.remove(model)
    assert len(store.list()) == 4
    assert store.remove(both) == (both,)
    assert store.remove(sparse) == (sparse,)
    assert store.remove(model) == (model,)


def test_dependants_go_first(store):
    model, sparse, both, stranger = family(store)
    assert store.remove(model, dependants=True) == (both, sparse, model)
    assert names(store.root) == [stranger]


@pytest.mark.parametrize(
    "wrong",
    ["", ".", "..", "../outside", "/", "train", ".locks", "train-0123456789abcdef/../../outside"],
)
def test_nothing_but_artefacts_can_be_removed(store, tmp_path, wrong):
    make(store, node())
    (tmp_path / "outside").mkdir()
    for use in (store.remove, store.open, store.node, store.has, store.path):
        with pytest.raises(StoreError, match="is no artefact's id, such as train-"):
            use(wrong)
    assert (tmp_path / "outside").is_dir()
    assert len(store.list()) == 1


def test_a_link_to_the_outside_is_not_removed(store, tmp_path):
    make(store, node())
    (tmp_path / "outside").mkdir()
    (store.root / "train-0123456789abcdef").symlink_to(tmp_path / "outside")
    with pytest.raises(StoreError, match="has no train-0123456789abcdef"):
        store.remove("train-0123456789abcdef")
    assert (tmp_path / "outside").is_dir()


def test_a_removal_that_fails_half_way_is_swept(store, monkeypatch):
    run_id = make(store, node())

    def fail(path, **_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", fail)
    with pytest.raises(StoreError, match=f"cannot remove {run_id}: Permission denied"):
        store.remove(run_id)
    monkeypatch.undo()
    assert not store.has(run_id)
    (left,) = names(store.root)
    assert left.startswith(".expunge-removed-")
    Store(store.root)
    assert names(store.root) == []


def test_removing_what_another_process_just_removed(store, monkeypatch):
    run_id = make(store, node())
    monkeypatch.setattr(store, "ids", lambda: shutil.rmtree(store.path(run_id)) or {run_id})
    assert store.remove(run_id) == (run_id,)


def test_a_long_line_of_dependants(store, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    ids = [make_small(store, node())]
    for seed in range(1100):
        ids.append(make_small(store, node(seed, model=ids[-1])))
    assert store.remove(ids[0], dependants=True) == tuple(reversed(ids))


# Full disks


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_one_line(store, number):
    with pytest.raises(StoreError) as caught, store.create(node()):
        raise OSError(number, os.strerror(number))
    assert str(caught.value) == (
        f"no room in {store.root} for {node().id} ({os.strerror(number)}): "
        "nothing was kept; free space or choose another folder"
    )
    assert names(store.root) == []


def test_a_disk_that_fills_while_json_is_written(store, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(
            StoreError, match=r"no room in .*runs for train-.*\(No space left on device\)"
        ),
        store.create(node()) as folder,
    ):
        write_json(folder / "x.json", 1)
    assert names(store.root) == []


def test_other_errors_of_the_stage_are_its_own(store):
    with pytest.raises(FileNotFoundError), store.create(node()) as folder:
        (folder / "gone").read_text()


def test_a_store_that_cannot_take_the_finished_folder(store, monkeypatch):
    def refuse(self, target):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with (
        pytest.raises(StoreError, match=r"cannot write .*: Permission denied"),
        store.create(node()),
    ):
        pass
    assert names(store.root) == []


def test_a_folder_that_cannot_be_made(store, monkeypatch):
    make(store, node(1))

    def refuse(self, *_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse)
        with pytest.raises(StoreError, match=r"cannot write to .*: No space left on device"):
            store.create(node()).__enter__()

    monkeypatch.setattr(Path, "mkdir", lambda self, **_: _ or refuse(self))
    with pytest.raises(StoreError, match=r"cannot write to .*: No space left on device"):
        store.create(node()).__enter__()


# Other processes

PREAMBLE = """
import os, signal, sys, time
from pathlib import Path
from expunge.runs import Node, Store, checked, write_arrays
# A shell in the background has its children ignore interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
store = Store(Path(sys.argv[1]))
node = Node(kind="train", version=1, params={"seed": 0})
"""

SLOW = """
with store.create(node) as folder:
    (folder / "a.txt").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""

HOLDING = """
with store.lock(node):
    print("holding", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def start(started):
    """Start a process that runs `code`, and wait until it has said `word`."""

    def start(store, code, word):
        process = started("-c", PREAMBLE + textwrap.dedent(code), store.root)
        assert process.stdout.readline().strip() == word
        return process

    return start


def end(process, how):
    process.send_signal(how)
    process.said(20)
    return process.returncode


def test_a_killed_process_leaves_no_artefact(start, store):
    process = start(store, SLOW, "writing")
    folder, lock = names(store.root)
    assert folder == lock
    assert folder.startswith(f".expunge-{node().id}-{this_host()}-{process.pid}-")
    Store(store.root)
    assert names(store.root) == [folder, lock], "the folder of a living process was swept"
    assert end(process, signal.SIGKILL) == -signal.SIGKILL
    assert not store.has(node())
    assert store.list() == ()
    again = Store(store.root)
    assert names(store.root) == []
    make(again, node(), "whole")
    assert again.open(node()).file("a.txt").read_text() == "whole"


def test_an_interrupted_process_cleans_up_itself(start, store):
    end(start(store, SLOW, "writing"), signal.SIGINT)
    assert names(store.root) == []
    assert not store.has(node())


def test_a_file_larger_than_allowed_is_one_line(store):
    """As on a full disk, the system refuses in the middle of a file."""
    code = """
    import resource
    import numpy as np
    from safetensors.numpy import save_file
    from expunge.errors import StoreError
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    big = {"x": np.zeros(100_000)}
    writers = {
        "arrays": lambda folder: write_arrays(folder / "x", big),
        "safetensors": lambda folder: save_file(big, folder / "x"),
        "bytes": lambda folder: (folder / "x").write_bytes(bytes(800_000)),
    }
    for name, write in writers.items():
        try:
            with store.create(node) as folder:
                write(folder)
        except StoreError as error:
            print(name, error, sorted(store.root.rglob('*')))
    """
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(code), str(store.root)],
        capture_output=True,
        text=True,
        check=True,
    )
    line = f"no room in {store.root} for {node().id} (File too large): nothing was kept; "
    assert done.stdout.splitlines() == [
        f"{name} {line}free space or choose another folder "
        f"[{store.root / '.aside'!r}, {store.root / '.locks'!r}]"
        for name in ("arrays", "safetensors", "bytes")
    ]


def test_a_lock_is_waited_for_and_ends_with_its_process(start, started, store):
    process = start(store, HOLDING, "holding")
    waiting = started("-c", PREAMBLE + "with store.lock(node): print('mine')", store.root)
    with store.lock(node(1)):
        pass  # another artefact's lock is free
    time.sleep(0.7)
    assert waiting.poll() is None
    end(process, signal.SIGKILL)
    assert waiting.said(20)[0].strip() == "mine"
    with store.lock(node().id):
        pass


def test_of_two_processes_that_want_the_same_one_computes(started, store):
    code = """
    with store.lock(node):
        if not store.has(node):
            with store.create(node) as folder:
                time.sleep(0.3)
                (folder / "who").write_text(str(os.getpid()))
            print("computed", flush=True)
    """
    command = ["-c", PREAMBLE + textwrap.dedent(code), store.root]
    both = [started(*command) for _ in range(2)]
    said = [process.said(20)[0].split() for process in both]
    assert sorted(said) == [[], ["computed"]]
    assert store.open(node()).files == ("who",)


def test_a_root_that_may_not_be_written_can_be_read(store, monkeypatch):
    make(store, node())
    left = store.root / ".aside" / ".expunge-removed-0123456789abcdef"
    left.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        assert Store(store.root).open(node()).id == node().id
    assert left.exists()
    Store(store.root)
    assert not left.exists()


def test_the_room_imports_nothing_heavy():
    code = "import sys, expunge.runs\n"
    code += "heavy = {'torch', 'numpy', 'joblib', 'sklearn', 'lightning_fabric', 'expunge.types'}\n"
    code += "print(heavy & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
