"""What every number in a report is, and what a good value of it looks like."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One quantity of the report."""

    key: str
    """Its name in a results document."""
    short: str
    """Its name in a table."""
    name: str
    """Its name in words."""
    meaning: str
    """What it measures."""
    good: str
    """Which value to wish for."""


_NEAR = "close to Retrain's value, neither higher nor lower"

CORE = (
    Measure(
        key="ua",
        short="UA",
        name="unlearning accuracy",
        meaning="100 minus the accuracy on the forget set: how much of it the model now gets "
        "wrong.",
        good=f"{_NEAR}. In class-wise forgetting that is near 100; in random forgetting it is only "
        "the error on unseen samples, a few per cent.",
    ),
    Measure(
        key="ra",
        short="RA",
        name="remaining accuracy",
        meaning="Accuracy on the training samples that are retained.",
        good=f"{_NEAR}. A fall means that unlearning took more than it was asked to.",
    ),
    Measure(
        key="ta",
        short="TA",
        name="testing accuracy",
        meaning="Accuracy on the test set; in class-wise forgetting, on its remaining classes.",
        good=f"{_NEAR}. A fall means that the model generalises less well.",
    ),
    Measure(
        key="mia_efficacy",
        short="MIA-efficacy",
        name="efficacy against a membership inference attack",
        meaning="The share of the forget set that an attacker, who sees the confidence in the true "
        "class, takes for samples that were never trained on.",
        good=f"{_NEAR}. Far above it, the forget set stands out for being forgotten.",
    ),
)
"""The four measures whose gaps to Retrain make up the mean gap."""

AVG_GAP = Measure(
    key="avg",
    short="Mean gap",
    name="mean gap to Retrain",
    meaning="The absolute difference to Retrain at the same sparsity and seed, averaged over UA, "
    "RA, TA and MIA-efficacy, and then over seeds. Single gaps stand in the table under their "
    "values.",
    good="0: the model cannot be told from one that never saw the forget set by these four.",
)
RTE = Measure(
    key="rte_s",
    short="RTE",
    name="run-time efficiency",
    meaning="Wall-clock time of unlearning with all that the method prepares, without evaluation.",
    good="far below Retrain's, but only for a method whose gap is small: to do nothing is fastest.",
)

FURTHER = (
    Measure(
        key="ta_forgotten",
        short="TA, forgotten",
        name="testing accuracy on the forgotten classes",
        meaning="Accuracy on the test images of the classes that were forgotten.",
        good=f"{_NEAR}, which is 0 for a class that it never saw.",
    ),
    Measure(
        key="mia_privacy",
        short="MIA-privacy",
        name="leakage to a membership inference attack",
        meaning="How often the attacker rightly tells retained training samples from test samples; "
        "50 is guessing.",
        good="near 50, or no higher than Retrain's: above it, unlearning exposes those who stay.",
    ),
    Measure(
        key="weight_distance",
        short="Weight distance",
        name="distance to Retrain's weights",
        meaning="L2 norm of the difference between the unlearned and the retrained weights.",
        good="small, with care: two trainings of the same data also end far apart.",
    ),
    Measure(
        key="drift",
        short="Drift",
        name="distance from the original weights",
        meaning="L2 norm of what unlearning changed in the weights that are not pruned.",
        good="neither way by itself: it scales the bound on the unlearning error that sparsity "
        "tightens.",
    ),
)
"""Measures outside the mean gap."""

AVG_GAP_DENSE = Measure(
    key="avg_dense",
    short="Mean gap to dense Retrain",
    name="mean gap to dense Retrain",
    meaning="As the mean gap, but against the dense Retrain of the same seed also for sparse "
    "models, so that what pruning itself costs is counted.",
    good="0. Where it is much larger than the mean gap, the sparse reference is the weaker one.",
)
SPARSITY = Measure(
    key="sparsity_measured",
    short="Sparsity, measured",
    name="sparsity after unlearning",
    meaning="The share of prunable weights that are zero in the unlearned model.",
    good="no lower than before unlearning: pruned weights stay zero.",
)

GLOSSARY = (*CORE, AVG_GAP, RTE, *FURTHER, AVG_GAP_DENSE, SPARSITY)


def further(keys: frozenset[str]) -> tuple[Measure, ...]:
    """The measures outside the mean gap among `keys`, those without a description last."""
    known = {measure.key for measure in (*CORE, *FURTHER)}
    plain = tuple(
        Measure(key=key, short=key, name=key, meaning="", good="") for key in sorted(keys - known)
    )
    return (*(measure for measure in FURTHER if measure.key in keys), *plain)
