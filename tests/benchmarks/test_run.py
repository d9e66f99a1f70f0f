import json
from functools import partial

import pytest
import torch
from benchmarks.run import FULL, QUICK, line, measure
from benchmarks.timing import figure
from benchmarks.workload import Workload
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import (
    attacks,
    curvature,
    demo,
    draws,
    floors,
    loading,
    overheads,
    prediction,
    training_loop,
)

TINY = Workload("resnet8", (3, 8, 8), 4, width=0.25)
GREY = Workload("resnet8", (1, 6, 6), 4, width=0.25)
SMALL_ROOMS = {
    "floors": partial(floors.figures, work=TINY),
    "training_loop": partial(training_loop.figures, work=TINY, steps=1, small=GREY, small_steps=1),
    "overheads": partial(overheads.figures, work=TINY, steps=1),
    "prediction": partial(prediction.figures, work=TINY, batches=2),
    "loading": partial(loading.figures, count=8, small=2, large=2, large_size=40),
    "curvature": partial(curvature.figures, work=TINY, small=GREY, drawn=20),
    "attacks": partial(attacks.figures, count=60),
    "draws": partial(draws.figures, retained=60, unseen=30),
}
KEYS = {"name", "value", "unit", "better", "floor", "target", "met", "n", "spread"}


def test_each_room_has_a_small_form_here():
    assert SMALL_ROOMS.keys() == QUICK.keys()
    assert FULL.keys() == QUICK.keys() | {"accelerator", "seeds", "demo", "growth"}


@pytest.mark.parametrize("name", SMALL_ROOMS)
def test_a_room_measures_and_writes_what_the_schema_asks_for(
    name, tmp_path, monkeypatch, small_floors
):
    for room in (training_loop, loading):
        monkeypatch.setattr(room, "worker_counts", lambda: [0])
    out = tmp_path / "bench.json"
    assert measure({name: SMALL_ROOMS[name]}, 2, out) == []
    document = json.loads(out.read_text(encoding="utf-8"))
    assert document.keys() == {"schema", "env", "figures"}
    assert document["schema"] == 1
    assert document["env"]["threads"] >= 1
    assert document["figures"]
    for item in document["figures"]:
        assert item.keys() == KEYS
        low, high = item["spread"]
        assert low <= item["value"] <= high
        assert item["better"] in ("higher", "lower")
        assert (item["met"] is None) == (item["target"] is None)
        assert item["floor"] is not None or name == "floors"
    names = [item["name"] for item in document["figures"]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "start", "value"),
    [
        ("training_loop", "training loop over the bare step", 1 / 2),
        ("training_loop", "training loop over a DataLoader", 7 / 2),
        ("overheads", "ℓ1 step over a fine-tuning step, subgradient", 5 / 4),
        ("overheads", "ℓ1 step over a fine-tuning step, proximal", 6 / 4),
        ("overheads", "step under a mask over a step without", 3 / 4),
        ("prediction", "prediction over training's forward pass", 8 / 2),
        ("loading", "loading over a DataLoader", 7 / 9),
        ("curvature", "per-sample gradients over a loop", 10 / 2),
        ("curvature", "exact Fisher diagonal", 10 / 2),
        ("curvature", "influence unlearning", 10 / 2),
        ("curvature", "published Fisher over the exact one", 12 / 3),
        ("curvature", "published Fisher over one draw of random signs", 12 / 4),
    ],
)
def test_ratios_have_the_right_side_below(name, start, value, tmp_path, monkeypatch, small_floors):
    seconds = {"ours": 2.0, "bare": 1.0, "0 workers": 7.0, "plain": 4.0, "subgradient": 5.0}
    seconds |= {"proximal": 6.0, "mask": 3.0, "forward": 8.0, "given": 9.0, "loop": 10.0}
    seconds |= {"selected": 1.0, "alone": 1.0, "published": 12.0, "exact": 3.0, "signed": 4.0}
    for room in (training_loop, overheads, prediction, loading, curvature):
        monkeypatch.setattr(room, "in_turn", lambda sides, rounds: {k: [seconds[k]] for k in sides})
    for room in (training_loop, loading):
        monkeypatch.setattr(room, "worker_counts", lambda: [0])
    found = [item for item in SMALL_ROOMS[name](1) if item.name.startswith(start)]
    assert found
    assert {item.value for item in found} == {value}


def test_a_room_that_fails_loses_nothing_of_the_others(tmp_path, capsys):
    def broken(rounds):
        raise RuntimeError("no measurement today")

    rooms = {
        "first": lambda rounds: [figure("a", [1.0] * rounds)],
        "second": broken,
        "third": lambda rounds: [figure("b", [2.0], target=3.0)],
    }
    out = tmp_path / "deep" / "bench.json"
    assert measure(rooms, 2, out) == ["second"]
    found = json.loads(out.read_text(encoding="utf-8"))["figures"]
    assert [(item["name"], item["n"], item["met"]) for item in found] == [
        ("a", 2, None),
        ("b", 1, False),
    ]
    printed = capsys.readouterr()
    assert "no measurement today" in printed.err
    assert "b: 2 x (2-2, n=1); NOT met 3" in printed.out


def test_a_room_that_fails_keeps_what_it_has_measured(tmp_path):
    def half(rounds):
        yield figure("a", [1.0])
        raise RuntimeError("the time is over")

    out = tmp_path / "bench.json"
    assert measure({"half": half}, 1, out) == ["half"]
    document = json.loads(out.read_text(encoding="utf-8"))
    assert [item["name"] for item in document["figures"]] == ["a"]
    assert "accelerator" in document["env"]


def test_every_room_has_the_threads_of_the_first(tmp_path):
    before, seen = torch.get_num_threads(), []

    def changes(rounds):
        torch.set_num_threads(before + 1)
        return [figure("a", [1.0])]

    def fails(rounds):
        torch.set_num_threads(before + 1)
        raise RuntimeError("the time is over")

    def looks(rounds):
        seen.append(torch.get_num_threads())
        return [figure("b", [1.0])]

    out = tmp_path / "bench.json"
    try:
        measure({"changes": changes}, 1, out)
        assert json.loads(out.read_text(encoding="utf-8"))["env"]["threads"] == before
        measure({"changes": changes, "looks": looks}, 1, out)
        measure({"fails": fails, "looks": looks}, 1, out)
        assert seen == [before, before]
        assert torch.get_num_threads() == before
    finally:
        torch.set_num_threads(before)


def test_a_printed_line_has_the_floor():
    assert "floor 1.5); met 1" in line(figure("a", [1.2], floor=1.5, target=1.0))


def test_the_operations_of_a_grid_are_counted(monkeypatch):
    """As PyTorch's own counter counts those of training."""
    epoch = training_loop.ours(TINY, steps=2)
    with FlopCounterMode(display=False) as counter:
        epoch()
    monkeypatch.setattr(demo, "run_grid", lambda folder, experiment: epoch())
    assert demo.operations(None) == counter.get_total_flops() > 0
