"""Digests of code: this package's text, and the syntax of a user's module."""

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from expunge.errors import ConfigError

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@cache
def code_digest() -> str:
    """A digest of the text of every source file of this package, recorded with results.

    It is not part of an id. Line endings do not matter.
    """
    return _text_digest(Path(__file__).parent.parent)


def syntax_digest(spec: str) -> str:
    """A digest of the syntax of a user's `package.module:callable`, part of an id.

    It covers the module and what it imports, directly or not, from its own top-level package, but
    nothing from expunge. Comments, docstrings and layout do not count. Imports are read from the
    text: nothing is imported.

    Raises:
        ConfigError: it does not have that form, or a module has no source or is not Python.
    """
    first, colon, attribute = spec.partition(":")
    if not (first and colon and attribute):
        raise ConfigError(f"expected package.module:callable, got {spec!r}")
    top = first.partition(".")[0]
    digests: dict[str, str] = {}
    waiting = [first]
    while waiting:
        name = waiting.pop()
        if name in digests:
            continue
        file = _file(name)
        if file.suffix != ".py":  # an extension module
            digests[name] = hashlib.sha256(file.read_bytes()).hexdigest()
            continue
        tree = _tree(file)
        digests[name] = _tree_digest(tree)
        if top != "expunge":
            waiting += _imported(name, tree, file.name == "__init__.py")
    lines = "".join(f"{name} {digests[name]}\n" for name in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def _text_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        text = file.read_text(encoding="utf-8").encode()
        # Lengths keep the parts apart.
        digest.update(f"{file.relative_to(folder).as_posix()}:{len(text)}:".encode() + text)
    return digest.hexdigest()[:16]


def _tree(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"{file} is not Python that can be read: {error}") from error


def _tree_digest(tree: ast.Module) -> str:
    """A hash of a syntax tree without docstrings and places.

    Not of `ast.dump`: the fields that it writes, where they are empty, differ between versions of
    Python. Every part comes with the number or names of its parts, so that no two trees read alike.
    """
    digest = hashlib.sha256()
    waiting: list[object] = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.AST):
            fields = [(name, value) for name, value in ast.iter_fields(part) if value is not None]
            if isinstance(part, _DOCUMENTED) and ast.get_docstring(part, clean=False) is not None:
                fields = [(n, value[1:] if n == "body" else value) for n, value in fields]
            fields = [(name, value) for name, value in fields if value != []]
            words = f"{type(part).__name__}({','.join(name for name, _ in fields)})"
            waiting += [value for _, value in fields]
        elif isinstance(part, list):
            words = f"[{len(part)}]"
            waiting += part
        else:
            words = repr(part)
        digest.update(f"{words}\n".encode())
    return digest.hexdigest()


def _file(module: str) -> Path:
    spec = _spec(module)
    if spec is None or not spec.has_location or spec.origin is None:
        raise ConfigError(f"no source of module {module!r} is found: check its name")
    return Path(spec.origin)


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


def _imported(module: str, tree: ast.Module, is_package: bool) -> Iterator[str]:
    """The modules that `module` imports from its own top-level package."""
    here = module if is_package else module.rpartition(".")[0]
    for level, asked, name in _import_statements(tree):
        try:
            package = importlib.util.resolve_name("." * level + asked, here)
        except ImportError as error:
            raise ConfigError(f"module {module!r} imports what is not there: {error}") from error
        if package.partition(".")[0] != module.partition(".")[0]:
            continue
        # `from package import name`: a module of the package, or something in the package itself.
        inner = _spec(f"{package}.{name}") if name else None
        yield f"{package}.{name}" if inner is not None else package


def _import_statements(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Level, module and name of every import in `tree`; no name for `import module`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.level, node.module or "", alias.name) for alias in node.names)
