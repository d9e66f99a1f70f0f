import getpass
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from expunge.runs import available_cores, environment, write_json
from expunge.runs.environment import _commit, _cpu_model, _git, _memory_gib, _version


def git(folder, *arguments):
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(("git", *identity, *arguments), cwd=folder, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "code.py").write_text("1\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_the_record(tmp_path):
    found = environment()
    write_json(tmp_path / "env.json", found)
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", found["python"])
    assert found["packages"]["torch"].startswith("2.")
    assert all(found["packages"].values())
    assert found["cores"] >= 1
    assert found["memory_gib"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found["date"])
    assert found["commit"] is None or re.fullmatch(r"[0-9a-f]{12}(-dirty)?", found["commit"])


def test_it_names_no_person_host_or_path():
    text = json.dumps({key: value for key, value in environment().items() if key != "packages"})
    for private in (str(Path.home()), str(Path.cwd()), socket.gethostname()):
        assert private not in text or len(private) < 3
    assert f'"{getpass.getuser()}"' not in text


def test_a_checkout_has_a_commit(checkout):
    clean = _commit(checkout / "code.py")
    assert re.fullmatch("[0-9a-f]{12}", clean)
    (checkout / "code.py").write_text("2\n")
    assert _commit(checkout / "code.py") == f"{clean}-dirty"


def test_a_tag_is_no_commit(checkout):
    git(checkout, "tag", "-am", "release", "v1")
    assert re.fullmatch("[0-9a-f]{12}", _commit(checkout / "code.py"))


def test_a_copy_inside_another_checkout_has_none(checkout):
    copy = checkout / "site-packages" / "expunge.py"
    copy.parent.mkdir()
    copy.write_text("")
    assert _commit(copy) is None


def test_no_checkout_or_no_git_has_none(tmp_path, monkeypatch, checkout):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _commit(checkout / "code.py") is None
    assert _git(tmp_path / "no folder", "status") is None


def test_a_hook_of_another_repository_does_not_mislead(checkout, monkeypatch):
    expected = _commit(checkout / "code.py")
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert _commit(checkout / "code.py") == expected


def test_what_cannot_be_found_out_is_null(tmp_path, monkeypatch):
    assert _version("no-such-package-at-all") is None
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A: B 3000\n")
    assert _cpu_model(tmp_path / "cpuinfo") == "A: B 3000"
    monkeypatch.setattr("platform.processor", lambda: "")
    assert _cpu_model(tmp_path / "gone") is None

    def unknown(name):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr("os.sysconf", unknown)
    assert _memory_gib() is None


def test_cores_are_those_that_this_process_may_use(tmp_path, monkeypatch):
    quota = tmp_path / "cpu.max"
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert available_cores(quota) == 6
    for text, cores in [
        ("max 100000", 6),
        ("200000 100000", 2),
        ("250000 100000", 3),
        ("50000 100000", 1),
        ("9900000 100000", 6),
        ("", 6),
    ]:
        quota.write_text(f"{text}\n")
        assert available_cores(quota) == cores
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert available_cores(tmp_path / "gone") == 5


def test_this_processs_affinity_counts():
    code = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
    code += "from expunge.runs import environment; print(environment()['cores'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_all_but_the_date_is_found_once(monkeypatch):
    first = environment()
    first["packages"]["torch"] = "changed"

    def again(*_, **__):
        raise AssertionError

    monkeypatch.setattr(subprocess, "run", again)
    later = environment()
    assert later["packages"]["torch"] != "changed"
    assert {**later, "date": "", "packages": {}} == {**first, "date": "", "packages": {}}
