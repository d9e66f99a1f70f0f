"""What is known of vectors and tokens without loading them, and what is left of them later."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.kinds import clouds, sentences

from expunge.data import facts as room
from expunge.data.facts import Facts, facts_of, resolve
from expunge.data.frozen import load_frozen
from expunge.data.inputs.tokens import Tokens
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.data.statistics import input_statistics
from expunge.errors import DataError


def save(path, samples, rows):
    inputs = samples.inputs
    tensors = inputs.tensors if isinstance(inputs, Tokens) else {"x": inputs.tensor}
    if isinstance(inputs, Tokens):
        # As a file of these rows alone would be: no longer than its longest.
        longest = int(tensors["attention_mask"][rows].sum(1).max())
        tensors = {name: tensor[:, :longest] for name, tensor in tensors.items()}
    ids = np.array(samples.ids)[rows.numpy()]
    arrays = {f"{name}_train": tensor[rows].numpy() for name, tensor in tensors.items()}
    np.savez(path, **arrays, y_train=samples.labels[rows].numpy(), ids_train=ids)


@pytest.fixture(params=["vectors", "tokens"])
def samples(request):
    return clouds() if request.param == "vectors" else sentences()


def test_facts_say_what_a_network_has_to_know(samples, tmp_path):
    save(tmp_path / "set.npz", samples, torch.arange(len(samples)))
    spec = DataSpec(source=str(tmp_path / "set.npz"))
    found = resolve(spec, tmp_path / "cache")
    train = load(spec).train
    assert (found.kind, found.shape) == (samples.inputs.kind, samples.inputs.shape)
    assert found.vocabulary == samples.inputs.vocabulary
    assert found.statistics == input_statistics(train)
    assert (found.statistics is None) == (samples.inputs.kind == "tokens")
    assert Facts.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_the_same_file_is_known_again_and_a_changed_one_is_not(samples, tmp_path, monkeypatch):
    save(tmp_path / "set.npz", samples, torch.arange(len(samples)))
    spec, cache = DataSpec(source=str(tmp_path / "set.npz")), tmp_path / "cache"
    first = resolve(spec, cache)
    with monkeypatch.context() as patch:
        patch.setattr(room, "load", None)
        assert resolve(spec, cache) == first
    save(tmp_path / "set.npz", samples, torch.arange(len(samples) - 1))
    assert resolve(spec, cache).fingerprint != first.fingerprint


def test_what_is_left_is_the_same_data(samples, tmp_path):
    """Of tokens, though the longest is gone and the rest are padded less."""
    path, spec = tmp_path / "set.npz", DataSpec(source=str(tmp_path / "set.npz"))
    save(path, samples, torch.arange(len(samples)))
    gone = set(load(spec).train.ids[:1])
    if isinstance(samples.inputs, Tokens):
        tensors = samples.inputs.padded(9).tensors
        for tensor in tensors.values():
            tensor[[name in gone for name in samples.ids]] = 1
        samples = replace(samples, inputs=Tokens(tensors))
        save(path, samples, torch.arange(len(samples)))
    facts = facts_of(load(spec))
    kept = [row for row, name in enumerate(samples.ids) if name not in gone]
    save(path, samples, torch.tensor(kept))
    dataset = load_frozen(spec, facts, gone, tmp_path / "cache")
    assert (dataset.train.inputs.shape == facts.shape) == (samples.inputs.kind == "vectors")
    assert dataset.train.ids == tuple(name for name in facts.train.ids if name not in gone)
    assert dataset.test.ids == facts.parts["test"].ids
    with pytest.raises(DataError, match="missing or changed, and the model has not forgotten them"):
        load_frozen(spec, facts, (), tmp_path / "cache")
