import hashlib

import numpy as np
import pytest

from expunge.errors import ConfigError, ForgetError
from expunge.scenarios import by_class_draw, make_split, parse
from expunge.scenarios.by_class_draw import drawn_classes

NAMES = ("ant", "bee", "cat", "dog", "eel", "fox")


def test_it_takes_the_classes_with_the_lowest_hashes(noise_samples):
    labels = [n % 6 for n in range(30)]
    samples = noise_samples(labels, class_names=NAMES)
    for number in range(20):
        hashes = {
            hashlib.blake2b(f"{number}:{name}".encode(), digest_size=16).hexdigest(): index
            for index, name in enumerate(NAMES)
        }
        expected = sorted(hashes[key] for key in sorted(hashes)[:2])
        scenario = by_class_draw(1 / 3, number)
        rows, classes = scenario.select(samples)
        assert list(classes) == expected == list(drawn_classes(NAMES, 1 / 3, number))
        assert rows.tolist() == [row for row, label in enumerate(labels) if label in expected]
        assert scenario.count(samples) == len(rows) == 10


def test_every_class_is_as_likely_and_pairs_too():
    drawn = np.zeros((800, 6))
    for number, row in enumerate(drawn):
        row[list(drawn_classes(NAMES, 0.5, number))] = 1
    assert (drawn.sum(1) == 3).all()
    assert np.abs(drawn.mean(0) - 0.5).max() < 0.06
    together = drawn.T @ drawn / 800
    assert np.abs(together[~np.eye(6, dtype=bool)] - 0.2).max() < 0.05


def test_it_is_a_scenario_by_its_text(noise_samples):
    assert parse("classes:0.5:17") == by_class_draw(0.5, 17)
    assert parse("classes:0.5:17").name == "classes:0.5:17"
    split = make_split(noise_samples([0, 1, 2, 3] * 3), parse("classes:0.25:3"))
    assert len(split.classes) == 1
    assert len(split.forget) == 3


@pytest.mark.parametrize("text", ["classes:", "classes:0.5", "classes:half:1", "classes:0.5:-1"])
def test_texts_that_say_no_draw_are_one_line(text):
    with pytest.raises(ConfigError, match=r"classes:0\.5:17"):
        parse(text)


def test_shares_of_no_class_or_of_all_are_refused(noise_samples):
    samples = noise_samples([0, 1, 2, 3])
    for share in (0.01, 0.99):
        with pytest.raises(ForgetError, match=r"of 4 classes is [04]: expected 1 to 3 classes"):
            by_class_draw(share, 0).select(samples)
    for share in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(ConfigError, match="share of classes"):
            by_class_draw(share, 0)
    with pytest.raises(ConfigError, match="number of a draw"):
        by_class_draw(0.5, -1)
