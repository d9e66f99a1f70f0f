"""Accuracy by group: where a model fails that took a mark, or another attribute, for the label.

A group is a class together with an attribute: all test images of one class that carry one mark, or
that a user's file puts into one group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from expunge.errors import DataError
from expunge.metrics.metric import Measured, Metric

if TYPE_CHECKING:
    from expunge.metrics.arrays import Flags, LabelArray
    from expunge.metrics.evidence import Evidence

_ONE_GROUP = "fewer than two groups have samples of the remaining classes"


def group_accuracy(evidence: Evidence) -> Measured:
    """By attribute and class, the accuracy in percent; None where there is no sample.

    Classes forgotten as a whole are left out.
    """
    right, labels, groups = _remaining(evidence)
    attributes = evidence.group_names or tuple(map(str, range(int(groups.max()) + 1)))
    classes = [each for each in range(_classes(evidence)) if each not in evidence.classes]
    return Measured(
        {
            attribute: {
                _class_name(evidence, label): _accuracy(right[(groups == at) & (labels == label)])
                for label in classes
            }
            for at, attribute in enumerate(attributes)
        }
    )


def worst_group_accuracy(evidence: Evidence) -> Measured:
    """The lowest accuracy of any group that has samples, in percent.

    Source: Sagawa et al., ICLR 2020, section 2.
    """
    right, labels, groups = _remaining(evidence)
    pairs = {*zip(labels.tolist(), groups.tolist(), strict=True)}
    if len(pairs) < 2:
        return Measured(None, _ONE_GROUP)
    found = (_accuracy(right[(labels == label) & (groups == at)]) for label, at in pairs)
    return Measured(min(each for each in found if each is not None))


def accuracy_difference(evidence: Evidence) -> Measured:
    """The highest accuracy over attributes minus the lowest, all classes together, in points.

    Source: `MetricFrame.difference` of fairlearn, between groups.
    """
    right, _, groups = _remaining(evidence)
    found = [_accuracy(right[groups == at]) for at in sorted({*groups.tolist()})]
    known = [each for each in found if each is not None]
    if len(known) < 2:
        return Measured(None, _ONE_GROUP)
    return Measured(max(known) - min(known))


def conflicting_accuracy(evidence: Evidence) -> Measured:
    """Accuracy on the test samples that carry the mark of another class, in percent.

    Source: "bias-conflicting" samples of Nam et al., NeurIPS 2020.
    """
    right, labels, groups = _remaining(evidence)
    if not evidence.groups_are_marks:
        return Measured(None, "the groups are not marks of classes, so that none conflicts")
    return Measured(_accuracy(right[groups != labels]))


def _remaining(evidence: Evidence) -> tuple[Flags, LabelArray, LabelArray]:
    """Whether each sample is right, its class and its attribute, without forgotten classes."""
    there = evidence.of_remaining_classes("groups")
    if there.groups is None:
        raise DataError("it is not said which group each sample of groups is in")
    return there.logits.argmax(axis=1) == there.labels, there.labels, there.groups


def _classes(evidence: Evidence) -> int:
    return int(evidence.predictions_of("groups").logits.shape[1])


def _class_name(evidence: Evidence, label: int) -> str:
    return evidence.class_names[label] if evidence.class_names else str(label)


def _accuracy(right: Flags) -> float | None:
    return 100.0 * int(right.sum()) / len(right) if len(right) else None


GROUP_ACCURACY = Metric(
    name="group_accuracy",
    short="Accuracy by group",
    title="accuracy by group",
    run=group_accuracy,
    needs=frozenset({"groups"}),
    unit="percent",
    detailed=True,
    summary="Accuracy on the test samples of every class with every mark, or in every group.",
    good="the same in all groups: the model does not look at what tells them apart.",
    cite="Sagawa, Koh, Hashimoto and Liang, Distributionally Robust Neural Networks for Group "
    "Shifts, ICLR 2020",
)

WORST_GROUP_ACCURACY = Metric(
    name="worst_group_accuracy",
    short="Worst group",
    title="worst-group accuracy",
    run=worst_group_accuracy,
    needs=frozenset({"groups"}),
    unit="percent",
    summary="The lowest accuracy on any group: a class of test samples that carries one mark, or "
    "that a user's file puts together.",
    good="high, and no lower than Retrain's. Over many small groups, the lowest is low by chance, "
    "too.",
    cite="Sagawa, Koh, Hashimoto and Liang, Distributionally Robust Neural Networks for Group "
    "Shifts, ICLR 2020",
)

CONFLICTING_ACCURACY = Metric(
    name="conflicting_accuracy",
    short="Conflicting",
    title="accuracy against the mark",
    run=conflicting_accuracy,
    needs=frozenset({"groups"}),
    unit="percent",
    summary="Accuracy on the test samples that carry the mark of another class.",
    good="as high as the testing accuracy: the model follows the image, not the mark.",
    cite="Nam, Cha, Ahn, Lee and Shin, Learning from Failure: De-biasing Classifier from Biased "
    "Classifier, NeurIPS 2020",
)

ACCURACY_DIFFERENCE = Metric(
    name="accuracy_difference",
    short="Between marks",
    title="difference of accuracy between attributes",
    run=accuracy_difference,
    needs=frozenset({"groups"}),
    unit="percent",
    summary="The highest accuracy on samples with one mark, or in one group, minus the lowest.",
    good="0: no mark makes the model better or worse.",
    cite="Weerts et al., Fairlearn: Assessing and Improving Fairness of AI Systems, JMLR 2023",
)
