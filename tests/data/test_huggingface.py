import sys

import numpy as np
import pytest
from PIL import Image

from expunge.data.arrays import as_samples
from expunge.data.huggingface import find_columns
from expunge.data.inputs.images import ResidentImages
from expunge.data.roles import choose_splits
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.errors import ConfigError, DataError

datasets = pytest.importorskip("datasets")


@pytest.fixture
def pictures(noise):
    """Four 4x5 RGB pictures of classes cat and dog, in memory."""
    features = datasets.Features(
        {
            "picture": datasets.Image(),
            "label": datasets.ClassLabel(names=["cat", "dog"]),
            "key": datasets.Value("string"),
        }
    )
    content = {
        "picture": [Image.fromarray(array) for array in noise(4, (4, 5, 3))],
        "label": [1, 0, 1, 1],
        "key": ["a", "b", "c", "d"],
    }
    return datasets.Dataset.from_dict(content, features=features)


def features(**types):
    return type("HasFeatures", (), {"features": datasets.Features(types)})


IMAGE, LABEL, INT = datasets.Image(), datasets.ClassLabel(names=["a"]), datasets.Value("int64")


def test_a_split_is_taken_as_samples(pictures, noise):
    samples = as_samples(pictures, name="set")
    assert isinstance(samples.inputs, ResidentImages)
    np.testing.assert_array_equal(
        samples.inputs.tensor.numpy(), noise(4, (4, 5, 3)).transpose(0, 3, 1, 2)
    )
    assert samples.labels.tolist() == [1, 0, 1, 1]
    assert samples.class_names == ("cat", "dog")
    assert as_samples(pictures, ids=pictures["key"]).ids == ("a", "b", "c", "d")


def test_shuffled_and_formatted_splits_are_taken_as_they_are_seen(pictures):
    ids = as_samples(pictures).ids
    changed = pictures.select([2, 0]).with_format("numpy")
    samples = as_samples(changed)
    assert samples.ids == (ids[2], ids[0])
    assert samples.labels.tolist() == [1, 1]


def test_a_dictionary_of_splits_is_not_a_split(pictures):
    with pytest.raises(DataError, match="one split of a Hugging Face dataset, got DatasetDict"):
        as_samples(datasets.DatasetDict(train=pictures))


def test_an_empty_split_is_refused(pictures):
    with pytest.raises(DataError, match="data is empty"):
        as_samples(pictures.select([]))


@pytest.mark.parametrize(
    ("types", "spec", "found"),
    [
        ({"x": IMAGE, "kind": LABEL}, {}, ("x", "kind")),
        ({"img": IMAGE, "mask": IMAGE, "label": INT}, {}, ("img", "label")),
        ({"img": IMAGE, "coarse_label": LABEL, "fine_label": LABEL}, {}, ("img", "fine_label")),
        ({"pixel_values": INT, "target": INT}, {}, ("pixel_values", "target")),
        ({"a": IMAGE, "b": IMAGE, "label": LABEL, "c": INT},
         {"image_column": "b", "label_column": "c"}, ("b", "c")),
    ],
)  # fmt: skip
def test_columns_are_found_by_type_then_by_name(types, spec, found):
    columns = find_columns(features(**types), DataSpec(source="set", **spec), "set")
    assert (columns.image, columns.label) == found


@pytest.mark.parametrize(
    ("types", "spec", "message"),
    [
        ({"text": INT, "label": INT}, {},
         "which column holds the images: pass image_column, one of text, label"),
        ({"a": IMAGE, "b": IMAGE, "label": INT}, {}, "which column holds the images"),
        ({"img": IMAGE, "x": INT}, {},
         "which column holds the labels: pass label_column, one of img, x"),
        ({"img": IMAGE, "label": INT}, {"image_column": "im"},
         r"unknown column 'im': expected one of img, label \(did you mean 'img'"),
        ({"img": IMAGE, "label": INT}, {"label_column": "y"}, "unknown column 'y'"),
        ({"img": IMAGE, "label": INT}, {"id_column": "z"},
         "unknown column 'z': expected one of img, label"),
    ],
)  # fmt: skip
def test_columns_that_are_not_there_are_named(types, spec, message):
    with pytest.raises(DataError, match=message):
        find_columns(features(**types), DataSpec(source="set", **spec), "set")


@pytest.mark.parametrize(
    ("names", "spec", "roles"),
    [
        (["train"], {}, {"train": "train"}),
        (["all"], {}, {"train": "all"}),
        (["train", "test"], {}, {"train": "train", "test": "test"}),
        (["train", "validation"], {}, {"train": "train", "test": "validation"}),
        (["train", "val", "valid"], {}, {"train": "train", "test": "valid"}),
        (["train", "validation", "test"], {}, {"train": "train", "test": "test"}),
        (["train", "validation"], {"validation_split": "validation"},
         {"train": "train", "validation": "validation"}),
        (["train", "extra", "test"], {"train_split": "extra", "test_split": "train"},
         {"train": "extra", "test": "train"}),
    ],
)  # fmt: skip
def test_splits_are_found_by_their_usual_names(names, spec, roles):
    assert choose_splits(names, DataSpec(source="set", **spec)) == roles


def test_splits_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="unknown split 'tset': expected one of train, test"):
        choose_splits(["train", "test"], DataSpec(source="set", test_split="tset"))
    with pytest.raises(DataError, match="no split 'train': pass train_split, one of a, b"):
        choose_splits(["a", "b"], DataSpec(source="set"))
    with pytest.raises(ConfigError, match="must differ, got test 'train', train 'train'"):
        choose_splits(["train"], DataSpec(source="set", test_split="train"))


def test_a_column_of_something_else_is_refused():
    rows = datasets.Dataset.from_dict({"image": [1, 2], "label": [0, 1]})
    with pytest.raises(DataError, match=r"column 'image' holds Value.*, not encoded images"):
        as_samples(rows)


@pytest.fixture
def hub(monkeypatch, pictures):
    """The hub answers, and has one dataset, `owner/pictures`."""
    import huggingface_hub

    def load_dataset(name, config=None):
        assert datasets.are_progress_bars_disabled()
        if config == "other":
            raise ValueError("Config name is\nmissing")
        if name != "owner/pictures":
            raise datasets.exceptions.DatasetNotFoundError(f"Dataset {name!r} doesn't exist")
        return datasets.DatasetDict(train=pictures, test=pictures.select([0, 1]))

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: None)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)


@pytest.mark.usefixtures("hub")
def test_a_dataset_of_the_hub_is_decoded_once(cache, monkeypatch):
    spec = DataSpec(source="owner/pictures", id_column="key")
    first = load(spec)
    assert first.train.name == "owner/pictures"
    assert first.train.ids == ("a", "b", "c", "d")
    assert len(first.test) == 2
    monkeypatch.setattr("expunge.data.huggingface.decode_splits", None)
    assert load(spec).train.fingerprint == first.train.fingerprint
    assert len(list(cache.iterdir())) == 1


@pytest.mark.usefixtures("hub")
def test_what_the_hub_says_is_passed_on_in_one_line():
    with pytest.raises(DataError, match=r"unknown dataset 'owner/pictuers': .*doesn't exist$"):
        load(DataSpec(source="owner/pictuers"))
    with pytest.raises(DataError, match="cannot load 'owner/pictures' from the hub: Config name "):
        load(DataSpec(source="owner/pictures", config="other"))


def test_without_a_network_an_unknown_id_fails_at_once(monkeypatch):
    import huggingface_hub

    def unreachable(*_, **__):
        raise OSError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", unreachable)
    before = datasets.config.HF_HUB_OFFLINE
    with pytest.raises(DataError, match="unknown dataset 'nobody/nothing': expected digits, "):
        load(DataSpec(source="nobody/nothing"))
    assert before == datasets.config.HF_HUB_OFFLINE
    assert not datasets.are_progress_bars_disabled()


def test_an_answer_of_the_hub_is_not_taken_for_no_network(monkeypatch):
    import huggingface_hub

    class RefusedError(Exception):
        response = "404"

    def refuse(*_, **__):
        raise RefusedError

    def load_dataset(*_):
        assert not datasets.config.HF_HUB_OFFLINE
        raise RuntimeError("word " * 200)

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", refuse)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(DataError) as caught:
        load(DataSpec(source="owner/pictures"))
    assert len(str(caught.value)) < 400


def test_progress_bars_stay_off_where_they_were(monkeypatch, image_folder):
    datasets.disable_progress_bars()
    try:
        load(DataSpec(source=str(image_folder)))
        assert datasets.are_progress_bars_disabled()
    finally:
        datasets.enable_progress_bars()


def test_a_missing_library_is_named_with_its_extra(monkeypatch, write_parquet, noise, image_folder):
    folder = write_parquet({"train": (noise(2, (4, 4)), [0, 1])})
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r'pip install "expunge\[hub\]"'):
        load(DataSpec(source=str(folder)))
    # Images in folders and arrays need no library.
    assert load(DataSpec(source=str(image_folder))).train.num_classes == 2
    assert len(as_samples((np.zeros((1, 2, 2), np.uint8), [0]))) == 1
