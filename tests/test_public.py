import inspect
import re
from pathlib import Path

import expunge


def test_public_names_are_these():
    assert expunge.__all__ == [
        "ATTRIBUTORS",
        "DETECTORS",
        "EDITS",
        "METHODS",
        "METRICS",
        "PRUNERS",
        "Attribution",
        "Attributor",
        "Cleansed",
        "Context",
        "Dataset",
        "Detector",
        "Edit",
        "Evaluation",
        "ExpungeError",
        "Mask",
        "Method",
        "Metric",
        "Samples",
        "Sparse",
        "Split",
        "Suspects",
        "Training",
        "Unlearned",
        "__version__",
        "at_random",
        "attribute",
        "build",
        "by_class",
        "by_ids",
        "cleanse",
        "evaluate",
        "find_suspects",
        "load",
        "load_model",
        "prune",
        "split",
        "train",
        "unlearn",
    ]


def test_every_public_name_is_there_and_documented():
    for name in expunge.__all__:
        assert getattr(expunge, name) is not None
    assert dir(expunge) == sorted(expunge.__all__)


def test_the_version_is_the_packages():
    from importlib.metadata import version

    assert version("expunge") == expunge.__version__


def test_every_class_and_function_is_in_the_reference():
    text = (Path(__file__).parent.parent / "docs" / "reference.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^::: expunge\.(\w+)$", text, re.MULTILINE))
    public = ((name, getattr(expunge, name)) for name in expunge.__all__)
    assert documented == {n for n, x in public if inspect.isclass(x) or inspect.isfunction(x)}
