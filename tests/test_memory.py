"""How much memory there is: of the machine, or less if a container has less."""

import pytest

from expunge import memory


@pytest.mark.parametrize(
    ("limit", "least"), [("1000000", True), ("max", False), (str(2**60), False)]
)
def test_a_containers_limit_counts_where_it_is_lower(tmp_path, monkeypatch, limit, least):
    monkeypatch.setattr(memory, "_CGROUP", tmp_path / "absent")
    whole = memory.memory_bytes()
    assert whole is not None
    monkeypatch.setattr(memory, "_CGROUP", tmp_path / "memory.max")
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    assert memory.memory_bytes() == (1_000_000 if least else whole)
    said = memory.over_memory(2_000_000)
    assert said == ("2.0 MB, and this machine has 1.0 MB" if least else None)
