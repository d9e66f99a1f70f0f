"""Tasks that networks are trained for, one per file, and the registry `TASKS`."""

from expunge.errors import ConfigError, unknown
from expunge.tasks import classify
from expunge.tasks.task import Task

TASKS: tuple[Task, ...] = (classify.TASK,)
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
