"""The course of training: the loss and the rate of every epoch, and nothing changed by noting."""

from dataclasses import replace

import pytest
import torch
from tests.conftest import small_network
from torch.nn import functional as F

from expunge.graph.course import COURSE, Course, Curve, read_course, write_course
from expunge.runs import Node, Store
from expunge.settings import Training
from expunge.training.fit import fit
from expunge.training.step import task_loss
from expunge.training.streams import Stream

# The batch is all samples: the epoch's loss is that of the weights before its only step.
WHOLE = Training(epochs=4, batch_size=60, lr=0.1, schedule="milestones", milestones=(1, 3))


def test_each_epoch_is_noted_with_its_mean_loss_and_rate(samples, context):
    course, before = Course(), []
    model = small_network()
    images = next(iter(samples.inputs.batches([torch.arange(60)]))).float() / 255

    def losses(_):
        with torch.no_grad():
            # In training mode, as the step computes it.
            before.append(float(F.cross_entropy(model(images), samples.labels)))

    noted = replace(context, record_epoch=course.add)
    fit(model, Stream(samples, torch.arange(60)), task_loss, WHOLE, noted, after_epoch=losses)
    (curve,) = course.curves
    assert curve.task == "train"
    assert curve.loss == pytest.approx(before[:4], rel=1e-5)
    assert curve.lr == pytest.approx([0.1, 0.01, 0.01, 0.001])


def test_several_batches_have_one_mean(samples, context):
    course, seen = Course(), []

    def noted_loss(step):
        found = step.losses()
        seen.append(float(found.detach().mean()))
        return found

    training = replace(WHOLE, batch_size=20, epochs=2)
    noted = replace(context, record_epoch=course.add)
    fit(small_network(), Stream(samples, torch.arange(60)), noted_loss, training, noted)
    assert course.curves[0].loss == pytest.approx([sum(seen[:3]) / 3, sum(seen[3:]) / 3], rel=1e-5)


def test_noting_changes_nothing(samples, context):
    networks = [small_network(), small_network()]
    for model, record in zip(networks, (context.record_epoch, Course().add), strict=True):
        noted = replace(context, record_epoch=record)
        fit(model, Stream(samples, torch.arange(60)), task_loss, WHOLE, noted)
    one, other = (model.state_dict() for model in networks)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_course_is_kept_beside_a_nodes_files(tmp_path):
    course, store = Course(), Store(tmp_path)
    course.add("train", 1, 2.5, 0.1)
    course.add("train", 2, 1.5, 0.05)
    course.add("train", 1, 3.5, 0.2)
    trained, plain = (Node(kind="train", version=1, params={"n": n}, parents={}) for n in (1, 2))
    with store.create(trained) as folder:
        write_course(folder, course)
    course.clear()
    with store.create(plain) as folder:
        write_course(folder, course)
    assert not (store.path(plain.id) / COURSE).exists()
    assert read_course(store.path(plain.id)) == []
    assert read_course(store.path(trained.id)) == [
        Curve("train", [2.5, 1.5], [0.1, 0.05]),
        Curve("train", [3.5], [0.2]),
    ]
