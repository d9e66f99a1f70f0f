"""The Python face, where it has something to decide."""

import numpy as np
import pytest
import torch

import expunge
from expunge.data.arrays import as_samples
from expunge.data.splits import subset
from expunge.errors import ConfigError, DataError
from tests.conftest import small_network


def test_test_labels_are_numbered_as_the_training_labels():
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (30, 8, 8), dtype=np.uint8)
    names = np.array(["ant", "bee", "cow"])[np.arange(30) % 3]
    split = expunge.split((images, names), forget=expunge.at_random(0.2, seed=0))
    model = small_network(0)
    later = names != "ant"
    found = expunge.evaluate(model, split, (images[later], names[later]))
    pixels = torch.from_numpy(images[later][:, None]).float() / 255
    with torch.no_grad():
        predicted = np.array(["ant", "bee", "cow"])[model.eval()(pixels).argmax(1).numpy()]
    assert found.metrics["ta"] == 100 * (predicted == names[later]).mean()


def test_arrays_are_no_name_of_a_dataset():
    with pytest.raises(DataError, match=r"got tuple: pass arrays, tensors and datasets directly"):
        expunge.load((np.zeros((4, 1, 8, 8)), np.arange(4)))


IMAGES = np.random.default_rng(0).integers(0, 256, (6, 1, 8, 8), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])
NAMED = expunge.by_ids(["f", "b"])


@pytest.mark.parametrize(
    ("forget", "chosen"),
    [([1, 5], [1, 5]), (LABELS == 2, [2, 5]), ("class:1", [1, 4]), (expunge.by_class(0), [0, 3])],
)
def test_forget_is_a_scenario_its_text_or_indices(forget, chosen):
    assert expunge.split((IMAGES, LABELS), forget=forget).forget.tolist() == chosen


@pytest.mark.parametrize(
    "ids",
    [list("abcdef"), np.array(list("abcdef")), tuple("abcdef")],
    ids=["list", "array", "tuple"],
)
def test_ids_are_given_beside_the_arrays(ids):
    split = expunge.split((IMAGES, LABELS), forget=NAMED, ids=ids)
    assert split.forget.tolist() == [1, 5]
    assert split.forget_ids == ("b", "f")


def test_ids_of_numbers_are_numbers_as_text():
    for ids in (range(101, 107), torch.arange(101, 107), [np.int64(n) for n in range(101, 107)]):
        split = expunge.split((IMAGES, LABELS), forget=expunge.by_ids([102]), ids=ids)
        assert split.forget_ids == ("102",)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ("abcdef", "one text or whole number per sample, got 'abcdef'"),
        (5, "one text or whole number per sample, got 5"),
        ([1.0, *"bcdef"], r"one text or whole number per sample, got 1\.0"),
        ([None, *"bcdef"], "got None"),
        (["a"], "6 images but 1 ids"),
        (list("aacdef"), r"1 ids are given more than once: a"),
    ],
)
def test_ids_that_do_not_fit_are_refused(ids, message):
    with pytest.raises(DataError, match=message):
        expunge.split((IMAGES, LABELS), forget=NAMED, ids=ids)


def test_samples_keep_their_ids(samples):
    with pytest.raises(DataError, match="the train samples have ids already"):
        expunge.split(samples, forget=[1], ids=range(60))


def test_a_dataset_gives_the_part_that_is_needed(samples):
    test = as_samples((IMAGES[:3], LABELS[:3]), name="later")
    data = expunge.Dataset(train=samples, test=test)
    split = expunge.split(data, forget=[0])
    assert split.train is samples
    model = expunge.train(small_network(), data, expunge.Training(epochs=0))
    assert expunge.evaluate(model, split, data) == expunge.evaluate(model, split, test)


def test_summaries_are_short_and_count_everything(samples):
    data = expunge.Dataset(train=samples, test=as_samples((IMAGES, LABELS)), held_out=("test",))
    hashes = ", ".join(samples.ids[:3])
    assert str(data).splitlines() == [
        "stripes: images, 1 x 8 x 8, uint8, 3 classes",
        "  train: 60 (0: 20, 1: 20, 2: 20)",
        "  test, taken from the training data: 6 (0: 2, 1: 2, 2: 2)",
        f"  ids, hashes of the images: {hashes} and 57 more",
    ]
    assert repr(data) == str(data)
    named = expunge.split((IMAGES, LABELS), forget=NAMED, ids=list("abcdef"))
    assert str(named).splitlines() == [
        "ids:2 given: 2 of 6 samples to forget",
        "  forget: 2 (1: 1, 2: 1)",
        "  retain: 4 (0: 2, 1: 1, 2: 1)",
        "  of data: images, 1 x 8 x 8, uint8, 3 classes",
    ]
    assert repr(named) == str(named)
    assert str(named.train).splitlines()[1:] == [
        "  samples: 6 (0: 2, 1: 2, 2: 2)",
        "  ids, given with the data: a, b, c and 3 more",
    ]


def test_a_summary_of_many_classes_and_long_names_stays_short():
    labels = np.arange(90) % 30
    images = np.zeros((90, 1, 2, 2), np.uint8)
    many = expunge.split((images, labels), forget=range(40))
    assert "  forget: 40 (1 to 2 in each of 30 classes)" in str(many)
    odd = expunge.split((images[:2], np.array(["a\nb", "c"])), forget=[0])
    assert "  forget: 1 (a b: 1)" in str(odd)


@pytest.mark.parametrize(("forget", "tested"), [(1, 1), (1, 6), (5, 6), (5, 1), (4, 2)])
def test_few_samples_give_what_they_can_and_the_reason_for_the_rest(forget, tested):
    split = expunge.split((IMAGES, LABELS), forget=range(forget))
    test = (IMAGES[:tested], LABELS[:tested])
    model = small_network()
    found = expunge.evaluate(model, split, test, reference=small_network(1))
    assert None not in (found.metrics["ua"], found.metrics["ra"], found.metrics["ta"])
    least, name = (6 - forget, "retain") if forget == 5 else (tested, "test")
    if least > 1:
        assert found.metrics["mia_efficacy"] is not None
        assert found.gap is not None
        return
    why = f"the attack needs at least 2 {name} samples, got 1"
    assert found.metrics["mia_efficacy"] is found.metrics["mia_privacy"] is found.gap is None
    assert found.reasons["mia_efficacy"] == found.reasons["mia_privacy"] == why
    assert found.gap_reason == f"there is no mia_efficacy to compare: {why}"
    assert f"no MIA-efficacy: {why}" in str(found)


def test_a_test_set_of_forgotten_classes_only_has_no_ta():
    split = expunge.split((IMAGES, LABELS), forget="class:0")
    found = expunge.evaluate(small_network(), split, (IMAGES[:1], LABELS[:1]))
    assert found.metrics["ta"] is None
    assert "every test sample is of a forgotten class" in found.reasons["ta"]
    assert found.metrics["ta_forgotten"] is not None


def test_what_was_forgotten_before_is_not_retained(samples):
    forgotten = torch.arange(10, 60)
    split = expunge.Split(samples, torch.tensor([0]), "first", forgotten=forgotten)
    model = small_network()
    few = expunge.evaluate(model, split, samples).metrics["ra"]
    only = expunge.split(subset(samples, torch.arange(10)), forget=[0])
    assert few == expunge.evaluate(model, only, samples).metrics["ra"]


def test_a_result_says_which_samples_it_has_forgotten():
    split = expunge.split((IMAGES, LABELS), forget=NAMED, ids=list("abcdef"))
    assert expunge.unlearn(small_network(), split, config={"epochs": 1}).forgotten_ids == ("b", "f")


def test_an_unknown_precision_is_refused_and_auto_is_known():
    split = expunge.split((IMAGES, LABELS), forget=NAMED, ids=list("abcdef"))
    with pytest.raises(ConfigError, match="precision must be one of auto"):
        expunge.unlearn(small_network(), split, precision="64-false")
    expunge.unlearn(small_network(), split, config={"epochs": 1}, precision="auto")
