"""Numbers do not change unseen: see `golden.py`."""

import pytest
from tests.wiring.golden import COMMAND, differences, entries, recorded

ENTRIES = entries()


@pytest.mark.parametrize("name", ENTRIES)
def test_numbers_are_those_that_were_recorded(name):
    version, compute = ENTRIES[name]
    golden = recorded().get(name)
    assert golden is not None, f"{name} has no golden numbers yet: {COMMAND} adds them"
    assert golden["version"] == version, (
        f"{name} is version {version}, its golden numbers are of version {golden['version']}: "
        f"{COMMAND} records the new ones"
    )
    changed = differences(compute(), golden["values"])
    assert not changed, (
        f"{name} computes other numbers: if this was meant, raise its version and run {COMMAND}\n"
        + "\n".join(changed)
    )


def test_nothing_is_recorded_that_is_gone():
    assert recorded().keys() <= ENTRIES.keys(), f"{COMMAND} removes it"
