"""What every sink does, with stand-ins for the libraries; with the libraries where they are."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from expunge.errors import ConfigError, StoreError
from expunge.tracking import SINKS, Run, open_sink

RUN = Run(
    id="train-0123456789abcdef",
    name="train resnet8 on digits, seed 0",
    group="train-0123456789abcdef",
    about={"node": "train-0123456789abcdef"},
    steps=[{"train/loss": 2.5, "train/lr": 0.1}, {"train/loss": 1.25, "train/lr": 0.05}],
    final={"measures/ua": 93.5},
)
SCALARS = {
    ("train/loss", 1, 2.5),
    ("train/lr", 1, 0.1),
    ("train/loss", 2, 1.25),
    ("train/lr", 2, 0.05),
}


class Writer:
    """As `SummaryWriter`: writes a file into its folder when it is closed."""

    def __init__(self, folder):
        self.file, self.lines = Path(folder) / "events.json", []

    def add_text(self, name, text):
        self.lines.append([name, text])

    def add_scalar(self, name, value, step):
        if value is None:
            raise OSError(28, "No space left on device")
        self.lines.append([name, step, value])

    def close(self):
        self.file.write_text(json.dumps(self.lines))


class Weights(ModuleType):
    """As the module `wandb`: keeps what is logged, and leaves a folder for each finished run."""

    class Error(Exception):
        pass

    def __init__(self):
        super().__init__("wandb")
        self.started, self.Settings = [], dict

    def init(self, **words):
        run = SimpleNamespace(words=words, logged=[], summary={}, finished=False)
        run.log = lambda values, step: run.logged.append((step, values))
        run.finish = lambda: self.finish(run)
        if words["mode"] == "online":
            raise self.Error("no\nlogin")
        self.started.append(run)
        return run

    def finish(self, run):
        run.finished = True
        Path("wandb", f"offline-run-20260101_000000-{run.words['id']}").mkdir(parents=True)


@pytest.fixture
def fakes(monkeypatch, tmp_path):
    """Stand-ins for the libraries, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_MODE", "WANDB_DIR", "WANDB_ERROR_REPORTING"):
        monkeypatch.delenv(name, raising=False)
    found = SimpleNamespace(wandb=Weights(), tensorboard=ModuleType("torch.utils.tensorboard"))
    found.tensorboard.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "wandb", found.wandb)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", found.tensorboard)
    return found


@pytest.mark.parametrize("name", SINKS)
def test_a_run_is_there_once_it_is_written(fakes, name):
    sink = open_sink(f"{name}:place")
    assert not sink.has(RUN.id)
    sink.write(RUN)
    assert sink.has(RUN.id)
    assert not sink.has(f"{RUN.id}-measures-01234567")
    assert open_sink(f"{name}:place").has(RUN.id)


def test_tensorboard_gets_values_by_epoch_and_the_final_ones(fakes, tmp_path):
    open_sink("tensorboard:deep/place").write(RUN)
    (folder,) = (tmp_path / "deep" / "place").iterdir()
    assert folder.name == f"train-resnet8-on-digits-seed-0.{RUN.id}"
    about, *scalars = json.loads((folder / "events.json").read_text())
    assert RUN.name in about[1]
    assert {tuple(each) for each in scalars} == SCALARS | {("measures/ua", 0, 93.5)}


def test_a_run_that_cannot_be_written_leaves_nothing(fakes, tmp_path):
    sink = open_sink("tensorboard:place")
    bad = Run(id="a-1", name="bad", group="a-1", about={}, steps=[{"loss": None}])
    with pytest.raises(StoreError, match="place: No space left"):
        sink.write(bad)
    assert list((tmp_path / "place").iterdir()) == []


def test_wandb_is_offline_and_gets_values_by_epoch(fakes):
    open_sink("wandb:my project").write(RUN)
    (run,) = fakes.wandb.started
    assert run.words["mode"] == "offline"
    assert (run.words["project"], run.words["id"]) == ("my project", RUN.id)
    assert (run.words["name"], run.words["group"]) == (RUN.name, RUN.group)
    assert run.logged == [(1, RUN.steps[0]), (2, RUN.steps[1])]
    assert run.summary == {"measures/ua": 93.5}
    assert run.finished


def test_the_users_own_mode_of_wandb_counts(fakes, monkeypatch):
    sink = open_sink("wandb:project")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    sink.write(RUN)
    assert fakes.wandb.started[0].words["mode"] == "disabled"
    monkeypatch.setenv("WANDB_MODE", "online")
    with pytest.raises(StoreError, match="wandb: Error: no login"):
        sink.write(RUN)


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ("tensorbord:here", r"unknown tracker 'tensorbord'.*did you mean 'tensorboard'"),
        ("tensorboard", "expected tensorboard:FOLDER or wandb:PROJECT"),
        ("wandb: ", "expected tensorboard:FOLDER or wandb:PROJECT"),
        ("wandb:a/b", "a project's name"),
        ("tensorboard:file/place", "file is a file, not a folder"),
    ],
)
def test_what_is_not_a_tracker_is_refused(fakes, tmp_path, asked, line):
    (tmp_path / "file").touch()
    with pytest.raises((ConfigError, StoreError), match=line):
        open_sink(asked)


@pytest.mark.parametrize("name", SINKS)
def test_a_package_that_is_missing_is_named(monkeypatch, name):
    for module in ("wandb", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match=rf'pip install "expunge\[{name}\]"'):
        open_sink(f"{name}:place")


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="needs tensorboard")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_reads_what_is_written(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    open_sink(f"tensorboard:{tmp_path}").write(RUN)
    (folder,) = tmp_path.iterdir()
    events = EventAccumulator(str(folder))
    events.Reload()
    found = {
        (name, each.step, round(each.value, 6))
        for name in events.Tags()["scalars"]
        for each in events.Scalars(name)
    }
    assert found == SCALARS | {("measures/ua", 0, 93.5)}


@pytest.mark.skipif(find_spec("wandb") is None, reason="needs wandb")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_wandb_keeps_an_offline_run(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    sink = open_sink("wandb:project")
    sink.write(RUN)
    assert sink.has(RUN.id)
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    assert (folder / f"run-{RUN.id}.wandb").stat().st_size > 0
