import pytest

from expunge.errors import DataError
from expunge.metrics.gap import gap

RETRAIN = {"ua": 5.41, "mia_efficacy": 13.12, "ra": 100.0, "ta": 94.42}


def test_fine_tuning_in_the_papers_table():
    """Random forgetting, dense: FT's printed differences, and their mean."""
    found = gap({"ua": 6.83, "mia_efficacy": 14.97, "ra": 96.61, "ta": 90.13}, RETRAIN)
    assert found == pytest.approx(
        {"ua": 1.42, "mia_efficacy": 1.85, "ra": 3.39, "ta": 4.29, "avg": 2.74}, abs=0.005
    )


def test_it_is_symmetric_and_zero_to_itself():
    other = {"ua": 1.0, "mia_efficacy": 2.0, "ra": 3.0, "ta": 4.0}
    assert gap(RETRAIN, other) == gap(other, RETRAIN)
    assert set(gap(RETRAIN, RETRAIN).values()) == {0.0}


def test_other_metrics_do_not_count():
    assert gap(RETRAIN | {"ta_forgotten": None, "mia_privacy": 1.0}, RETRAIN)["avg"] == 0


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_missing_metric_is_no_default(value):
    with pytest.raises(DataError, match="ra of the metrics is missing or not finite"):
        gap(RETRAIN | {"ra": value}, RETRAIN)
    with pytest.raises(DataError, match="mia_efficacy, ra of the reference"):
        gap(RETRAIN, {"ua": 1.0, "ta": 1.0})
