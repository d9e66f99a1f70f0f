"""Digests of code: the text of this package; the syntax of what a user names and it imports."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import expunge
from expunge.errors import ConfigError
from expunge.runs import code_digest, syntax_digest
from expunge.runs.code import _text_digest

ONE = "strange.one:make"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose import fails: its digest is of the text alone."""
    root = tmp_path / "strange"
    (root / "inner").mkdir(parents=True)
    for name in ("__init__.py", "one.py", "two.py", "inner/__init__.py", "inner/deep.py"):
        (root / name).write_text(f"raise SystemExit('{name} was imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    return root


def changed(file, text, spec=ONE):
    """Whether a digest is another one when `file` holds `text`."""
    before = syntax_digest(spec)
    file.write_text(text)
    after = syntax_digest(spec)
    assert "strange" not in sys.modules
    return after != before


# Of this package


@pytest.fixture
def copy(tmp_path):
    source = Path(expunge.__file__).parent
    shutil.copytree(source, tmp_path / "expunge", ignore=shutil.ignore_patterns("__pycache__"))
    assert _text_digest(tmp_path / "expunge") == code_digest()
    return tmp_path / "expunge"


def test_every_file_of_this_package_counts(copy):
    for file in (copy / "errors.py", copy / "models" / "vgg.py"):
        before = _text_digest(copy)
        file.write_text(file.read_text() + "# changed\n")
        assert _text_digest(copy) != before
    before = _text_digest(copy)
    (copy / "runs" / "added.py").write_text("")
    assert _text_digest(copy) != before
    (copy / "runs" / "added.py").rename(copy / "runs" / "another.py")
    assert _text_digest(copy) != before
    (copy / "runs" / "another.py").unlink()
    assert _text_digest(copy) == before


def test_line_endings_do_not_matter(copy):
    file = copy / "errors.py"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert _text_digest(copy) == code_digest()


def test_text_moved_from_one_file_to_another_counts(tmp_path):
    (tmp_path / "one.py").write_text("a\nb\n")
    (tmp_path / "two.py").write_text("c\n")
    before = _text_digest(tmp_path)
    (tmp_path / "one.py").write_text("a\n")
    (tmp_path / "two.py").write_text("b\nc\n")
    assert _text_digest(tmp_path) != before


def test_it_is_found_once(monkeypatch):
    before = code_digest()
    monkeypatch.setattr(Path, "rglob", lambda *_: [])
    assert code_digest() == before


# Of what a user names

CODE = """
import strange.two


class Network:
    def forward(self, x, *, scale=1):
        for _ in range(3):
            x = x * scale if x else None
        return f"{x!r:>3}", [x, *x], {"a": 1, **x}


async def make(n: int = 3) -> None:
    pass
"""
SAME = '''"""The module."""
# A comment.
import strange.two
class Network:
    """A class."""

    def forward(self, x, *, scale = 1):
        r"""A method."""
        for _ in range(0x3):  # three times
            x = (
                x * scale if x else None
            )
        return f'{x!r:>3}', [x, *x], {'a': 1, **x}


async def make(n: int = 3) -> None:
    """A
    function."""
    pass
'''


def test_comments_docstrings_and_layout_do_not_count(package):
    (package / "one.py").write_text(CODE)
    assert not changed(package / "one.py", SAME)
    assert not changed(package / "one.py", SAME.replace("\n", "\r\n"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("range(3)", "range(4)"),
        ("range(3)", "range(3.0)"),
        ("scale=1", "scale=True"),
        ("*, scale", "scale"),
        ("x * scale", "x + scale"),
        ("x * scale", "scale * x"),
        ("if x else", "if scale else"),
        ("else None", "else 0"),
        ("!r:", "!s:"),
        ('"a"', 'b"a"'),
        ("[x, *x]", "(x, *x)"),
        ("**x", '"b": x'),
        ("async def", "def"),
        ("-> None", "-> int"),
        ("    pass", "    return"),
        ("    pass", "    pass\n    'no docstring'"),
        ("    pass", "    'a docstring'\n    'none'\n    pass"),
        ("class Network", "class Net"),
        ("n: int", "m: int"),
        ("        for", "        x = 0\n        for"),
    ],
)
def test_code_counts(package, old, new):
    (package / "one.py").write_text(CODE)
    assert CODE.count(old) == 1 or old in ("    pass", "x * scale")
    assert changed(package / "one.py", CODE.replace(old, new))


def test_structure_counts(package):
    texts = [
        "if a:\n    b\nc",
        "if a:\n    b\n    c",
        "if a:\n    b\nelse:\n    c",
        "if a: b",
        "f(a, b)",
        "f(a)(b)",
        "f(a, *b)",
        "f(a, **b)",
        "f(a, b=b)",
        "f([a], b)",
        "f([a, b])",
        "f((a), [b])",
        "a < b < c",
        "(a < b) < c",
        "'a'",
        "x = 'a'",
        "x = b'a'",
        "x = a",
        "x = None",
        "x = 'None'",
        "x = ...",
        "x = 'Ellipsis'",
        "return",
        "return None",
        "def f(a, /, b): ...",
        "def f(a, b): ...",
        "def f(a, b=1): ...",
        "def f(*, a, b=1): ...",
        "def f(*, a=1, b): ...",
        "x[1:2]",
        "x[1::2]",
        "x[:1:2]",
    ]
    digests = set()
    for text in texts:
        (package / "one.py").write_text(text + "\n")
        digests.add(syntax_digest(ONE))
    # Of these, 'a' alone is a docstring, the module then empty.
    assert len(digests) == len(texts)


def test_long_expressions_can_be_read(package):
    (package / "one.py").write_text("x = " + " + ".join(["1"] * 900) + "\n")
    assert changed(package / "one.py", "x = " + " + ".join(["1"] * 901) + "\n")


def test_a_digest_does_not_depend_on_the_process(package):
    (package / "one.py").write_text(CODE)
    code = f"import sys; sys.path.insert(0, {str(package.parent)!r})\n"
    code += f"from expunge.runs import syntax_digest; print(syntax_digest({ONE!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == syntax_digest(ONE)


def test_the_digest_of_a_text_stays_what_it_is(package):
    """Kept with ids that have been given; every version of Python must give it."""
    (package / "one.py").write_text(CODE)
    (package / "two.py").write_text("x = 1\n")
    assert syntax_digest(ONE) == "e5475b2fe82b3ec5"


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
    assert changed(package / "two.py", "changed = True\n")
    assert not changed(package / "two.py", "changed = True  # a comment\n")


def test_circles_of_imports_end(package):
    (package / "one.py").write_text("import strange.two\n")
    (package / "two.py").write_text("import strange.one\n")
    assert changed(package / "two.py", "import strange.one\nx = 1\n")


def test_what_is_not_imported_does_not_count(package):
    (package / "one.py").write_text("import json\nfrom strange.two import anything\n")
    for name in ("inner/deep.py", "__init__.py"):
        assert not changed(package / name, "changed = True\n")


def test_the_name_of_the_module_counts(package):
    shutil.copy(package / "two.py", package / "one.py")
    assert syntax_digest(ONE) != syntax_digest("strange.two:make")


def test_this_package_does_not_count(package, monkeypatch):
    read = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: read.append(self) or read_bytes(self))
    (package / "one.py").write_text("from expunge.errors import ConfigError\nimport expunge.runs\n")
    syntax_digest(ONE)
    assert read == [package / "one.py"]
    syntax_digest("expunge.runs.store:Store")
    assert len(read) == 2


def test_an_extension_module_counts_by_its_bytes(package):
    (package / "one.py").write_text("from strange import fast\n")
    suffix = __import__("importlib.machinery").machinery.EXTENSION_SUFFIXES[0]
    (package / f"fast{suffix}").write_bytes(b"\x7fELF\xff")
    before = syntax_digest(ONE)
    (package / f"fast{suffix}").write_bytes(b"\x7fELF\xfe")
    assert syntax_digest(ONE) != before


@pytest.mark.parametrize("module", ["strange.three", "strange.one.x", "nowhere", "sys", "a..b"])
def test_modules_without_source_are_refused(package, module):
    with pytest.raises(ConfigError, match=f"no source of module '{module}' is found"):
        syntax_digest(f"{module}:make")


@pytest.mark.parametrize("spec", ["", "strange.one", "strange.one:", ":make"])
def test_what_has_another_form_is_refused(spec):
    with pytest.raises(ConfigError, match=f"expected package.module:callable, got '{spec}'"):
        syntax_digest(spec)


@pytest.mark.parametrize("text", [b"def", b"\xff", b"x = '\x00'", b"(" * 5000])
def test_what_is_no_python_is_refused(package, text):
    (package / "one.py").write_bytes(text)
    with pytest.raises(ConfigError, match=r"one\.py is not Python that can be read: ") as caught:
        syntax_digest(ONE)
    assert "\n" not in str(caught.value)


def test_imports_of_what_is_not_there_are_refused(package):
    (package / "one.py").write_text("from .... import x\n")
    with pytest.raises(ConfigError, match=r"'strange.one' imports what is not there"):
        syntax_digest(ONE)
    (package / "one.py").write_text("import strange.three\n")
    with pytest.raises(ConfigError, match=r"no source of module 'strange.three'"):
        syntax_digest(ONE)
