"""Code versions: text counts, the importing module's own and what it imports."""

import sys

import pytest

from expunge.errors import ConfigError
from expunge.runs import code_version


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose import fails: its code version is of the text alone."""
    root = tmp_path / "strange"
    (root / "inner").mkdir(parents=True)
    for name in ("__init__.py", "one.py", "two.py", "inner/__init__.py", "inner/deep.py"):
        (root / name).write_text(f"raise SystemExit('{name} was imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    return root


def test_a_code_version_follows_the_text(package):
    before = code_version("strange.one")
    assert before == code_version("strange.one")
    (package / "two.py").write_text("changed = True\n")
    assert code_version("strange.one") == before
    (package / "one.py").write_text("changed = True\n")
    assert code_version("strange.one") != before
    assert "strange" not in sys.modules


def test_a_package_counts_in_full(package):
    before = code_version("strange"), code_version("strange.inner"), code_version("strange.one")
    (package / "inner" / "deep.py").write_text("changed = True\n")
    after = code_version("strange"), code_version("strange.inner"), code_version("strange.one")
    assert [a != b for a, b in zip(before, after, strict=True)] == [True, True, False]
    (package / "inner" / "added.py").write_text("")
    assert code_version("strange.inner") != after[1]


def test_line_endings_and_order_do_not_matter(package):
    before = code_version("strange.one", "strange.two")
    for name in ("one.py", "two.py"):
        file = package / name
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert code_version("strange.two", "strange.one", "strange.one") == before


def test_text_moved_from_one_module_to_another_counts(package):
    (package / "one.py").write_text("a\nb\n")
    (package / "two.py").write_text("c\n")
    before = code_version("strange.one", "strange.two")
    (package / "one.py").write_text("a\n")
    (package / "two.py").write_text("b\nc\n")
    assert code_version("strange.one", "strange.two") != before


@pytest.mark.parametrize("module", ["strange.three", "strange.one.x", "nowhere", "sys", "", "a..b"])
def test_modules_without_source_are_refused(package, module):
    with pytest.raises(ConfigError, match=f"no source of module '{module}' is found"):
        code_version(module)


def test_no_module_is_refused():
    with pytest.raises(ConfigError, match="needs the names of the modules"):
        code_version()


def changed(module, file, **options):
    before = code_version(module, **options)
    file.write_text(file.read_text() + "# changed\n")
    return code_version(module, **options) != before


@pytest.mark.parametrize(
    "statement",
    [
        "import strange.two",
        "from strange.two import anything",
        "from strange import two",
        "from . import two",
        "from .two import anything",
        "from strange.inner import deep",
        "def late():\n    from strange.two import anything",
    ],
)
def test_what_a_module_imports_counts(package, statement):
    (package / "one.py").write_text(statement + "\n")
    (package / "inner" / "deep.py").write_text("from strange.two import anything\n")
    assert changed("strange.one", package / "two.py")
    assert "strange" not in sys.modules


def test_circles_of_imports_end(package):
    (package / "one.py").write_text("import strange.two\n")
    (package / "two.py").write_text("import strange.one\n")
    assert changed("strange.one", package / "two.py")


def test_what_is_not_imported_does_not_count(package):
    (package / "one.py").write_text("import json\nfrom strange.two import anything\n")
    assert not changed("strange.one", package / "inner" / "deep.py")
    assert not changed("strange.one", package / "__init__.py")


def test_imports_of_a_module_alone_do_not_count(package):
    (package / "one.py").write_text("import strange.two\n")
    alone = {"alone": ["strange.one"]}
    assert not changed("strange.inner.deep", package / "two.py", **alone)
    assert changed("strange.inner.deep", package / "one.py", **alone)


def test_a_method_elsewhere_counts_what_it_takes_from_here(package):
    (package / "one.py").write_text("from expunge.errors import ConfigError\n")
    assert code_version("strange.one") == code_version("strange.one", "expunge.errors")
    assert code_version("strange.one") != code_version("strange.one", alone=["expunge.types"])
