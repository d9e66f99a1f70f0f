import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expunge.errors import ConfigError
from expunge.runs import Spec
from expunge.runs.spec import canonical

PARENT = "train-0123456789abcdef"
FLOATS = st.floats(allow_nan=False, allow_infinity=False).map(lambda x: x or 0.0)
LEAVES = st.none() | st.booleans() | st.integers() | FLOATS | st.text()
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SETTINGS = st.dictionaries(st.text(), VALUES, max_size=4)


def spec(settings=None, **changes):
    given_ = {"kind": "prune", "settings": settings or {}, "parents": {}, "code": "c"}
    return Spec(**given_ | changes)


def backwards(value):
    """The same value, every mapping's keys in the opposite order."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(item) for item in value] if isinstance(value, list) else value


@given(SETTINGS)
def test_the_order_of_keys_does_not_matter(settings):
    assert spec(settings).id == spec(backwards(settings)).id
    assert spec(settings) == spec(backwards(settings))


@given(SETTINGS, SETTINGS)
def test_other_settings_have_another_id(first, second):
    same_text = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert (spec(first).id == spec(second).id) == same_text


@given(SETTINGS)
def test_a_spec_survives_being_written(settings):
    there = spec(settings, parents={"model": PARENT})
    back = Spec.from_json(json.loads(json.dumps(there.to_json())))
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
    assert spec(a).id != spec(b).id


def test_everything_but_settings_counts_too():
    ids = {
        spec().id,
        spec(kind="train").id,
        spec(code="d").id,
        spec(parents={"model": PARENT}).id,
        spec(parents={"base": PARENT}).id,
        spec(parents={"model": PARENT[:-1] + "e"}).id,
    }
    assert len(ids) == 6


def test_tuples_are_lists_and_numpy_floats_are_floats():
    assert spec({"m": (91, 136)}).id == spec({"m": [91, 136]}).id
    assert spec({"lr": np.float64(0.1)}).id == spec({"lr": 0.1}).id


def test_the_id_is_the_hash_of_the_canonical_text():
    parents = f'{{"model":"{PARENT}"}}'
    text = f'{{"code":"c","kind":"prune","parents":{parents},"settings":{{"s":0.95}}}}'
    assert canonical(spec({"s": 0.95}, parents={"model": PARENT}).to_json()) == text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    assert spec({"s": 0.95}, parents={"model": PARENT}).id == f"prune-{digest}"


def test_ids_do_not_depend_on_the_process():
    code = "from expunge.runs import Spec; print(Spec(kind='a', settings={'é': 1}, code='').id)"
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == Spec(kind="a", settings={"é": 1}, code="").id


def test_later_changes_of_what_it_was_given_do_not_reach_it():
    inner = {"steps": [1]}
    made = spec({"inner": inner})
    inner["steps"].append(2)
    assert made.settings == {"inner": {"steps": [1]}}
    assert len({made, spec({"inner": {"steps": [1]}})}) == 1


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"a": {"lr": float("nan")}}, r"settings\.a\.lr must be finite and not -0\.0, got nan"),
        ({"lr": [0.0, float("inf")]}, r"settings\.lr\[1\] must be finite.* got inf"),
        ({"lr": -0.0}, r"settings\.lr must be .* got -0\.0"),
        ({"path": Path("x")}, r"settings\.path must be JSON .* got \w*Path"),
        ({"raw": b"x"}, r"settings\.raw must be JSON .* got bytes"),
        ({"n": np.int64(1)}, r"settings\.n must be JSON .* got int64"),
        ({"a": {1: 2}}, r"settings\.a must have text keys, got 1"),
    ],
)
def test_what_has_no_one_text_is_refused(settings, match):
    with pytest.raises(ConfigError, match=match):
        spec(settings)


@pytest.mark.parametrize("kind", ["", "Train", "a-b", "../x", "1a", "a\n"])
def test_kinds_are_plain_words(kind):
    with pytest.raises(ConfigError, match="a stage's kind must match"):
        spec(kind=kind)


@pytest.mark.parametrize("parent", ["", "train", "../train-0123456789abcdef", "train-0123"])
def test_parents_are_ids(parent):
    with pytest.raises(ConfigError, match="no artefact's id"):
        spec(parents={"model": parent})


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"kind": "a"},
        {"kind": "a", "settings": [], "parents": {}, "code": ""},
        {"kind": 1, "settings": {}, "parents": {}, "code": ""},
        {"kind": "a", "settings": {}, "parents": {}, "code": "", "more": 1},
    ],
)
def test_what_is_no_spec_is_refused(value):
    with pytest.raises(ConfigError, match="not a spec"):
        Spec.from_json(value)


def test_canonical_of_a_bare_value_names_it():
    with pytest.raises(ConfigError, match="the value must be finite"):
        canonical(float("nan"))
