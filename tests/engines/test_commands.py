"""Every command that runs a graph takes the engines' options, and refuses them in one line."""

import pytest
import typer.main
from typer.testing import CliRunner

from expunge.cli.app import app
from expunge.engines import ENGINES

COMMANDS = {
    name: {option for each in command.params for option in each.opts}
    for name, command in typer.main.get_command(app).commands.items()
}
RUNNING = sorted(name for name, options in COMMANDS.items() if "--device" in options)


def test_commands_that_compute_are_those_that_run_a_graph():
    assert {"demo", "bench", "train", "prune", "unlearn", "evaluate", "theory"} <= set(RUNNING)


@pytest.mark.parametrize("name", RUNNING)
def test_a_command_takes_an_engine(name):
    assert {"--engine", "--workers", "--shard", "--slurm"} <= COMMANDS[name]


def test_the_help_names_every_engine():
    help_text = " ".join(CliRunner().invoke(app, ["bench", "--help"]).output.split())
    assert all(name in help_text for name in ENGINES)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--shard", "3/2"], "shard 3/2 is not one of 2"),
        (["--shard", "1/2", "--engine", "ray"], "start more shards instead"),
        (["--engine", "slurm", "--slurm", "partition"], "expected NAME=VALUE"),
        (["--slurm", "mem_gb=4"], "--slurm is for --engine slurm, got --engine"),
        (["--engine", "spark"], "unknown engine 'spark'"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(tmp_path, words, said):
    done = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out"), *words])
    assert said in str(done.exception)
    assert not (tmp_path / "out").exists()
