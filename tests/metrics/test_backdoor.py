"""A backdoor, from the edit to its success rate: poisoned training obeys the trigger."""

import pytest
from lightning_fabric import Fabric

import expunge
from expunge.data.edits.apply import apply_edits, target_of
from expunge.data.populations import population_of
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.metrics import get_metric
from expunge.metrics.evidence import Evidence, Predictions
from expunge.metrics.metric import measure
from expunge.models.build import build
from expunge.models.spec import ModelSpec
from expunge.training.predict import predict

PATCH = {"share": 0.1, "target": 0, "size": 2, "row": 0, "column": 0, "value": 255}
SPEC = DataSpec(source="digits", train_limit=600, test_limit=200, edits={"badnets": PATCH})


@pytest.fixture(scope="module")
def success():
    """Attack success rates of a model trained on clean and one trained on poisoned samples."""
    clean = load(SPEC)
    poisoned, _ = apply_edits(clean, SPEC)
    triggered = population_of(clean, "triggered", SPEC)
    recipe = expunge.Training(epochs=8, batch_size=64, lr=0.2, schedule="one_cycle")
    network = ModelSpec(name="resnet8", num_classes=10, in_channels=1, width=0.25)
    found = {}
    for name, dataset in (("clean", clean), ("poisoned", poisoned)):
        model = expunge.train(build(network, seed=0), dataset.train, recipe)
        fabric = Fabric(accelerator="cpu", devices=1)
        logits = predict(model, triggered, fabric).numpy()
        evidence = Evidence(
            predictions={"triggered": Predictions(logits, triggered.labels.numpy())},
            target=target_of(SPEC.edits),
        )
        found[name] = {m: measure(get_metric(m), evidence).value for m in ("asr", "asr_all")}
    return found


def test_the_trigger_works_only_on_the_model_that_saw_it(success):
    assert success["poisoned"]["asr"] > 80
    assert success["clean"]["asr"] < 20


def test_over_all_samples_those_of_the_target_count_too(success):
    """A clean model calls zeros zeros, trigger or not."""
    assert success["clean"]["asr"] < success["clean"]["asr_all"]
