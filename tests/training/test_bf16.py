"""Training in bf16 learns what training in float32 learns, on real images."""

import pytest
import torch
from lightning_fabric import Fabric

from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.settings import Training
from expunge.training.fit import fit
from expunge.training.predict import predict
from expunge.training.step import task_loss
from expunge.training.streams import Stream
from expunge.types import Context

RECIPE = Training(epochs=8, batch_size=64, lr=0.2, schedule="one_cycle", warmup_epochs=2)


@pytest.mark.slow
def test_bf16_reaches_the_accuracy_of_float32():
    data = load(DataSpec(source="digits", train_limit=600, test_limit=300))
    found = {}
    for precision in ("32-true", "bf16-mixed"):
        model = build(ModelSpec(name="resnet8", num_classes=10, in_channels=1, width=0.5), seed=0)
        context = Context(fabric=Fabric(accelerator="cpu", devices=1, precision=precision))
        fit(model, Stream(data.train, torch.arange(len(data.train))), task_loss, RECIPE, context)
        logits = predict(model, data.test, Fabric(accelerator="cpu", devices=1))
        found[precision] = logits
    assert not torch.equal(*found.values()), "bf16 was not used"
    right = [
        100 * float((one.argmax(1) == data.test.labels).double().mean()) for one in found.values()
    ]
    assert right[0] > 95
    # Of 300 images, and three seeds differed by at most 1.7 points.
    assert abs(right[1] - right[0]) <= 3
