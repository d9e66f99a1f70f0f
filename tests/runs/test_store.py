import errno
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

from expunge.errors import StoreError
from expunge.runs import Spec, Store, read_arrays, write_arrays, write_json


def spec(seed=0, kind="train", **parents):
    return Spec(kind=kind, settings={"seed": seed}, parents=parents, code="1")


def make(store, which, content="hello"):
    with store.create(which) as folder:
        (folder / "a.txt").write_text(content)
        (folder / "deep").mkdir()
        write_arrays(folder / "deep" / "b.safetensors", {"x": np.arange(1000.0)})
    return which.id


def names(folder):
    """What a folder holds, locks aside."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".locks")


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def test_what_was_made_can_be_opened(store):
    assert not store.has(spec())
    run_id = make(store, spec())
    assert store.has(spec())
    assert store.has(run_id)
    for artefact in (store.open(run_id), Store(store.root).open(spec())):
        assert artefact.spec == spec()
        assert artefact.id == run_id
        assert artefact.folder == store.path(run_id) == store.root / run_id
        assert artefact.files == ("a.txt", "deep/b.safetensors")
        assert artefact.file("a.txt").read_text() == "hello"
        assert read_arrays(artefact.file("deep/b.safetensors"))["x"][-1] == 999
        assert artefact.created.endswith("+00:00")


def test_an_artefact_may_have_no_files(store):
    with store.create(spec()):
        pass
    assert store.open(spec()).files == ()


def test_a_file_that_is_not_there(store):
    make(store, spec())
    with pytest.raises(StoreError, match=r"has no file 'c': it has a.txt, deep/b.safetensors"):
        store.open(spec()).file("c")


def test_looking_makes_no_folder(store):
    assert store.list() == ()
    assert not store.has(spec())
    with pytest.raises(StoreError, match=r"has no train-[0-9a-f]{16}$"):
        store.open(spec())
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
        pytest.raises(StoreError, match=r"cannot write in .*: Not a directory"),
        store.create(spec()),
    ):
        pass


def fail_half_way(folder, error):
    (folder / "a.txt").write_text("half")
    raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_of_what_failed(store, error):
    with pytest.raises(error), store.create(spec()) as folder:
        fail_half_way(folder, error)
    assert names(store.root) == []
    assert names(store.root / ".locks") == []
    assert not store.has(spec())
    make(store, spec())


def test_the_one_that_was_finished_first_is_kept(store):
    with store.create(spec()) as folder:
        make(Store(store.root), spec(), "theirs")
        (folder / "a.txt").write_text("ours")
    assert store.open(spec()).file("a.txt").read_text() == "theirs"
    assert names(store.root) == [spec().id]


@pytest.mark.parametrize("name", ["spec.json", "manifest.json"])
def test_the_stores_own_names_are_taken(store, name):
    with (
        pytest.raises(StoreError, match=f"{name} is the store's own"),
        store.create(spec()) as folder,
    ):
        (folder / name).write_text("{}")
    assert names(store.root) == []


def test_links_are_refused(store, tmp_path):
    with pytest.raises(StoreError, match=r"link.txt is a link"), store.create(spec()) as folder:
        (folder / "link.txt").symlink_to(tmp_path)


# Damage


def change_spec(folder):
    path = folder / "spec.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))


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


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (write("spec.json", "{"), "spec.json is not valid JSON"),
        (write("spec.json", "[]"), "not a spec: expected kind, settings, parents and code"),
        (change_spec, r"its spec.json was changed and is that of train-[0-9a-f]{16}"),
        (lambda folder: (folder / "spec.json").unlink(), "cannot read .*spec.json: No such file"),
        (lambda folder: (folder / "manifest.json").unlink(), "cannot read .*manifest.json"),
        (write("manifest.json", "[]"), "its manifest.json lists no files"),
        (write("manifest.json", '{"created": "x"}'), "its manifest.json lists no files"),
        (truncate, "deep/b.safetensors is missing or changed"),
        (flip, "deep/b.safetensors is missing or changed"),
        (lambda folder: (folder / "a.txt").unlink(), "a.txt is missing or changed"),
    ],
)
def test_damage_is_named_with_the_way_out(store, damage, match):
    run_id = make(store, spec())
    damage(store.path(run_id))
    with pytest.raises(StoreError, match=match) as caught:
        store.open(run_id)
    assert str(caught.value).startswith(f"{run_id} is damaged, ")
    assert str(caught.value).endswith(f": remove it with `expunge runs remove {run_id}`")
    assert "\n" not in str(caught.value)
    assert [summary.id for summary in store.list()] == [run_id]
    assert store.remove(run_id) == (run_id,)
    make(store, spec())
    assert store.open(run_id).spec == spec()


# Lists


def test_the_list_is_in_the_order_of_making(store):
    first, second = make(store, spec(1)), make(store, spec(2, kind="prune", model=spec(1).id))
    for run_id, created in ((first, "2024-01-02"), (second, "2024-01-01")):
        path = store.path(run_id) / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"created": created}))
    later = store.list()
    assert [summary.id for summary in later] == [second, first]
    assert later[0].kind == "prune"
    assert later[0].settings == {"seed": 2}
    assert later[0].parents == {"model": first}
    assert later[0].problem == ""
    on_disk = [path for path in store.path(second).rglob("*") if path.is_file()]
    assert later[0].size_bytes == sum(path.stat().st_size for path in on_disk) > 8000


def test_the_list_shows_what_cannot_be_read(store):
    good, bad = make(store, spec(1)), make(store, spec(2))
    (store.path(bad) / "spec.json").write_text("")
    summaries = {summary.id: summary for summary in store.list()}
    assert summaries[good].problem == ""
    assert "spec.json is not valid JSON" in summaries[bad].problem
    assert (summaries[bad].kind, summaries[bad].settings, summaries[bad].parents) == (
        "train",
        {},
        {},
    )
    assert summaries[bad].size_bytes > 8000


def test_the_list_is_of_artefacts_only(store, tmp_path):
    run_id = make(store, spec())
    (store.root / "notes").mkdir()
    (store.root / "train-0123456789abcdef").write_text("a file")
    (tmp_path / "elsewhere").mkdir()
    (store.root / "train-0123456789abcdee").symlink_to(tmp_path / "elsewhere")
    assert [summary.id for summary in store.list()] == [run_id]
    assert not store.has("train-0123456789abcdee")


def test_find_takes_what_is_unique(store):
    train, prune = make(store, spec(1)), make(store, spec(1, kind="prune"))
    other = make(store, spec(2, kind="prune"))
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
    model = make(store, spec())
    sparse = make(store, spec(kind="prune", model=model))
    both = make(store, spec(kind="a_measure", model=model, sparse=sparse))
    return model, sparse, both, make(store, spec(9))


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
    make(store, spec())
    (tmp_path / "outside").mkdir()
    for use in (store.remove, store.open, store.has, store.path):
        with pytest.raises(StoreError, match="is no artefact's id, such as train-"):
            use(wrong)
    assert (tmp_path / "outside").is_dir()
    assert len(store.list()) == 1


def test_a_link_to_the_outside_is_not_removed(store, tmp_path):
    make(store, spec())
    (tmp_path / "outside").mkdir()
    (store.root / "train-0123456789abcdef").symlink_to(tmp_path / "outside")
    with pytest.raises(StoreError, match="has no train-0123456789abcdef"):
        store.remove("train-0123456789abcdef")
    assert (tmp_path / "outside").is_dir()


def test_a_removal_that_fails_half_way_is_swept(store, monkeypatch):
    run_id = make(store, spec())

    def fail(path, **_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", fail)
    with pytest.raises(StoreError, match=f"cannot remove {run_id}: Permission denied"):
        store.remove(run_id)
    monkeypatch.undo()
    assert not store.has(run_id)
    assert len(names(store.root)) == 1
    Store(store.root)
    assert names(store.root) == []


def test_removing_what_another_process_just_removed(store, monkeypatch):
    run_id = make(store, spec())
    listed = store.list()
    monkeypatch.setattr(store, "list", lambda: shutil.rmtree(store.path(run_id)) or listed)
    assert store.remove(run_id) == (run_id,)


# Full disks


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_one_line(store, number):
    with pytest.raises(StoreError) as caught, store.create(spec()):
        raise OSError(number, os.strerror(number))
    assert str(caught.value) == (
        f"no room in {store.root} for {spec().id} ({os.strerror(number)}): "
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
        store.create(spec()) as folder,
    ):
        write_json(folder / "x.json", 1)
    assert names(store.root) == []


def test_other_errors_of_the_stage_are_its_own(store):
    with pytest.raises(FileNotFoundError), store.create(spec()) as folder:
        (folder / "gone").read_text()


def test_a_store_that_cannot_take_the_finished_folder(store, monkeypatch):
    def refuse(self, target):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with (
        pytest.raises(StoreError, match=r"cannot write .*: Permission denied"),
        store.create(spec()),
    ):
        pass
    assert names(store.root) == []


def test_a_folder_that_cannot_be_made(store, monkeypatch):
    make(store, spec(1))

    def refuse(self, *_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse)
        with pytest.raises(StoreError, match=r"cannot write in .*: No space left on device"):
            store.create(spec()).__enter__()

    monkeypatch.setattr(Path, "mkdir", lambda self, **_: _ or refuse(self))
    with pytest.raises(StoreError, match=r"cannot write in .*: No space left on device"):
        store.create(spec()).__enter__()


def test_a_filesystem_without_locks(store, monkeypatch):
    def unsupported(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with pytest.raises(StoreError, match=r"cannot lock in .*: No locks available"):
        store.create(spec()).__enter__()


# Other processes

PREAMBLE = """
import os, signal, sys, time
from pathlib import Path
from expunge.runs import Spec, Store, write_arrays
# A shell in the background has its children ignore interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
store = Store(Path(sys.argv[1]))
spec = Spec(kind="train", settings={"seed": 0}, parents={}, code="1")
"""

SLOW = """
with store.create(spec) as folder:
    (folder / "a.txt").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""

HOLDING = """
with store.lock(spec):
    print("holding", flush=True)
    time.sleep(60)
"""


def start(store, code, word):
    """A process that runs `code`, when it has said `word`."""
    process = subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(code), str(store.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline().strip() == word
    return process


def end(process, how):
    process.send_signal(how)
    process.communicate(timeout=20)
    return process.returncode


def test_a_killed_process_leaves_no_artefact(store):
    process = start(store, SLOW, "writing")
    (left,) = names(store.root)
    assert left.startswith(f".tmp-{spec().id}-{process.pid}-")
    Store(store.root)
    assert names(store.root) == [left], "the folder of a living process was swept"
    assert end(process, signal.SIGKILL) == -signal.SIGKILL
    assert not store.has(spec())
    assert store.list() == ()
    again = Store(store.root)
    assert names(store.root) == []
    assert names(store.root / ".locks") == []
    make(again, spec(), "whole")
    assert again.open(spec()).file("a.txt").read_text() == "whole"


def test_an_interrupted_process_cleans_up_itself(store):
    end(start(store, SLOW, "writing"), signal.SIGINT)
    assert names(store.root) == []
    assert not store.has(spec())


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
            with store.create(spec) as folder:
                write(folder)
        except StoreError as error:
            print(name, error, sorted(os.listdir(sys.argv[1])))
    """
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(code), str(store.root)],
        capture_output=True,
        text=True,
        check=True,
    )
    line = f"no room in {store.root} for {spec().id} (File too large): nothing was kept; "
    assert done.stdout.splitlines() == [
        f"{name} {line}free space or choose another folder ['.locks']"
        for name in ("arrays", "safetensors", "bytes")
    ]


def test_a_lock_is_waited_for_and_ends_with_its_process(store):
    process = start(store, HOLDING, "holding")
    waiting = subprocess.Popen(
        [sys.executable, "-c", PREAMBLE + "with store.lock(spec): print('mine')", str(store.root)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with store.lock(spec(1)):
        pass  # another artefact's lock is free
    time.sleep(0.7)
    assert waiting.poll() is None
    end(process, signal.SIGKILL)
    assert waiting.communicate(timeout=20)[0].strip() == "mine"
    with store.lock(spec().id):
        pass


def test_of_two_processes_that_want_the_same_one_computes(store):
    code = """
    with store.lock(spec):
        if not store.has(spec):
            with store.create(spec) as folder:
                time.sleep(0.3)
                (folder / "who").write_text(str(os.getpid()))
            print("computed", flush=True)
    """
    command = [sys.executable, "-c", PREAMBLE + textwrap.dedent(code), str(store.root)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=20)[0].split() for process in both]
    assert sorted(said) == [[], ["computed"]]
    assert store.open(spec()).files == ("who",)


def test_a_root_that_may_not_be_written_can_be_read(store, monkeypatch):
    make(store, spec())
    left = store.root / ".tmp-left"
    left.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        assert Store(store.root).open(spec()).id == spec().id
    assert left.exists()
    Store(store.root)
    assert not left.exists()


def test_the_room_imports_no_torch():
    modules = ("environment", "files", "record", "spec", "store")
    code = "import sys\n" + "".join(f"import expunge.runs.{name}\n" for name in modules)
    code += "print({'torch', 'sklearn', 'lightning_fabric', 'expunge.types'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
