import pytest

from expunge.data.spec import DataSpec
from expunge.errors import ConfigError


def test_equal_specs_are_one_key():
    assert {DataSpec(source="digits"): 1}[DataSpec(source="digits")] == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": " "}, "source must name a dataset"),
        ({"channels": 2}, "channels must be 1 or 3, got 2"),
        ({"image_size": 0}, "image_size must be a finite number in 1.., got 0"),
        ({"train_limit": 0}, "train_limit must be"),
        ({"test_limit": -1}, "test_limit must be"),
        ({"test_fraction": 0.0}, "test_fraction must be between 0 and 1"),
        ({"test_fraction": float("nan")}, "test_fraction must be between 0 and 1"),
        ({"validation_fraction": 1.0}, "validation_fraction must be 0 or more and below 1"),
        ({"validation_fraction": 0.1, "validation_split": "val"}, "not both"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        DataSpec(**{"source": "digits", **settings})
