"""Run attacks on one model, on retained and on forgotten samples."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from expunge.errors import DataError, TooFewSamplesError
from expunge.metrics.arrays import Flags, FloatArray, LabelArray, LogitArray, check_predictions
from expunge.metrics.membership.attacks import DEFAULT_ATTACKS, Attack
from expunge.metrics.membership.classifiers import Score, Seen
from expunge.metrics.membership.ranking import area_under_curve, true_positive_rate


class _Division(NamedTuple):
    """Indices of samples by their part in an attack; members and others as they were drawn."""

    members: LabelArray
    others: LabelArray
    forget: LabelArray
    peers: LabelArray | None
    """Unseen samples of forgotten classes; None where no class is forgotten."""


def run_attacks(
    logits: LogitArray,
    labels: LabelArray,
    member: Flags,
    forget: Flags,
    seed: int,
    *,
    forgotten_classes: Collection[int] = (),
    attacks: Sequence[Attack] = DEFAULT_ATTACKS,
) -> dict[str, dict[str, float | None]]:
    """What each attack finds out, by its name; all in percent.

    The attack knows members, which are retained samples, and non-members, which are unseen samples
    that are not of forgotten classes: as many of one as of the other, n the size of the smaller
    set, drawn without replacement. The order of the samples does not matter.

    `efficacy`: fitted on n of each, the share of the forget set that is judged non-member.

    The others are of an attack that is fitted on n/2 of each, and judge its scores on what it was
    not fitted on. First on the other members and non-members. `privacy`: balanced accuracy, the
    mean of the true-positive and the true-negative rate. `auc`: area under the ROC curve.
    `tpr_at_1`, `tpr_at_01`: true-positive rate at 1 % and at 0.1 % false positives.

    `forget_privacy`, `forget_auc`, `forget_tpr_at_1`, `forget_tpr_at_01`: the same with the forget
    set in the place of the members, against unseen samples of its kind: those of the forgotten
    classes where whole classes are forgotten (None if there is none), else the other non-members.

    Args:
        logits: `(N, classes)` float32, of all samples.
        labels: `(N,)` int64.
        member: flags `(N,)` of the retained samples.
        forget: flags `(N,)` of the forget set; all that is neither is unseen.
        seed: of the draw.
        forgotten_classes: the classes that are forgotten in full.
        attacks: which to run; costly ones run only if they are named here.

    Raises:
        DataError: the arrays do not fit, a sample is both retained and forgotten, or there are
            fewer than two members, two non-members or one forgotten sample.
    """
    check_predictions(logits, labels)
    division = _divide(logits, labels, member, forget, forgotten_classes, seed)
    return {attack.name: _run(attack, logits, labels, division) for attack in attacks}


def _run(
    attack: Attack, logits: LogitArray, labels: LabelArray, division: _Division
) -> dict[str, float | None]:
    values = attack.values(logits, labels)
    members, others, forget, peers = division
    size = min(len(members), len(others))
    half = size // 2

    def known(count: int) -> Score:
        count = count if attack.most is None else min(count, attack.most)
        return attack.classifier(of(members[:count]), of(others[:count]))

    def of(index: LabelArray) -> Seen:
        return Seen(values[index], labels[index])

    efficacy = 100.0 * float(np.mean(known(size)(of(forget)) < 0))
    score = known(half)
    unseen = score(of(others[half:]))
    forgotten = score(of(forget))
    found: dict[str, float | None] = {"efficacy": efficacy}
    found |= _told_apart(score(of(members[half:])), unseen)
    if peers is None:
        of_forget: dict[str, float] | None = _told_apart(forgotten, unseen)
    else:
        of_forget = _told_apart(forgotten, score(of(peers))) if len(peers) else None
    for name in ("privacy", "auc", "tpr_at_1", "tpr_at_01"):
        found[f"forget_{name}"] = None if of_forget is None else of_forget[name]
    return found


def _told_apart(members: FloatArray, others: FloatArray) -> dict[str, float]:
    """How well scores tell members from others."""
    return {
        "privacy": 50.0 * float(np.mean(members >= 0) + np.mean(others < 0)),
        "auc": area_under_curve(members, others),
        "tpr_at_1": true_positive_rate(members, others, 1.0),
        "tpr_at_01": true_positive_rate(members, others, 0.1),
    }


def _divide(
    logits: LogitArray,
    labels: LabelArray,
    member: Flags,
    forget: Flags,
    forgotten_classes: Collection[int],
    seed: int,
) -> _Division:
    for name, flags in (("member", member), ("forget", forget)):
        if flags.dtype != np.bool_ or flags.shape != labels.shape:
            raise DataError(
                f"expected {name} flags of bool {labels.shape}, got {flags.dtype} {flags.shape}"
            )
    both = int((member & forget).sum())
    if both:
        raise DataError(f"expected samples to be retained or forgotten, got {both} that are both")
    unseen = ~(member | forget)
    of_forgotten = np.isin(labels, list(forgotten_classes))
    order = _order(logits, labels)
    rng = np.random.default_rng(seed)
    division = _Division(
        members=rng.permutation(order[member[order]]),
        others=rng.permutation(order[(unseen & ~of_forgotten)[order]]),
        forget=order[forget[order]],
        peers=order[(unseen & of_forgotten)[order]] if len(forgotten_classes) else None,
    )
    if min(len(division.members), len(division.others)) < 2:
        raise TooFewSamplesError(
            "the attack needs at least 2 members and 2 non-members to learn from, "
            f"got {len(division.members)} and {len(division.others)}"
        )
    if len(division.forget) == 0:
        raise DataError("the attack needs at least 1 forget sample to judge, got 0")
    return division


def _order(logits: LogitArray, labels: LabelArray) -> LabelArray:
    """The samples in an order of their contents, for draws that do not depend on any other."""
    rows = np.column_stack((logits, labels))
    return np.argsort(rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel())
