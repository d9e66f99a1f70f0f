import pytest

import expunge
from expunge.errors import ConfigError, ForgetError
from expunge.scenarios import by_memorisation, make_split, parse


@pytest.fixture
def samples(noise_samples):
    return noise_samples([0] * 10, ids=[f"s{row}" for row in range(10)])


def test_it_takes_the_first_of_the_order_that_are_there(samples):
    scenario = by_memorisation(0.3).ranked(["s7", "gone", "s2", "s9", "s0"])
    split = make_split(samples, scenario)
    assert split.forget_ids == ("s2", "s7", "s9")
    assert split.scenario == "memorised:0.3"
    assert scenario.count(samples) == 3


def test_its_text_names_the_share_and_perhaps_the_models():
    assert parse("memorised:0.1") == by_memorisation(0.1)
    assert parse("memorised:0.1:100") == by_memorisation(0.1, models=100)
    for text in ("memorised:0.1", "memorised:0.1:100"):
        assert parse(text).name == text


def test_without_estimates_it_says_where_they_come_from(samples):
    with pytest.raises(ForgetError, match="needs estimates from models trained on halves"):
        make_split(samples, by_memorisation(0.1))
    with pytest.raises(ForgetError, match="which commands make"):
        expunge.split(samples, forget="memorised:0.1")


def test_more_than_have_an_estimate_are_refused(samples):
    with pytest.raises(ForgetError, match="forgets 5 samples, and only 2 have an estimate"):
        by_memorisation(0.5).ranked(["s1", "s2"]).select(samples)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("memorised:most", "must give a share, and perhaps a number of subset models"),
        ("memorised:0.1:", "must give a share, and perhaps a number of subset models"),
        ("memorised:0.1:1", "the number of subset models must be"),
        ("memorised:0", "between 0 and 1, both excluded, got 0.0"),
        ("memorised:2", "the share to forget must be"),
    ],
)
def test_other_texts_are_told_what_to_write(text, message):
    with pytest.raises(ConfigError, match=message):
        parse(text)
