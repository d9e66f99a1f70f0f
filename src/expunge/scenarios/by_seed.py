"""A class by seed: each seed of a study forgets another class."""

from collections.abc import Sequence

from expunge.errors import ForgetError

CLASS_BY_SEED = "class:seed"
"""The scenario's text in a recipe."""


def of_seed(scenario: str, seed: int, class_names: Sequence[str]) -> str:
    """The scenario of one seed: of `class:seed` the class of that number, else `scenario` itself.

    Beyond the last class it begins again with the first.

    >>> of_seed("class:seed", 3, ["cat", "dog"]), of_seed("random:0.1", 3, ["cat", "dog"])
    ('class:1', 'random:0.1')

    Raises:
        ForgetError: a class is called `seed`.
    """
    if scenario != CLASS_BY_SEED:
        return scenario
    if "seed" in class_names:
        raise ForgetError(
            f"{CLASS_BY_SEED} means the class whose number is the seed's, and the data have a "
            "class 'seed': to forget that one, give its number, "
            f"class:{list(class_names).index('seed')}"
        )
    return f"class:{seed % len(class_names)}"
