import pytest

from expunge.errors import ConfigError, ForgetError
from expunge.scenarios import at_random, by_class, by_ids, parse


def test_every_text_form_is_the_scenario_it_names(tmp_path):
    path = tmp_path / "ids: of mine.txt"
    path.write_text("a\nb")
    for text, scenario in {
        "class:3": by_class("3"),
        "class:cat": by_class("cat"),
        "class:3,5": by_class("3", "5"),
        "random:0.1": at_random(0.1),
        f"ids:{path}": by_ids(path),
    }.items():
        assert parse(text) == scenario
        assert parse(text).name == text
    assert parse("class:3, cat").name == "class:3,cat"


def test_the_seed_is_of_the_random_draw():
    assert parse("random:0.5", seed=4) == at_random(0.5, seed=4)


@pytest.mark.parametrize(
    "text", ["", "class", "class:", "random:", "ids:", "Class:3", "3", "all:x"]
)
def test_other_texts_are_told_what_there_is(text):
    with pytest.raises(ConfigError, match=r"unknown scenario .*: expected class:3, .* edited:EDIT"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("random:ten", ConfigError, "the fraction in 'random:ten' must be a number"),
        ("random:1.0", ConfigError, "between 0 and 1, both excluded, got 1.0"),
        ("random:nan", ConfigError, "the fraction to forget must be a finite number"),
        ("class:3,,5", ConfigError, "a class must be an index or a name, got ''"),
        ("ids:/no/such/file", ForgetError, "cannot read the ids in /no/such/file"),
    ],
)
def test_texts_with_a_bad_value_say_so(text, error, message):
    with pytest.raises(error, match=message):
        parse(text)
