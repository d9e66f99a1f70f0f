"""The version of the code that a stage runs: a hash of its text, and of all the text it imports."""

import ast
import hashlib
import importlib.util
from collections.abc import Collection, Iterator
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from expunge.errors import ConfigError


def code_version(*modules: str, alone: Collection[str] = ()) -> str:
    """A hash of the source of modules and of what they import from their own package and this one.

    A package that is named counts in full. Imports are read from the text: nothing is imported.
    `alone` are modules whose imports do not count.

    Raises:
        ConfigError: no module is named, or one has no source.
    """
    if not modules:
        raise ConfigError("a code version needs the names of the modules that it covers")
    found = {name: file for module in (*modules, *alone) for name, file in _files(module)}
    waiting = [name for module in modules for name, _ in _files(module)]
    while waiting:
        name = waiting.pop()
        for imported in _imported(name, _text(found[name]), found[name].name == "__init__.py"):
            if imported not in found:
                found[imported] = Path(str(_find(imported).origin))
                waiting.append(imported)
    digest = hashlib.sha256()
    for name in sorted(found):
        # As text, so that line endings do not matter; lengths keep the parts apart.
        text = _text(found[name]).encode()
        digest.update(f"{name}:{len(text)}:".encode() + text)
    return digest.hexdigest()[:16]


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _files(module: str) -> list[tuple[str, Path]]:
    """Every source file of a module or package, by the name of its module."""
    spec = _find(module)
    if spec.submodule_search_locations is None:
        return [(module, Path(str(spec.origin)))]
    root = Path(str(spec.origin)).parent
    files = []
    for file in root.rglob("*.py"):
        parts = file.relative_to(root).with_suffix("").parts
        inside = parts[:-1] if parts[-1] == "__init__" else parts
        files.append((".".join((module, *inside)), file))
    return files


def _find(module: str) -> ModuleSpec:
    spec = _spec(module)
    if spec is None or not spec.has_location or spec.origin is None:
        raise ConfigError(f"no source of module {module!r} is found: check its name")
    return spec


def _spec(module: str) -> ModuleSpec | None:
    first, *rest = module.split(".")
    found = importlib.util.find_spec(first) if first else None
    name = first
    for part in rest:
        # find_spec would import the parents of a dotted name.
        inside = found.submodule_search_locations if found else None
        name = f"{name}.{part}"
        found = PathFinder.find_spec(name, inside) if inside else None
    return found


def _imported(module: str, text: str, is_package: bool) -> Iterator[str]:
    """The modules that `module` imports from its own top-level package and from this one."""
    here = module if is_package else module.rpartition(".")[0]
    for level, asked, name in _import_statements(text):
        package = importlib.util.resolve_name("." * level + asked, here)
        if package.partition(".")[0] not in (module.partition(".")[0], "expunge"):
            continue
        # `from package import name`: a module of the package, or something in the package itself.
        inner = _spec(f"{package}.{name}") if name else None
        yield f"{package}.{name}" if inner is not None else package


@lru_cache(maxsize=1024)
def _import_statements(text: str) -> tuple[tuple[int, str, str], ...]:
    """Level, module and name of every import in `text`; no name for `import module`."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return ()
    found: list[tuple[int, str, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(0, alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.level, node.module or "", alias.name) for alias in node.names]
    return tuple(found)
