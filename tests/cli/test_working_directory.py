"""Code in the working directory runs only where `package.module:callable` asks for it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.deadlines import stretched

from expunge import callables, search_path
from expunge.errors import ModelError

COMMAND = [str(Path(sys.executable).with_name("expunge"))]
MODULE = [sys.executable, "-m", "expunge"]
HOSTILE = """
from pathlib import Path
with open({trace!r}, "a") as file:
    file.write({name!r} + "\\n")
raise SystemExit("hostile")
"""


@pytest.fixture
def folder(tmp_path):
    """A downloaded folder: modules named like installed ones, an entry point, a network."""
    folder = tmp_path / "downloaded"
    folder.mkdir()
    trace = str(tmp_path / "trace")
    for name in ("torch", "rich", "json", "typing", "numpy", "evil", "typer", "selectors"):
        (folder / f"{name}.py").write_text(HOSTILE.format(trace=trace, name=name))
    for name in ("tomllib", "lightning_fabric"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(HOSTILE.format(trace=trace, name=name))
    meta = folder / "evil-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Name: evil\nVersion: 1.0\n")
    groups = ("expunge.methods", "expunge.metrics", "expunge.sources", "torch.backends")
    (meta / "entry_points.txt").write_text("".join(f"[{g}]\nevil = evil:X\n" for g in groups))
    (folder / "networks_here.py").write_text(
        "def build(num_classes):\n"
        "    from layers_here import layers\n"
        "    print('building')\n"
        "    return layers(num_classes)\n"
    )
    (folder / "layers_here.py").write_text(
        "from torch import nn\n"
        "def layers(num_classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(16, num_classes))\n"
    )
    images = np.random.default_rng(0).integers(0, 256, (12, 4, 4), dtype=np.uint8)
    labels = np.arange(12) % 3
    np.savez(folder / "few.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    return folder


def run(folder, *words, **environment):
    done = subprocess.run(
        words,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=stretched(300),
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        check=False,
    )
    trace = folder.parent / "trace"
    ran = trace.read_text().split() if trace.exists() else []
    assert ran == [], f"{words}: {done.stderr}"
    return done


@pytest.mark.parametrize("start", [COMMAND, MODULE], ids=["expunge", "python -m"])
def test_modules_of_the_folder_do_not_run(folder, start):
    for words in (["methods"], ["metrics", "ua"]):
        done = run(folder, *start, *words)
        assert done.returncode == 0, done.stderr


def test_an_empty_entry_of_pythonpath_is_not_the_folder(folder):
    # Python itself imports this one before any command can change the search path.
    done = run(folder, *MODULE, "methods", PYTHONPATH=f"{os.pathsep}nowhere")
    assert done.returncode == 0, done.stderr


RECIPE = """
title = "Few"
scenarios = ["class:0"]
seeds = [0, 1]
metrics = ["ua"]
[data]
source = "few.npz"
[network]
name = "networks_here:build"
[training]
epochs = 1
rewind_epoch = 0
[methods.ga]
epochs = 1
"""


def test_a_network_of_the_folder_is_built_and_prints_on_standard_error(folder):
    words = ["--data", "few.npz", "--model", "networks_here:build", "--epochs", "1"]
    done = run(folder, *COMMAND, "train", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("train-")
    assert "building" in done.stderr


@pytest.mark.parametrize("engine", ["processes", "ray"])
def test_a_network_of_the_folder_is_built_in_other_processes(folder, engine):
    if engine == "ray":
        pytest.importorskip("ray")
    (folder / "few.toml").write_text(RECIPE)
    words = ["bench", "few.toml", "--out", "few", "--workers", "2", "--engine", engine]
    done = run(folder, *COMMAND, *words)
    assert done.returncode == 0, done.stderr


def test_the_folder_is_searched_last_and_only_for_the_block(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    with callables.working_directory_last():
        assert sys.path == [*before, str(tmp_path)]
        with callables.working_directory_last():
            assert sys.path == [*before, str(tmp_path)]
    assert sys.path == before
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with callables.working_directory_last():
        assert sys.path == before


def test_where_pythonpath_names_the_folder_it_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for asked, left in ((".", 1), (f"{tmp_path}{os.pathsep}", 1), ("", 0), (os.pathsep, 0)):
        monkeypatch.setenv("PYTHONPATH", asked)
        monkeypatch.setattr(sys, "path", [str(tmp_path), "/installed"])
        search_path.leave_out_working_directory(run_as_module=True)
        assert sys.path == [str(tmp_path)] * left + ["/installed"]
        children = search_path.environment_of_children()["PYTHONPATH"]
        assert "" not in children.split(os.pathsep) or not children


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import sys; sys.exit()", "SystemExit"),
        ("raise SystemExit('done')", "SystemExit: done"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("raise type('Stop', (BaseException,), {})('now')", "Stop: now"),
        ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ("import nothing_like_that", "ModuleNotFoundError: No module named 'nothing_like_that'"),
    ],
)
def test_whatever_a_callable_raises_is_one_line(body, reason):
    with (
        pytest.raises(ModelError) as caught,
        callables.user_code("'networks:build' raised", ModelError),
    ):
        exec(body)
    assert str(caught.value) == f"'networks:build' raised {reason}"


def test_ctrl_c_is_not_the_callables_fault():
    with pytest.raises(KeyboardInterrupt), callables.user_code("'a:b' raised", ModelError):
        raise KeyboardInterrupt


def test_what_a_callable_prints_is_not_output(capsys):
    with callables.user_code("'a:b' raised", ModelError):
        sys.stdout.write("loading\n")
    assert capsys.readouterr() == ("", "loading\n")
