"""Tasks that networks are trained for, one per file, and the registry `TASKS`."""

from collections.abc import Collection, Iterable

from expunge.errors import ConfigError, unknown
from expunge.tasks import classify, generate
from expunge.tasks.task import Task

TASKS: tuple[Task, ...] = (classify.TASK, generate.TASK)
"""All tasks."""


def get_task(name: str) -> Task:
    """The task called `name`.

    Raises:
        ConfigError: the name is unknown.
    """
    for task in TASKS:
        if task.name == name:
            return task
    raise ConfigError(unknown("task", name, (task.name for task in TASKS)))


def check_task(what: str, tasks: Collection[str], task: str, others: Iterable[str] = ()) -> None:
    """Refuse what is not for the task of a model; `others` are the names of what is.

    Raises:
        ConfigError: `task` is not among `tasks`.

    >>> check_task("method ft", {"classify"}, "classify")
    """
    if task not in tasks:
        instead = f": use {', '.join(others)}" if (others := tuple(others)) else ""
        raise ConfigError(
            f"{what} is for models of the task {' or '.join(sorted(tasks))}, and this one is for "
            f"{task}{instead}"
        )
