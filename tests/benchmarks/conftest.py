"""Floors from work that takes no time, and none of them kept."""

import pytest

from benchmarks import floors


@pytest.fixture
def small_floors(monkeypatch):
    measured = (
        floors.flops,
        floors.product_rates,
        floors.copy_rates,
        floors.convolution_rates,
    )
    monkeypatch.setattr(floors, "ROUNDS", 2)
    monkeypatch.setattr(floors, "SIDE", 64)
    monkeypatch.setattr(floors, "COPIED", 2**12)
    for one in measured:
        one.cache_clear()
    yield
    for one in measured:
        one.cache_clear()
