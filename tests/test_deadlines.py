"""No wait of the tests has a limit that a slower machine would not stretch."""

import ast
from pathlib import Path

import pytest

from tests import deadlines

TESTS = Path(__file__).parent


def is_number(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def fixed_limits(tree):
    """Lines that pass a number as a limit, or add one to the time, outside what is stretched."""
    for node in ast.walk(tree):
        limits = []
        if isinstance(node, ast.Call):
            limits = [each.value for each in node.keywords if each.arg == "timeout"]
            if getattr(node.func, "attr", "") in ("join", "wait"):
                limits += node.args
            # To wait for less than a second is to see that something does not come.
            limits = [each for each in limits if is_number(each) and each.value >= 1]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            clock = ast.unparse(node.left) in ("time.monotonic()", "time.perf_counter()")
            limits = [node.right] if clock and is_number(node.right) else []
        if limits:
            yield node.lineno


def test_every_limit_is_stretched():
    fixed = [
        f"{path.relative_to(TESTS)}:{line}"
        for path in sorted(TESTS.rglob("*.py"))
        for line in fixed_limits(ast.parse(path.read_text("utf-8")))
    ]
    assert fixed == []


@pytest.mark.parametrize(
    "code",
    [
        "process.communicate(timeout=20)",
        "thread.join(timeout=20)",
        "got.wait(20)",
        "late = time.monotonic() + 60",
    ],
)
def test_a_fixed_limit_is_seen(code):
    assert list(fixed_limits(ast.parse(code))) == [1]


@pytest.mark.parametrize(("measured", "factor"), [(0.1, 1), (0.35, 1), (2.45, 7)])
def test_a_slower_machine_has_longer_limits(monkeypatch, measured, factor):
    clock = iter([10.0, 10.0 + measured])
    monkeypatch.setattr(deadlines.subprocess, "run", lambda *_, **__: None)
    monkeypatch.setattr(deadlines.time, "perf_counter", lambda: next(clock))
    deadlines.slowness.cache_clear()
    try:
        assert deadlines.stretched(20) == pytest.approx(20 * factor)
    finally:
        deadlines.slowness.cache_clear()
