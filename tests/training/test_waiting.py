"""An accelerator runs ahead of the host: inside an epoch nothing makes it wait."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from tests.conftest import small_network
from tests.training.test_fit import some_mask
from torch.utils._python_dispatch import TorchDispatchMode

from expunge.data.inputs.images import ResidentImages
from expunge.settings import Augmentation, Training
from expunge.training.batches import with_labels
from expunge.training.fit import Penalty, fit
from expunge.training.step import task_loss
from expunge.training.streams import Stream

META = torch.device("meta")
WAITING = {
    # Reading a number, and shapes that depend on numbers.
    "aten::_local_scalar_dense",
    "aten::equal",
    "aten::masked_select",
    "aten::nonzero",
    "aten::_unique2",
}


class Waits(TorchDispatchMode):
    """Counts what would make the host wait, or a copy from memory that is not pinned."""

    def __init__(self):
        super().__init__()
        self.seen = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.name().partition(".")[0]
        target = kwargs.get("device")
        moved = name == "aten::_to_copy" and target is not None and target != args[0].device
        if name in WAITING or moved:
            self.seen[name] += 1
        return func(*args, **kwargs)


def both(step):
    return {"some": step.losses("some"), "others": -step.losses("others")}


def waits_of(samples, context, recipe, penalty, loss=task_loss):
    model = small_network()
    context = replace(context, mask=some_mask(model))
    with Waits() as waits:
        streams = {
            "some": Stream(samples, torch.arange(40)),
            # The forgotten are few: they are gone through again and again.
            "others": Stream(samples, torch.arange(40, 60), recipe.batch_size),
        }
        fit(model, streams, loss, recipe, context, penalty=penalty)
    return waits.seen


@pytest.mark.parametrize(
    ("optimizer", "form"), [("sgd", "subgradient"), ("sgd", "proximal"), ("adamw", "subgradient")]
)
def test_only_the_loss_of_an_epoch_is_read(samples, context, optimizer, form):
    context = replace(context, augmentation=Augmentation(crop_padding=1, flip=True))
    penalty = Penalty(gamma=1e-3, form=form)
    recipe = Training(epochs=2, batch_size=20, lr=0.01, optimizer=optimizer, schedule="cosine")
    few = waits_of(samples, context, recipe, penalty)
    many = waits_of(samples, context, replace(recipe, batch_size=4), penalty)
    longer = waits_of(samples, context, replace(recipe, epochs=5), penalty)
    assert few == many
    assert longer - few == {"aten::_local_scalar_dense": 3}


def test_nor_do_streams_that_go_round_make_it_wait(samples, context):
    recipe = Training(epochs=2, batch_size=20, lr=0.01, schedule="constant")
    few, many = (
        waits_of(samples, context, replace(recipe, batch_size=size), None, both) for size in (20, 4)
    )
    longer = waits_of(samples, context, replace(recipe, epochs=5), None, both)
    assert few == many
    assert longer - few == {"aten::_local_scalar_dense": 3}


@pytest.mark.parametrize("view", [False, True])
@pytest.mark.parametrize("size", [30, 7, 1])
def test_an_epoch_of_batches_is_one_copy_of_the_order_and_one_of_the_labels(view, size):
    images = ResidentImages(torch.empty((30, 1, 4, 4), dtype=torch.uint8, device=META))
    if view:
        images = images.take(torch.arange(29, -1, -1))
    batches = list(torch.randperm(30).split(size))
    with Waits() as waits:
        given = list(with_labels(images, torch.arange(30), batches, META))
    assert waits.seen == {"aten::_to_copy": 2}
    assert [len(pixels) for pixels, _ in given] == [len(labels) for _, labels in given]
    assert len(given) == len(batches)
