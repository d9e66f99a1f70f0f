"""What is kept on disk is read through one door, which checks it against its digest."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "expunge"
READERS = {
    "load_file", "loads", "load", "open", "read_arrays", "read_bytes", "read_json", "read_object",
    "read_tensors", "read_text", "load_weights", "load_mask", "safe_open", "copyfile", "fromfile",
    "memmap", "genfromtxt", "loadtxt",
}  # fmt: skip
"""Functions and methods that read a file."""
DOORS = {"checked", "checked_if_any"}
NOT_OF_THE_STORE = {
    # by file and function: what is read there, and what checks it
    ("cli/demo.py", "_experiment"): "a recipe of this package",
    ("cli/options.py", "_pair"): "an option of the command line",
    ("cli/runs.py", "show_run"): "an artefact's record, which its reader checks",
    ("cli/targets.py", "_check_same_kind"): "how a user's file begins",
    ("cli/session.py", "__post_init__"): "the null device, to write to",
    ("engines/worker.py", "_bug"): "an error, to see whether it can be sent",
    ("graph/kinds/data.py", "run"): "the data's source",
    ("graph/adopted_weights.py", "adopt"): "a user's file of weights, whose digest is in the node",
    ("graph/adopted_weights.py", "weights_digest"): "a user's weights: it returns the digest",
    ("graph/make.py", "_peak_mib"): "the system's",
    ("graph/model_files.py", "_load"): "what its two callers give it",
    ("graph/times.py", "_lines"): "times: every line has a check of its own",
    ("graph/times.py", "note_time"): "times, to write to",
    ("studies/shipped.py", "_measured"): "committed results, for a listing",
    ("studies/folder.py", "check_settings"): "settings, compared with those asked for",
    ("studies/precomputed/arrays.py", "_loaded"): "logits and margins from elsewhere",
    ("studies/recipe.py", "parse_tables"): "the text of a recipe",
    ("studies/recipe.py", "read_recipe"): "a user's recipe",
    ("studies/tuning/tune.py", "_check_out"): "settings, compared with those asked for",
}
ROOMS = ("graph", "studies", "engines", "cli", "api")


def calls():
    """Every call of a reader in rooms that know the store: file, function, call, local names."""
    for room in ROOMS:
        for path in sorted((SOURCE / room).rglob("*.py")):
            for function in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(function, ast.FunctionDef):
                    for node in ast.walk(function):
                        if isinstance(node, ast.Call) and name_of(node.func) in READERS:
                            yield str(path.relative_to(SOURCE)), function, node


def name_of(function):
    return getattr(function, "attr", None) or getattr(function, "id", None)


def passes_a_door(node, function):
    """Whether what is read is what a door gave, here or in a name that only a door gave."""
    given = [each for each in ast.walk(node) if isinstance(each, ast.Call)]
    if any(name_of(each.func) in DOORS for each in given):
        return True
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    bound = [
        each
        for each in ast.walk(function)
        if isinstance(each, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id in names for target in each.targets)
    ]
    return bool(bound) and all(
        isinstance(each.value, ast.Call) and name_of(each.value.func) in DOORS for each in bound
    )


def test_nothing_of_the_store_is_read_past_the_door():
    past = {
        (path, function.name)
        for path, function, node in calls()
        if not passes_a_door(node, function)
    }
    assert past - NOT_OF_THE_STORE.keys() == set()
    assert NOT_OF_THE_STORE.keys() - past == set(), "the list names what is no longer there"


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        ("def f(folder): return read_object(folder / 'a.json')", False),
        ("def f(folder): return read_object(checked(folder, 'a.json'))", True),
        ("def f(folder):\n path = checked(folder, 'a')\n return path.read_text()", True),
        ("def f(folder):\n path = folder / 'a'\n return path.read_text()", False),
        ("def f(a):\n path = checked(a, 'b')\n path = a / 'b'\n return path.read_text()", False),
    ],
)
def test_a_door_is_recognised(code, passes):
    function = ast.parse(code).body[0]
    readers = [
        node
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and name_of(node.func) in READERS
    ]
    assert [passes_a_door(node, function) for node in readers] == [passes]
