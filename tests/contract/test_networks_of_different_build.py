"""Networks of many builds through methods and a pruner: a finite result, or a refusal by name."""

import pytest
import torch
from tests.networks_of_different_build import BUILDS

import expunge
from expunge.errors import ExpungeError
from expunge.types import Split

TRAINING = expunge.Training(
    epochs=1, batch_size=4, lr=0.01, schedule="constant", rewind_epoch=0, weight_decay=0.0
)
RUNS = {
    "ft": {"epochs": 1, "batch_size": 4, "lr": 0.01},
    "ga": {"epochs": 1, "batch_size": 2, "lr": 1e-3},
    "iu": {"samples": 6, "batch_size": 4, "damping": 1.0},
    "ff": {"alpha": 1e-8, "batch_size": 4},
    "omp": {"sparsity": 0.5, "rewind": False},
}
REFUSED = {
    "all_frozen": "0.weight",
    "bfloat16": "0.weight (bfloat16)",
    "complex_weights": "1.filter (complex64)",
    "float16": "0.weight (float16)",
    "float64": "0.weight (float64)",
    "lazy": "3.weight",
    "mixed_precision": "6.weight (float64)",
}
"""By network that nothing here supports: what the refusal names."""


def made(build, how, samples):
    """What a method or pruner makes of a network."""
    split = Split(train=samples, forget=torch.tensor([0, 1, 5]), scenario="ids:three")
    if how == "omp":
        return expunge.prune(
            build.build(), split, method=how, config=RUNS[how], training=TRAINING
        ).model
    return expunge.unlearn(build.build(), split, method=how, config=RUNS[how]).model


def result(build, how, samples):
    """The model, or the text of the refusal."""
    try:
        return made(build, how, samples), ""
    except ExpungeError as error:
        return None, str(error)


@pytest.mark.filterwarnings("ignore:.*nested tensors")
@pytest.mark.parametrize("how", RUNS)
@pytest.mark.parametrize("build", BUILDS, ids=str)
def test_a_finite_result_that_can_be_measured_or_a_refusal_by_name(build, how):
    samples = build.samples()
    if build.name in REFUSED:
        with pytest.raises(ExpungeError) as caught:
            made(build, how, samples)
        assert REFUSED[build.name] in str(caught.value)
        return
    model, refusal = result(build, how, samples)
    if model is None:  # for this method or pruner alone: it says which layers, or which kind
        names = [name for name, _ in build.build().named_modules() if name]
        assert any(name in refusal for name in (*names, "layers of kind"))
        assert "\n" not in refusal
        return
    before = build.build().state_dict()
    state = {
        name: value for name, value in model.state_dict().items() if isinstance(value, torch.Tensor)
    }
    assert all(bool(value.isfinite().all()) for value in state.values())
    changed = [name for name in state if name in before and not state[name].equal(before[name])]
    assert changed or state.keys() != before.keys()
    split = Split(train=samples, forget=torch.tensor([0, 1, 5]), scenario="ids:three")
    metrics = expunge.evaluate(model, split, samples).metrics
    assert 0 <= metrics["ta"] <= 100
