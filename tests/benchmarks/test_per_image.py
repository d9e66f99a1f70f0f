"""The usual pipeline gives the same kind of batches as ours, so that both do the same work."""

import torch
from benchmarks.loading import epochs
from benchmarks.workload import Workload

from benchmarks import per_image
from expunge.data.augment import Changes, augment
from expunge.settings import Augmentation
from expunge.tasks.classify import TASK

WORK = Workload("resnet8", (3, 8, 8), 4)
COUNT = 12


def in_order(images, labels):
    """Batches as one set of rows, sorted: what an epoch holds, whatever its order."""
    rows = torch.cat([images.flatten(1).double(), labels[:, None].double()], 1)
    return rows[sorted(range(len(rows)), key=lambda i: rows[i].tolist())]


def test_shapes_and_dtypes_are_the_same():
    theirs = list(per_image.loader(*WORK.tensors(COUNT), WORK.batch))
    ours = [(TASK.inputs(images), labels) for images, labels in epochs(WORK, COUNT)()]
    assert len(theirs) == len(ours) == 3
    for (a, labels_a), (b, labels_b) in zip(theirs, ours, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        assert (labels_a.shape, labels_a.dtype) == (labels_b.shape, labels_b.dtype)


def test_without_augmentation_both_give_every_image_once():
    theirs = list(per_image.loader(*WORK.tensors(COUNT), WORK.batch, augment=False))
    ours = list(epochs(WORK, COUNT, Augmentation())())
    a = in_order(torch.cat([i for i, _ in theirs]), torch.cat([y for _, y in theirs]))
    b = in_order(torch.cat([TASK.inputs(i) for i, _ in ours]), torch.cat([y for _, y in ours]))
    assert torch.equal(a, b)


def test_every_changed_image_is_one_of_those_that_augment_can_give():
    pixels, labels = WORK.tensors(1)
    places = [
        (mirrored, top, left)
        for mirrored in (False, True)
        for top in range(2 * per_image.PADDING + 1)
        for left in range(2 * per_image.PADDING + 1)
    ]
    possible = {
        augment(
            pixels,
            Changes(torch.tensor([mirrored]), torch.tensor([[top], [left]]), per_image.PADDING),
        )
        .numpy()
        .tobytes()
        for mirrored, top, left in places
    }
    seen = set()
    for _ in range(200):
        ((image, _),) = per_image.loader(pixels, labels, 1)
        given = (image * 255).round().to(torch.uint8).numpy().tobytes()
        assert given in possible
        seen.add(given)
    assert len(seen) > 50


def test_an_epoch_changes_the_weights():
    model = WORK.build()
    before = model.fc.weight.clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batches = per_image.loader(*WORK.tensors(COUNT), WORK.batch)
    per_image.train(model, batches, optimizer, WORK.autocast())
    assert not torch.equal(before, model.fc.weight)
