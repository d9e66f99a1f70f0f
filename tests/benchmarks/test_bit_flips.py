"""Bits of a finished experiment are flipped, and none is used as if it were measured."""

import random

import pytest
from benchmarks.bit_flips import Trial

OF_INTEREST = (
    "out/results.json", "out/experiment.json", "out/runs/times.jsonl", "/measured.json",
    "/artefact.json", "/predictions.safetensors", "/model.safetensors", "/train.inputs.npy",
    ".facts",
)  # fmt: skip


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    return Trial(tmp_path_factory.mktemp("flips"))


def files(trial, end):
    read = sorted(set().union(*trial.opened.values()))
    return [name for name in read if name.endswith(end) and (trial.whole / name).is_file()]


@pytest.mark.slow
@pytest.mark.parametrize("end", OF_INTEREST)
def test_a_flipped_bit_is_noticed(trial, end):
    draw = random.Random(end)
    name = draw.choice(files(trial, end))
    size = (trial.whole / name).stat().st_size
    # The last bytes of a file of arrays are numbers, which look as good as any others.
    bit = 8 * size - draw.randrange(1, 65) if name.endswith(("s", "y")) else draw.randrange(size)
    assert trial.flip(name, bit) == "noticed", (name, bit)


@pytest.mark.slow
def test_a_file_that_no_command_opens_is_told_apart(trial):
    assert trial.flip("out/report.html", 0) == "unread"
