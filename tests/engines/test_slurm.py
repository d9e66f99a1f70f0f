"""Jobs by submitit's local executor: killed, queued again, resumed; each node once."""

import json
import os
import signal
import threading

import pytest
from tests import processes
from tests.deadlines import wait_for
from tests.engines import conftest as engines
from tests.engines.run_graph import make_graph

from expunge.engines import Engine, Watch, run, slurm
from expunge.errors import ConfigError, StoreError
from expunge.graph.runtime import Place

submitit = pytest.importorskip("submitit", reason="the extra `slurm` is not installed")
PLACE = Place(device="cpu")


@pytest.fixture(autouse=True)
def no_job_is_left():
    """A test that fails in the middle leaves its jobs running."""
    before = set(processes.descendants(os.getpid()))
    yield
    processes.end_all(set(processes.descendants(os.getpid())) - before)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(slurm, "_SECONDS_BETWEEN_LOOKS", 0.05)
    monkeypatch.setattr("submitit.core.core.Job._results_timeout_s", 0)


def local(workers=2, **settings):
    return Engine(name="slurm", workers=workers, slurm={"cluster": "local", **settings})


def jobs():
    """The processes that make nodes: of each job, the one that its controller has started."""
    below = processes.descendants(os.getpid())
    return [pid for pid in below if "submitit.core._submit" in processes.command_of(pid)]


def log(root):
    return "".join(path.read_text() for path in (root / ".jobs").glob("*/*.[oe]*"))


@pytest.mark.slow
def test_jobs_make_each_node_once(tmp_path):
    graph = make_graph(tmp_path, lines=6, length=2, seconds=0.0)
    announced = []
    watch = Watch(announce=lambda name, label, seconds: announced.append((name, seconds)))
    assert run(graph, local(), PLACE, watch) == 0
    assert engines.whole(tmp_path, 14)
    assert engines.made(tmp_path) == 14
    assert sorted(name for name, _ in announced) == sorted(node.id for node in graph)
    assert all(seconds is not None for _, seconds in announced)
    assert {graph.store.open(node).made["engine"] for node in graph} == {"slurm"}
    assert list((tmp_path / ".jobs").iterdir()) == []


def test_nodes_that_may_begin_go_out_as_one_array_of_few_jobs(tmp_path, monkeypatch):
    arrays = []

    class Job:
        def __init__(self, work):
            self.work = work
            self.job_id = str(id(self))

        def done(self):
            return True

        def result(self):
            return self.work()

    class Executor:
        def batch(self):
            arrays.append([])
            return threading.Lock()

        def submit(self, work):
            arrays[-1].append(len(work.task.nodes))
            return Job(work)

    monkeypatch.setattr(slurm, "_executor", lambda site, settings: Executor())
    graph = make_graph(tmp_path, lines=250, length=1, seconds=0.0)
    run(graph, local(workers=2), PLACE)
    assert arrays == [[1], [100, 100], [25, 25], [1]]
    assert engines.made(tmp_path) == 252


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGUSR2, "Requeued job"), (signal.SIGKILL, "")]
)
def test_a_job_that_is_ended_goes_on_where_it_was(tmp_path, number, said):
    """Preempted, it is queued again by submitit; killed, its nodes are given out again."""
    graph = make_graph(tmp_path, lines=6, length=1, seconds=0.4)
    logs = []

    def end_one():
        wait_for(lambda: 3 <= engines.made(tmp_path) < 6)
        os.kill(jobs()[0], number)

    def keep_log(name, label, seconds):
        logs.append(log(tmp_path))

    thread = threading.Thread(target=end_one)
    thread.start()
    run(graph, local(workers=1), PLACE, Watch(announce=keep_log))
    thread.join()
    assert said in "".join(logs)
    assert engines.whole(tmp_path, 8)
    assert engines.made(tmp_path) in (7, 8)  # a node's line may have been cut off


@pytest.mark.slow
def test_a_driver_that_is_killed_is_begun_again(start, tmp_path):
    """Its jobs go on, and the next driver finds what they made."""
    words = [tmp_path, "--lines", 8, "--length", 1, "--seconds", 0.3, "--engine", "slurm"]
    words += ["--workers", 2, "--slurm", json.dumps({"cluster": "local"})]
    first = start("tests.engines.run_graph", *words)
    wait_for(lambda: engines.made(tmp_path) > 3)
    first.kill()
    start("tests.engines.run_graph", *words).succeeded()
    assert engines.whole(tmp_path, 10)
    assert engines.made(tmp_path) == 10


@pytest.mark.slow
def test_a_node_that_no_job_survives_is_one_line(tmp_path):
    graph = make_graph(tmp_path, lines=1, length=1, seconds=60.0)
    done = threading.Event()

    def end_all():
        while not done.wait(0.05):
            if engines.made(tmp_path) and list((tmp_path / ".aside").iterdir()):
                for pid in jobs():
                    processes.kill(pid)

    thread = threading.Thread(target=end_all)
    thread.start()
    try:
        with pytest.raises(ConfigError, match="3 jobs ended without making empty-") as error:
            run(graph, local(workers=1), PLACE)
    finally:
        done.set()
        thread.join()
    assert "\n" not in str(error.value)
    assert ".err" in str(error.value)
    assert engines.made(tmp_path) == 1


@pytest.mark.slow
def test_a_failure_comes_back_as_itself_and_cancels_the_rest(tmp_path, monkeypatch):
    cancelled = []
    cancel = submitit.LocalJob.cancel
    monkeypatch.setattr(
        submitit.LocalJob, "cancel", lambda job, check: cancelled.append(job) or cancel(job, check)
    )
    before = make_graph(tmp_path, lines=1, length=1, seconds=0.0)
    run(before, Engine(), PLACE)
    graph = make_graph(tmp_path, lines=3, length=1, seconds=0.5)
    first = next(iter(graph))
    # It is there when the graph is planned, and gone when its children are made.
    planned = slurm.Schedule

    def late(*given, **settings):
        graph.store.remove(first.id, dependants=True)
        return planned(*given, **settings)

    monkeypatch.setattr(slurm, "Schedule", late)
    with pytest.raises(StoreError, match="which is not in the store"):
        run(graph, local(), PLACE)
    wait_for(lambda: not jobs())
    assert cancelled
    wait_for(lambda: all(job.done() for job in cancelled))


def test_without_slurm_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    graph = make_graph(tmp_path / "runs", lines=1, length=1, seconds=0.0)
    with pytest.raises(ConfigError, match="needs Slurm's sbatch, which is not on this machine"):
        run(graph, Engine(name="slurm"), PLACE)


@pytest.mark.parametrize(
    "settings",
    [{"partitoin": "short"}, {"slurm_partitoin": "short"}, {"mem_gb": "a"}, {"cluster": "pbs"}],
)
def test_settings_that_submitit_does_not_know_are_one_line(tmp_path, settings):
    graph = make_graph(tmp_path / "runs", lines=1, length=1, seconds=0.0)
    with pytest.raises(ConfigError, match="--slurm") as error:
        run(graph, local(**settings), PLACE)
    assert "\n" not in str(error.value)
