"""What every task must satisfy, whatever it is called."""

import pytest

from expunge.errors import ConfigError
from expunge.settings import Training
from expunge.tasks import TASKS, get_task


@pytest.fixture(params=TASKS, ids=lambda task: task.name)
def task(request):
    return request.param


def test_it_is_found_by_its_name_and_no_other_has_it(task):
    assert get_task(task.name) is task
    assert [each.name for each in TASKS].count(task.name) == 1
    assert task.version >= 1


def test_it_is_frozen(task):
    assert hash(task) == hash(task.trained_by(Training()))
    assert task == task.trained_by(Training())
    with pytest.raises(AttributeError):
        task.anything = 1


def test_an_unknown_task_is_named_with_what_there_is():
    with pytest.raises(ConfigError, match=r"unknown task 'clasify'.*did you mean 'classify'"):
        get_task("clasify")
