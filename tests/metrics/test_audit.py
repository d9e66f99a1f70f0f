"""Who is in which part of an attack, seen by an attack that only looks."""

import numpy as np
import pytest

from expunge.metrics.membership.attacks import Attack
from expunge.metrics.membership.audit import run_attacks

LABELS = np.arange(100) % 4
LOGITS = np.column_stack((np.arange(100), *np.zeros((3, 100)))).astype(np.float32)
FORGET = np.arange(100) < 10
MEMBER = (np.arange(100) >= 10) & (np.arange(100) < 61)
UNSEEN = set(range(61, 100))


class Spy:
    """Knows samples by their first logit, and writes down what it learns from and judges."""

    def __init__(self, most=None):
        self.fits = []
        self.attack = Attack(
            name="spy", feature=self.number, classifier=self.fit, most=most, cite="1984"
        )

    def number(self, logits, labels):
        return logits[:, 0].astype(np.float64)

    def fit(self, members, others):
        judged = []
        self.fits.append((set(members.values), set(others.values), judged))

        def score(evidence):
            judged.append(set(evidence.values))
            return np.where(evidence.values < 5, -1.0, evidence.values)

        return score

    def run(self, classes=()):
        options = {"forgotten_classes": classes, "attacks": (self.attack,)}
        return run_attacks(LOGITS, LABELS, MEMBER, FORGET, 0, **options)["spy"]


@pytest.mark.parametrize("classes", [(), (2,)])
def test_nobody_is_judged_by_what_was_learnt_from_them(classes):
    spy = Spy()
    found = spy.run(classes)
    peers = {i for i in UNSEEN if LABELS[i] in classes}
    known = UNSEEN - peers
    (members, others, judged), (half_members, half_others, then_judged) = spy.fits
    assert others == known
    assert len(members) == len(known)
    assert judged == [set(range(10))]
    assert found["efficacy"] == 50
    assert len(half_members) == len(half_others) == len(known) // 2
    stay, rest = set(range(10, 61)) - half_members, known - half_others
    expected = [rest, set(range(10)), stay, *([peers] if classes else [])]
    assert sorted(map(sorted, then_judged)) == sorted(map(sorted, expected))


def test_an_attack_learns_from_no_more_than_it_can():
    spy = Spy(most=7)
    spy.run()
    assert [len(part) for fit in spy.fits for part in fit[:2]] == [7, 7, 7, 7]
    assert max(len(judged) for judged in spy.fits[1][2]) == 51 - 39 // 2
