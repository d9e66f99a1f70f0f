"""Holm's correction against the procedure that it is named for."""

from hypothesis import given
from hypothesis import strategies as st

from expunge.statistics.holm import holm


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_what_the_step_down_procedure_rejects(values):
    corrected = holm(values)
    for level in (0.01, 0.05, 0.5):
        rejected = set()
        for step, place in enumerate(sorted(range(len(values)), key=lambda i: values[i])):
            if values[place] * (len(values) - step) > level:
                break
            rejected.add(place)
        assert {place for place, p in enumerate(corrected) if p <= level} == rejected
