"""Membership attacks one by one: a table for those who want to look behind MIA-efficacy."""

from __future__ import annotations

from expunge.report.aggregate import Scenario, Summary
from expunge.report.measures import Measure
from expunge.report.tables import spread
from expunge.report.wording import MISSING, printable

_TOLD = "50 is guessing; far below 50 the two are told apart as well, the other way round."

ATTACK_MEASURES = (
    Measure(
        key="efficacy",
        short="Efficacy",
        name="MIA-efficacy of this attack",
        meaning="The share of the forget set that the attack takes for samples never trained on.",
        good="close to Retrain's value, neither higher nor lower.",
    ),
    Measure(
        key="privacy",
        short="Privacy",
        name="balanced accuracy on retained against test samples",
        meaning="The mean of the shares of retained and of test samples that are judged rightly, "
        "on samples that the attack was not fitted on.",
        good="near 50, or no higher than Retrain's.",
    ),
    Measure(
        key="auc",
        short="AUC",
        name="area under the ROC curve, retained against test",
        meaning="How often a retained sample scores higher than a test sample.",
        good="near 50, or no higher than Retrain's.",
    ),
    Measure(
        key="tpr_at_1",
        short="TPR at 1 %",
        name="true-positive rate at 1 % false positives, retained against test",
        meaning="The share of retained samples found where 1 % of test samples are accused.",
        good="near 1.",
    ),
    Measure(
        key="tpr_at_01",
        short="TPR at 0.1 %",
        name="true-positive rate at 0.1 % false positives, retained against test",
        meaning="The same where 0.1 % of test samples are accused; of less than 1,000, none.",
        good="near 0.1.",
    ),
    Measure(
        key="forget_privacy",
        short="Forgotten: privacy",
        name="balanced accuracy on forgotten against unseen samples",
        meaning="The same attack, with the forget set in the place of the retained samples, "
        "against unseen samples of its kind: of the forgotten classes, where there are such.",
        good=f"near 50. {_TOLD}",
    ),
    Measure(
        key="forget_auc",
        short="Forgotten: AUC",
        name="area under the ROC curve, forgotten against unseen",
        meaning="How often a forgotten sample scores higher than an unseen one of its kind.",
        good=f"near 50. {_TOLD}",
    ),
    Measure(
        key="forget_tpr_at_1",
        short="Forgotten: TPR at 1 %",
        name="true-positive rate at 1 % false positives, forgotten against unseen",
        meaning="The share of the forget set found where 1 % of unseen samples are accused.",
        good="near 1.",
    ),
    Measure(
        key="forget_tpr_at_01",
        short="Forgotten: TPR at 0.1 %",
        name="true-positive rate at 0.1 % false positives, forgotten against unseen",
        meaning="The same where 0.1 % of unseen samples are accused.",
        good="near 0.1.",
    ),
)

ATTACK_HEADER = ("Sparsity", "Method", "Attack", *(measure.short for measure in ATTACK_MEASURES))


def attack_rows(scenario: Scenario) -> list[list[tuple[str, float | None]]]:
    """A row for each sparsity, method and attack: texts, and what to sort them by.

    None sorts by the text. Empty where no attack was measured.
    """
    rows = []
    for level in scenario.levels:
        for method in scenario.rows:
            group = scenario.get(method, level)
            for name, found in group.attacks.items() if group else ():
                entries = (_entry(found.get(measure.key)) for measure in ATTACK_MEASURES)
                beginning = [
                    (level.label, level.sparsity),
                    (scenario.title(method), None),
                    (attack_label(name), None),
                ]
                rows.append([*beginning, *entries])
    return rows


def attack_label(name: str) -> str:
    """What an attack is called in print.

    >>> attack_label("modified_entropy_svc"), attack_label("confidence_threshold")
    ('modified entropy, SVC', 'confidence, threshold')
    """
    feature, _, classifier = printable(name).replace("_", " ").rpartition(" ")
    classifier = classifier.upper() if len(classifier) <= 3 else classifier
    return f"{feature}, {classifier}" if feature else classifier


def _entry(value: Summary | None) -> tuple[str, float | None]:
    return (MISSING, None) if value is None else (spread(value), value.mean)
