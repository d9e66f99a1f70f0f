"""What a network is trained for, one task a file, and `TASKS`."""

from expunge.errors import ConfigError, unknown
from expunge.tasks import classify
from expunge.tasks.task import Task

TASKS: tuple[Task, ...] = (classify.TASK,)
"""Every task there is."""


def get_task(name: str) -> Task:
    """The task of that name.

    Raises:
        ConfigError: there is none.
    """
    for task in TASKS:
        if task.name == name:
            return task
    raise ConfigError(unknown("task", name, (task.name for task in TASKS)))
