"""Who may import whom: the architecture, read from the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "expunge"
BASE = {
    "atomic",
    "batch",
    "callables",
    "config",
    "digest",
    "errors",
    "memory",
    "modes",
    "plugins",
    "reuse",
    "settings",
    "types",
}
WORK = {
    "attribution",
    "data",
    "detectors",
    "features",
    "models",
    "sparsity",
    "metrics",
    "scenarios",
    "methods",
    "theory",
    "transfer",
}
ROOMS = {
    "atomic": set(),
    "digest": set(),
    "errors": set(),
    "memory": set(),
    "modes": set(),
    "settings": {"errors"},
    "config": {"errors", "settings"},
    "plugins": {"errors"},
    "search_path": set(),
    "callables": {"errors", "search_path"},
    "batch": set(),
    "reuse": set(),
    "types": {"batch", "describe", "errors", "reuse", "settings", "tasks"},
    "describe": {"data", "errors", "types"},
    "data": BASE,
    "models": BASE | {"tasks"},
    "sparsity": BASE | {"models", "tasks"},
    "metrics": BASE | {"data", "sparsity"},
    "curvature": BASE | {"tasks"},
    "published": {"config", "errors"},
    "runs": {"atomic", "digest", "errors"},
    "statistics": {"config", "errors"},
    "tasks": {"batch", "errors", "settings"},
    "training": BASE | {"sparsity", "data", "tasks"},
    "detectors": BASE | {"data", "features", "metrics", "tasks", "training"},
    "scenarios": BASE | {"data", "detectors"},
    "methods": BASE | {"training", "sparsity", "curvature", "tasks"},
    "features": BASE | {"curvature", "tasks", "training"},
    "transfer": BASE | {"curvature", "models", "statistics"},
    "theory": BASE | {"training", "sparsity", "tasks"},
    "attribution": BASE | {"curvature", "sparsity", "tasks", "training"},
    "graph": BASE | WORK | {"training", "tasks", "runs", "statistics"},
    "engines": {"errors", "settings", "graph", "runs"},
    "studies": BASE | WORK | {"published", "tasks", "graph", "runs", "statistics"},
    "tracking": {"atomic", "errors"},
    "report": {"digest", "runs", "errors", "metrics", "published", "statistics"},
    "api": BASE | WORK | {"training", "tasks", "graph", "statistics"},
}
ROOMS["cli"] = set(ROOMS)


def imports(path):
    """The rooms that a file imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "expunge" and len(parts) > 1:
                yield parts[1]


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_only_what_it_may(room):
    files = [SOURCE / f"{room}.py"] if (SOURCE / f"{room}.py").exists() else []
    files += (SOURCE / room).rglob("*.py")
    assert files, f"no room {room}"
    allowed = ROOMS[room] | {room, "__version__"}
    for file in files:
        for imported in imports(file):
            assert imported in allowed, f"{file.relative_to(SOURCE)} imports {imported}"


def modules(path):
    """The modules of this package that a file imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(
    ("room", "other"),
    [("engines", "expunge.graph.kinds"), ("studies", "expunge.engines")],
    ids=["no engine knows a kind of node", "no study knows an engine"],
)
def test_rooms_that_do_not_know_each_other(room, other):
    for file in (SOURCE / room).rglob("*.py"):
        for module in modules(file):
            assert not f"{module}.".startswith(f"{other}."), f"{room}/{file.name}: {module}"


def test_every_room_is_in_the_table():
    there = {
        path.stem
        for path in SOURCE.iterdir()
        if (path.is_dir() and (path / "__init__.py").exists()) or path.suffix == ".py"
    }
    assert there - {"__init__", "__main__"} == set(ROOMS)


def imported_by(statement):
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "expunge",
        "expunge.attribution",
        "expunge.cli.app",
        "expunge.cli.bench",
        "expunge.data.sources",
        "expunge.engines",
        "expunge.graph.plan",
        "expunge.models.networks",
        "expunge.report",
        "expunge.runs",
        "expunge.studies.grid",
        "expunge.studies.recipe",
    ],
)
def test_what_must_be_quick_does_not_wait_for_torch(module):
    heavy = {"torch", "sklearn", "datasets", "lightning_fabric"}
    assert imported_by(f"import {module}").isdisjoint(heavy)
