import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from expunge.errors import ConfigError, ForgetError
from expunge.scenarios import by_draw, make_split, parse


def by_hand(ids, share, number):
    """The rows with the smallest hashes, found one after the other."""
    left = dict(enumerate(ids))
    chosen = []
    for _ in range(round(share * len(ids))):
        row = min(
            left,
            key=lambda row: hashlib.blake2b(
                f"{number}:{left[row]}".encode(), digest_size=16
            ).hexdigest(),
        )
        chosen.append(row)
        del left[row]
    return sorted(chosen)


@given(n=st.integers(2, 40), share=st.floats(0.05, 0.95), number=st.integers(0, 10**6))
def test_it_takes_the_lowest_hashes(noise_samples, n, share, number):
    samples = noise_samples([0] * n)
    rows, classes = by_draw(share, number).select(samples)
    assert rows.tolist() == by_hand(samples.ids, share, number)
    assert rows.dtype == np.int64
    assert classes == ()
    assert by_draw(share, number).count(samples) == len(rows)


def test_draws_do_not_depend_on_the_order_of_samples(noise_samples):
    names = [f"sample {row}" for row in range(30)]
    samples = noise_samples([0] * 30, ids=names)
    turned = noise_samples([0] * 30, ids=names[::-1])
    one, other = (by_draw(0.5, 4).select(each)[0] for each in (samples, turned))
    assert {names[row] for row in one} == {names[::-1][row] for row in other}


def test_every_sample_is_as_likely_and_no_two_draws_are_alike(noise_samples):
    samples = noise_samples([0] * 20)
    draws = np.zeros((600, 20))
    for number, row in enumerate(draws):
        row[by_draw(0.25, number).select(samples)[0]] = 1
    assert np.abs(draws.mean(0) - 0.25).max() < 0.08
    # Whether one sample is drawn says next to nothing of another: sampling without return.
    correlation = np.corrcoef(draws.T)[~np.eye(20, dtype=bool)]
    assert abs(correlation.mean() + 1 / 19) < 0.01


def test_it_is_a_scenario_by_its_text(noise_samples):
    assert parse("draw:0.5:17") == by_draw(0.5, 17)
    assert parse("draw:0.5:17").name == "draw:0.5:17"
    split = make_split(noise_samples([0] * 20), parse("draw:0.1:3"))
    assert split.scenario == "draw:0.1:3"
    assert len(split.forget) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("draw:0.5", "'draw:0.5' must give a share and the number of a draw, as draw:0.5:17 does"),
        ("draw:half:1", "must give a share and the number of a draw"),
        ("draw:0.5:-1", "must give a share and the number of a draw"),
        ("draw:0.5:1.5", "must give a share and the number of a draw"),
        ("draw:1:0", "the share to forget must be between 0 and 1, both excluded, got 1.0"),
        ("draw:nan:0", "the share to forget must be a finite number"),
    ],
)
def test_other_draws_are_told_what_to_write(text, message):
    with pytest.raises(ConfigError, match=message):
        parse(text)


def test_a_share_of_less_than_a_sample_leaves_nothing_to_forget(noise_samples):
    with pytest.raises(ForgetError, match=r"the forget set of 'draw:0.01:0' is empty"):
        make_split(noise_samples([0] * 10), by_draw(0.01, 0))
