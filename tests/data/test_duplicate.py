"""Duplicates: copies with ids of their own, which the source need not have."""

import pytest
import torch
from tests.studies.small import TINY, made, tiny

from expunge.data.edits.apply import apply_edits
from expunge.data.edits.duplicate import DuplicateConfig, duplicate
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.errors import ConfigError, DataError
from expunge.graph.graph import Graph
from expunge.graph.kinds.forget import add_forget, load_forget
from expunge.graph.runtime import Place, Runtime, read_facts


def test_every_copy_is_its_samples_and_has_its_name(samples):
    edited = duplicate(samples, DuplicateConfig(samples=4, times=5), 2)
    after = edited.samples
    assert len(after) == 60 + 4 * 4
    (images,) = after.inputs.batches([torch.arange(len(after))])
    assert torch.equal(images[:60], samples.inputs.tensor)
    assert len(edited.touched) == 4 * 5
    for row in range(60, len(after)):
        name, _, number = after.ids[row].rpartition("+")
        place = samples.ids.index(name)
        assert torch.equal(images[row], images[place])
        assert after.labels[row] == samples.labels[place]
        assert 1 <= int(number) <= 4
        assert {name, after.ids[row]} <= set(edited.touched)


def test_other_edits_may_come_before_and_after(samples):
    spec = DataSpec(
        source="digits",
        train_limit=100,
        edits={"duplicate": {"samples": 3, "times": 2}, "relabel": {"share": 0.5}},
    )
    edited, touched = apply_edits(load(spec), spec)
    assert len(edited.train) == 103
    assert len(touched["duplicate"]) == 6
    assert any("+" in name for name in touched["relabel"])


RECIPE = (
    TINY.replace('"class:3", "random:0.1"', '"edited:duplicate"')
    .replace("[network]", "[data.edits.duplicate]\nsamples = 5\ntimes = 4\n[network]")
    .replace("[pruners.omp]\nsparsity = 0.5\n", "")
)


def test_a_study_trains_on_copies_and_forgets_them_with_their_sample(tmp_path):
    graph, cells = made(tmp_path / "runs", tiny(RECIPE))
    store, unlearned = graph.store, graph.node(cells[1].model_id)
    data = store.path(unlearned.parents["data"])
    facts = read_facts(data)
    assert len(facts.train.ids) == 200 + 15 == len(facts.train.digests) == len(facts.train.labels)
    assert facts.train.added == 15
    assert len(facts.train.of_source.ids) == 200
    chosen = load_forget(store.path(unlearned.parents["forget"]))["ids"]
    assert len(chosen) == 5 * 4
    assert {name.partition("+")[0] for name in chosen} == {n for n in chosen if "+" not in n}
    dataset = Runtime(Place(device="cpu")).dataset(data)
    assert dataset.train.ids == facts.train.ids
    assert len(dataset.test) == 100


def test_the_next_request_is_counted_with_the_copies(tmp_path):
    graph, cells = made(tmp_path / "runs", tiny(RECIPE))
    facts = read_facts(graph.store.path(graph.data_of(cells[0].model_id)))
    again = Graph(graph.store)
    add_forget(again, cells[0].model_id, "random:0.5", facts=facts)
    assert again.notes == ["random:0.5: 108 of 215 training samples to forget"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 0}, r"samples must be a finite number in 1\.\., got 0"),
        ({"times": 1}, r"times must be a finite number in 2\.\., got 1"),
    ],
)
def test_settings_that_repeat_nothing_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        DuplicateConfig(**settings)


def test_more_samples_than_there_are_and_names_that_are_taken_are_refused(samples):
    with pytest.raises(DataError, match="chooses 60 of 60 samples: expected fewer than all"):
        duplicate(samples, DuplicateConfig(samples=60), 0)
    once = duplicate(samples, DuplicateConfig(samples=4, times=5), 2).samples
    with pytest.raises(DataError, match="cannot name a copy"):
        duplicate(once, DuplicateConfig(samples=60, times=5), 2)
