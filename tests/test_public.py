import expunge


def test_public_names_are_these():
    assert expunge.__all__ == [
        "METHODS",
        "PRUNERS",
        "Context",
        "Dataset",
        "Evaluation",
        "ExpungeError",
        "Mask",
        "Method",
        "Recipe",
        "Samples",
        "Sparse",
        "Split",
        "Unlearned",
        "__version__",
        "at_random",
        "build",
        "by_class",
        "by_ids",
        "evaluate",
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
