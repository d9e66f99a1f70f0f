import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expunge.errors import ConfigError, ForgetError
from expunge.scenarios import by_fold, make_split, parse
from expunge.scenarios.by_fold import folds_of


@given(n=st.integers(1, 60), folds=st.integers(2, 9))
def test_every_sample_is_in_exactly_one_fold(noise_samples, n, folds):
    samples = noise_samples([0] * n)
    chosen = [by_fold(fold, folds).select(samples) for fold in range(1, folds + 1)]
    assert sorted(row for rows, _ in chosen for row in rows.tolist()) == list(range(n))
    for (rows, classes), fold in zip(chosen, range(1, folds + 1), strict=True):
        assert rows.dtype == np.int64
        assert rows.tolist() == sorted(rows.tolist())
        assert classes == ()
        assert by_fold(fold, folds).count(samples) == len(rows)


def test_a_fold_is_the_hash_of_the_id_whatever_other_ids_there_are():
    ids = [f"sample {row}" for row in range(50)]
    expected = [
        int.from_bytes(
            hashlib.blake2b(name.encode(), digest_size=8, person=b"expunge fold").digest()
        )
        % 5
        + 1
        for name in ids
    ]
    assert folds_of(ids, 5) == expected
    assert folds_of(ids[::-1], 5) == expected[::-1]
    assert folds_of(ids[7:9], 5) == expected[7:9]


def test_folds_are_of_about_one_size_and_mix_the_ids():
    counts = np.bincount(folds_of([str(number) for number in range(5000)], 5))[1:]
    # Four standard deviations of a fifth of 5,000.
    assert np.abs(counts - 1000).max() < 4 * (5000 * 0.2 * 0.8) ** 0.5


def test_it_is_a_scenario_by_its_text(noise_samples):
    assert parse("fold:2/5") == by_fold(2, 5)
    assert parse("fold:2/5").name == "fold:2/5"
    split = make_split(noise_samples([0] * 40), parse("fold:2/5"))
    assert split.scenario == "fold:2/5"
    assert 0 < len(split.forget) < 40


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fold:1", "'fold:1' must give a fold and how many there are, as fold:1/5"),
        ("fold:a/5", "must give a fold and how many"),
        ("fold:-1/5", "must give a fold and how many"),
        ("fold:1/1", "the number of folds must be"),
        ("fold:0/5", "the fold must be"),
        ("fold:6/5", "the fold must be"),
    ],
)
def test_other_folds_are_told_what_to_write(text, message):
    with pytest.raises(ConfigError, match=message):
        parse(text)


def test_a_fold_without_samples_leaves_nothing_to_forget(noise_samples):
    samples = noise_samples([0, 0])
    empty = next(fold for fold in range(1, 10) if fold not in folds_of(samples.ids, 9))
    with pytest.raises(ForgetError, match=r"the forget set of 'fold:./9' is empty"):
        make_split(samples, by_fold(empty, 9))
