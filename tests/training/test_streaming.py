"""Images read from a file while they are used give what images in memory give, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.conftest import small_network

from expunge.data.inputs.images import StreamedImages
from expunge.methods.fisher_forgetting import FisherForgettingConfig, fisher_forgetting
from expunge.methods.influence import InfluenceConfig, influence_unlearning
from expunge.scenarios import by_class, make_split
from expunge.settings import Augmentation, Training
from expunge.training.fit import fit
from expunge.training.predict import predict
from expunge.training.step import task_loss
from expunge.training.streams import Stream

RECIPE = Training(epochs=2, batch_size=16, lr=0.05)
CHANGES = Augmentation(crop_padding=1, flip=True)


@pytest.fixture(params=[False, True], ids=["whole", "view"])
def both(request, samples, tmp_path):
    """The same samples in memory and in a file."""
    path = tmp_path / "inputs.npy"
    np.save(path, samples.inputs.tensor.numpy())
    kept, streamed = samples.inputs, StreamedImages(np.load(path, mmap_mode="r"))
    if request.param:
        order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
        kept, streamed = kept.take(order), streamed.take(order)
    return replace(samples, inputs=kept), replace(samples, inputs=streamed)


def trained(samples, context):
    model = small_network()
    fit(
        model,
        Stream(samples, torch.arange(3, 58)),
        task_loss,
        RECIPE,
        replace(context, augmentation=CHANGES),
    )
    return model


@pytest.mark.parametrize(
    "compute",
    [
        trained,
        *(
            lambda samples, context, fisher=fisher: fisher_forgetting(
                small_network(),
                make_split(samples, by_class(1)),
                FisherForgettingConfig(fisher=fisher, batch_size=7),
                context,
            )
            for fisher in ("per_sample", "sampled", "batch_mean")
        ),
        *(
            lambda samples, context, solver=solver: influence_unlearning(
                small_network(),
                make_split(samples, by_class(1)),
                InfluenceConfig(solver=solver, samples=20, batch_size=7),
                context,
            )
            for solver in ("woodbury", "cg", "rank1")
        ),
    ],
    ids=["fit", "ff", "ff sampled", "ff batch_mean", "iu woodbury", "iu cg", "iu rank1"],
)
def test_weights(compute, both, context):
    kept, streamed = (compute(samples, context).state_dict() for samples in both)
    for name, expected in kept.items():
        assert torch.equal(streamed[name], expected), name
    assert not torch.equal(kept["conv.weight"], small_network().conv.weight)


def test_predictions(both, network, fabric):
    kept, streamed = (predict(network, samples, fabric, batch_size=7) for samples in both)
    assert torch.equal(streamed, kept)
