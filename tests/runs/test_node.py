import hashlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expunge.errors import ConfigError
from expunge.runs import Node
from expunge.runs.node import LARGEST, canonical, is_id

PARENT = "train-0123456789abcdef"
FLOATS = st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x or 0.0)
LEAVES = st.none() | st.booleans() | st.integers() | FLOATS | st.text()
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
PARAMS = st.dictionaries(st.text(), VALUES, max_size=4)


def node(params=None, **changes):
    given_ = {"kind": "prune", "version": 1, "params": params or {}}
    return Node(**given_ | changes)


def backwards(value):
    """The same value, every mapping's keys in the opposite order."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(item) for item in value] if isinstance(value, list) else value


@given(PARAMS)
def test_the_order_of_keys_does_not_matter(params):
    assert node(params).id == node(backwards(params)).id
    assert node(params) == node(backwards(params))


@given(PARAMS, PARAMS)
def test_other_params_have_another_id(first, second):
    same_text = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert (node(first).id == node(second).id) == same_text


@given(PARAMS)
def test_a_node_survives_being_written(params):
    there = node(params, parents={"model": PARENT})
    back = Node.from_json(json.loads(json.dumps(there.to_json())))
    assert back == there
    assert back.to_json() == there.to_json()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"lr": 1}, {"lr": 1.0}),
        ({"lr": 1}, {"lr": True}),
        ({"lr": 0}, {"lr": None}),
        ({"lr": 0.1}, {"lr": 0.1 + 2**-56}),
        ({"lr": "0.1"}, {"lr": 0.1}),
        ({"a": {"b": {"c": [1, 2]}}}, {"a": {"b": {"c": [2, 1]}}}),
        ({"a": {"b": 1}}, {"a.b": 1}),
        ({"a": []}, {"a": {}}),
        ({"a": None}, {}),
    ],
)
def test_every_difference_counts(a, b):
    assert node(a).id != node(b).id


@given(PARAMS, PARAMS, st.integers(1, 3), st.sampled_from(["model", "data"]))
def test_all_but_where_counts(params, where, version, role):
    made = node(params, version=version, parents={role: PARENT})
    assert node(params, version=version, parents={role: PARENT}, where=where) == made
    others = {
        made.id,
        node(params | {"another": 1}, version=version, parents={role: PARENT}).id,
        node(params, version=version, parents={role: PARENT}, kind="train").id,
        node(params, version=version + 1, parents={role: PARENT}).id,
        node(params, version=version, parents={}).id,
        node(params, version=version, parents={"base": PARENT}).id,
        node(params, version=version, parents={role: PARENT[:-1] + "e"}).id,
    }
    assert len(others) == 7
    assert all(map(is_id, others))


def test_where_is_written_and_travels():
    there = node({"seed": 1}, parents={"model": PARENT}, where={"source": "/data/photos"})
    for back in (
        Node.from_json(json.loads(json.dumps(there.to_json()))),
        pickle.loads(pickle.dumps(there)),
    ):
        assert back == there
        assert back.to_json() == there.to_json()
        assert back.where == {"source": "/data/photos"}


def test_a_node_is_small():
    text = "x" * (LARGEST - len('{"a":""}'))
    assert node({"a": text}).params == {"a": text}
    with pytest.raises(
        ConfigError, match=r"of a prune node take 4097 bytes of JSON.* at most 4096"
    ):
        node({"a": text + "x"})
    with pytest.raises(ConfigError, match="take 5"):
        node({"a": "é" * 900})  # as it is written: six bytes each


@pytest.mark.parametrize("version", [0, -1, True, 1.0, "1", None])
def test_versions_are_counted_from_one(version):
    with pytest.raises(ConfigError, match=r"version must be 1, 2, \.\.\., got "):
        node(version=version)


def test_tuples_are_lists_and_numpy_floats_are_floats():
    assert node({"m": (91, 136)}).id == node({"m": [91, 136]}).id
    assert node({"lr": np.float64(0.1)}).id == node({"lr": 0.1}).id


@given(PARAMS)
def test_the_id_is_the_hash_of_the_canonical_text(params):
    made = node(params, parents={"model": PARENT}, version=3, where={"source": "x"})
    text = canonical({key: value for key, value in made.to_json().items() if key != "where"})
    assert made.id == f"prune-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def test_the_canonical_text():
    text = f'{{"kind":"prune","params":{{"s":0.95}},"parents":{{"model":"{PARENT}"}},"version":1}}'
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert node({"s": 0.95}, parents={"model": PARENT}).id == f"prune-{digest}"


def test_ids_do_not_depend_on_the_process():
    code = "from expunge.runs import Node; print(Node(kind='a', version=1, params={'é': 1}).id)"
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == Node(kind="a", version=1, params={"é": 1}).id


def test_later_changes_of_what_it_was_given_do_not_reach_it():
    inner = {"steps": [1]}
    made = node({"inner": inner})
    inner["steps"].append(2)
    assert made.params == {"inner": {"steps": [1]}}
    assert len({made, node({"inner": {"steps": [1]}})}) == 1


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"a": {"lr": float("nan")}}, r"params\.a\.lr must be finite and not -0\.0, got nan"),
        ({"lr": [0.0, float("inf")]}, r"params\.lr\[1\] must be finite.* got inf"),
        ({"lr": -0.0}, r"params\.lr must be .* got -0\.0"),
        ({"path": Path("x")}, r"params\.path must be JSON .* got \w*Path"),
        ({"raw": b"x"}, r"params\.raw must be JSON .* got bytes"),
        ({"n": np.int64(1)}, r"params\.n must be JSON .* got int64"),
        ({"a": {1: 2}}, r"params\.a must have text keys, got 1"),
    ],
)
def test_what_has_no_one_text_is_refused(params, match):
    with pytest.raises(ConfigError, match=match):
        node(params)


@pytest.mark.parametrize("kind", ["", "Train", "a-b", "../x", "1a", "a\n"])
def test_kinds_are_plain_words(kind):
    with pytest.raises(ConfigError, match="a node's kind must match"):
        node(kind=kind)


@pytest.mark.parametrize("parent", ["", "train", "../train-0123456789abcdef", "train-0123"])
def test_parents_are_ids(parent):
    with pytest.raises(ConfigError, match="no artefact's id"):
        node(parents={"model": parent})


WHOLE = {"kind": "a", "version": 1, "params": {}, "parents": {}, "where": {}}


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"kind": "a"},
        WHOLE | {"params": []},
        WHOLE | {"kind": 1},
        WHOLE | {"version": "1"},
        WHOLE | {"parents": []},
        WHOLE | {"where": None},
        WHOLE | {"more": 1},
    ],
)
def test_what_is_no_node_is_refused(value):
    with pytest.raises(ConfigError, match="not a node"):
        Node.from_json(value)


def test_canonical_of_a_bare_value_names_it():
    with pytest.raises(ConfigError, match="the value must be finite"):
        canonical(float("nan"))
