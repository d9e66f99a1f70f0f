"""Folders of images: the layout, what is left out, metadata files, and errors that name files."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from expunge.data.facts import facts_of, resolve
from expunge.data.sources import load
from expunge.data.spec import DataSpec
from expunge.data.summary import summary
from expunge.errors import DataError


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "photos"


@pytest.fixture
def put(folder):
    """A function: writes different 4x4 images at these paths, `{}` standing for 0 to 4."""
    count = 0

    def write(*paths):
        nonlocal count
        for path in paths:
            for number in range(5) if "{}" in path else [0]:
                file = folder / path.format(number)
                file.parent.mkdir(parents=True, exist_ok=True)
                count += 1
                noise = np.random.default_rng(count).integers(0, 256, (4, 4, 3), np.uint8)
                Image.fromarray(noise).save(file, "PNG")

    return write


@pytest.fixture
def read(folder):
    """A function: the dataset in the folder."""
    return lambda **settings: load(DataSpec(source=str(folder), **settings))


def counts(dataset):
    """By part: how many samples each class has."""
    parts = {"train": dataset.train, "test": dataset.test, "validation": dataset.validation}
    return {
        role: {
            name: int((part.labels == at).sum())
            for at, name in enumerate(part.class_names)
            if (part.labels == at).any()
        }
        for role, part in parts.items()
        if part is not None
    }


def whole(dataset):
    """How many samples each class has in all parts together."""
    found = {}
    for part in counts(dataset).values():
        for name, count in part.items():
            found[name] = found.get(name, 0) + count
    return found


# The layout


def test_names_of_files_are_no_splits(put, read, folder):
    put("cat/test-{}.png", "cat/img-{}.png", "dog/train_{}.png", "dog/validation-{}.png")
    dataset = read()
    assert whole(dataset) == {"cat": 10, "dog": 10}
    assert dataset.held_out == ("test",)
    assert summary(facts_of(dataset))[0] == "photos: 20 images of 3x4x4, 2 classes, no split"


def test_a_flat_folder_with_labels_is_read_whole(put, read, folder):
    put("test-{}.png", "img-{}.png")
    rows = [
        f"{name}-{n}.png,{label}" for name, label in (("test", "a"), ("img", "b")) for n in range(5)
    ]
    (folder / "metadata.csv").write_text("\n".join(["file_name,label", *rows]))
    assert whole(read()) == {"a": 5, "b": 5}


def test_a_class_folder_may_be_a_link(put, read, folder, tmp_path):
    put("cat/{}.png", "../elsewhere/dogs/{}.png")
    (folder / "dog").symlink_to(tmp_path / "elsewhere" / "dogs")
    (folder / "cat" / "5.png").symlink_to(tmp_path / "elsewhere" / "dogs" / "0.png")
    assert whole(read()) == {"cat": 6, "dog": 5}


def test_a_change_behind_a_link_is_seen(put, folder, tmp_path, read):
    put("cat/{}.png", "../elsewhere/{}.png")
    (folder / "dog").symlink_to(tmp_path / "elsewhere")
    spec, cache = DataSpec(source=str(folder)), tmp_path / "cache"
    before = resolve(spec, cache)
    (tmp_path / "elsewhere" / "0.png").unlink()
    after = resolve(spec, cache)
    assert len(before.train.ids) + len(before.parts["test"].ids) == 10
    assert len(after.train.ids) + len(after.parts["test"].ids) == 9


def test_links_in_circles_and_to_nothing_are_named(put, read, folder):
    put("cat/{}.png", "dog/{}.png")
    (folder / "cat" / "up").symlink_to(folder)
    (folder / "dog" / "gone.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "dog" / "pipe.png")
    dataset = read()
    assert whole(dataset) == {"cat": 5, "dog": 5}
    assert any(
        "left out (3)" in n and "cat/up, dog/gone.png, dog/pipe.png" in n for n in dataset.notes
    )


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["train/{}.png", "test/{}.png"], {"train": 5, "test": 5}),
        (["train/{}.png", "car/{}.png"], {"train": 5, "car": 5}),
        (["train/old/{}.png", "car/{}.png", "bus/{}.png"], {"train": 5, "car": 5, "bus": 5}),
        (["test/{}.png", "car/old/{}.png"], {"test": 5, "car": 5}),
        (["test/a/{}.png", "val/a/{}.png", "car/{}.png"], {"test": 5, "val": 5, "car": 5}),
    ],
)
def test_classes_may_be_called_train_or_test(put, read, paths, expected):
    put(*paths)
    dataset = read()
    assert whole(dataset) == expected
    assert dataset.held_out == ("test",)
    assert any("read as a class" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("train", "test"),
    [("train", "test"), ("Train", "VAL"), ("training", "testing"), ("train", "validation")],
)
def test_folders_of_class_folders_are_splits(put, read, train, test):
    put(f"{train}/cat/{{}}.png", f"{train}/dog/{{}}.png", f"{test}/dog/{{}}.png")
    dataset = read()
    assert counts(dataset) == {"train": {"cat": 5, "dog": 5}, "test": {"dog": 5}}
    assert dataset.held_out == ()
    assert dataset.test.class_names == ("cat", "dog")
    assert "no split" not in summary(facts_of(dataset))[0]


def test_splits_that_are_not_used_are_named(put, read):
    put("train/{}/a.png", "test/{}/a.png", "val/{}/a.png", "extra/{}/a.png", "stray.png")
    dataset = read()
    assert sum(whole(dataset).values()) == 10
    said = " ".join(dataset.notes)
    assert "left out 5 images in the folder val: it is not the train or test split" in said
    assert "left out 5 images in the folder extra" in said
    assert "left out 1 image outside the splits: stray.png" in said
    dataset = read(validation_split="val", test_split="extra")
    assert sum(whole(dataset).values()) == 15
    assert "left out 5 images in the folder test" in " ".join(dataset.notes)


def test_a_test_folder_without_classes_is_left_out_and_named(put, read):
    put("train/cat/{}.png", "train/dog/{}.png", "test/{}.png")
    dataset = read()
    assert whole(dataset) == {"cat": 5, "dog": 5}
    assert "left out 5 images in the folder test: it has no class folders" in dataset.notes


def test_two_folders_for_one_split_are_refused(put, read):
    put("train/cat/{}.png", "Train/dog/{}.png")
    with pytest.raises(DataError, match="the folders Train and train are both called train"):
        read()


def test_splits_without_one_to_train_on_are_refused(put, read):
    put("val/cat/{}.png", "test/dog/{}.png")
    with pytest.raises(DataError, match="has no split 'train': pass train_split, one of"):
        read()


def test_a_folder_around_everything_does_not_count(put, read):
    put("archive/photos/cat/{}.png", "archive/photos/dog/{}.png")
    dataset = read()
    assert whole(dataset) == {"cat": 5, "dog": 5}
    assert "the images are in the folder archive/photos/" in dataset.notes


def test_stray_images_are_named(put, read):
    put("cat/{}.png", "dog/{}.png", "stray.png")
    dataset = read()
    assert whole(dataset) == {"cat": 5, "dog": 5}
    assert "left out 1 image outside the class folders: stray.png" in dataset.notes


def test_folders_in_class_folders_belong_to_the_class(put, read):
    put("cat/{}.png", "cat/old/{}.png", "cat/old/older/{}.png", "dog/{}.png")
    dataset = read()
    assert whole(dataset) == {"cat": 15, "dog": 5}
    assert "images in folders inside cat count as the class of the outer folder" in dataset.notes


def test_images_without_a_class_are_refused(put, read):
    put("{}.png")
    with pytest.raises(DataError, match=r"5 of 5 images are in no class folder, such as 0.png: ex"):
        read()


def test_a_single_class_is_refused_unless_more_are_named(put, read):
    put("cat/{}.png")
    with pytest.raises(DataError, match="all 5 samples are of one class, 'cat'"):
        read()
    assert read(class_names=("cat", "dog")).train.class_names == ("cat", "dog")


def test_numbers_of_folders_are_sorted_as_numbers(put, read):
    put(*(f"{number}/{{}}.png" for number in range(12)))
    assert read().train.class_names == tuple(map(str, range(12)))


# What is left out


def test_what_is_not_read_is_named(put, read, folder):
    put("cat/{}.PNG", "dog/{}.JPeG", "dog/.hidden.png", ".thumbs/{}.png", "cat/IMG_1.HEIC")
    (folder / "Thumbs.db").write_bytes(b"x")
    (folder / "cat" / "notes.txt").write_text("x")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "emu").mkdir()
    dataset = read()
    assert whole(dataset) == {"cat": 5, "dog": 5}
    assert dataset.notes == (
        "left out (1) pictures of kinds that are not read, convert them to JPEG or PNG: "
        "cat/IMG_1.HEIC",
        "left out (2) files that are not images: Thumbs.db, cat/notes.txt",
        "left out (3) hidden files and folders: .DS_Store, .thumbs, dog/.hidden.png",
        "left out (1) folders without images: emu",
    )
    assert load(DataSpec(source=str(folder))).notes == dataset.notes  # from the cache


def test_images_beside_parquet_files_are_refused(put, read, folder):
    put("cat/{}.png", "dog/{}.png")
    (folder / "data.parquet").write_bytes(b"x")
    with pytest.raises(DataError, match=r"holds 10 images \(.*\) and 1 parquet files \(data.parq"):
        read()


def test_a_folder_that_cannot_be_read_is_named(put, read, folder, monkeypatch):
    put("cat/{}.png", "dog/{}.png")
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"cannot read the folder .*photos/dog: Permission denied"):
        read()


def test_copies_of_images_are_counted(put, read, folder):
    put("train/cat/{}.png", "train/dog/{}.png", "test/cat/{}.png")
    assert not any("cop" in line for line in summary(facts_of(read())))
    for path in ("train/cat/a.png", "train/cat/b.png", "test/cat/a.png"):
        (folder / path).write_bytes((folder / "train/cat/0.png").read_bytes())
    dataset = read()
    assert len(set(dataset.train.ids)) == 12
    assert summary(facts_of(dataset))[-2:] == (
        "note: 2 training samples are copies of another one: forgetting one does not forget the "
        "other",
        "note: 1 test sample is a copy of a training sample",
    )


# Metadata


def write_csv(path, *rows):
    path.write_text("\n".join(rows) + "\n")


def test_ids_of_a_file_above_the_splits_and_labels_of_folders(put, read, folder):
    put("train/cat/{}.png", "train/dog/{}.png", "test/cat/{}.png", "test/dog/{}.png")
    names = [
        f"{s}/{c}/{n}.png" for s in ("train", "test") for c in ("cat", "dog") for n in range(5)
    ]
    rows = [f"{name},00{row}, customer {row} " for row, name in enumerate(names)]
    write_csv(folder / "metadata.csv", "file_name,name,customer", *rows)
    dataset = read(id_column="name")
    assert counts(dataset) == {"train": {"cat": 5, "dog": 5}, "test": {"cat": 5, "dog": 5}}
    assert dataset.train.ids == tuple(f"00{row}" for row in range(10))
    assert dataset.train.ids_from == "column 'name' of metadata.csv"
    assert "columns of metadata.csv that are not used: customer" in dataset.notes
    assert read(id_column="customer").train.ids[3] == "customer 3"
    assert read(id_column="file_name").train.ids == tuple(names[:10])
    plain = read()
    assert plain.train.fingerprint == load(DataSpec(source=str(folder))).train.fingerprint
    (folder / "metadata.csv").unlink()
    assert read().train.fingerprint == plain.train.fingerprint
    assert read(id_column="file_name").train.ids == tuple(names[:10])


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_file_inside_each_split(put, read, folder, kind):
    put("train/cat/{}.png", "train/dog/{}.png", "test/cat/{}.png", "test/dog/{}.png")
    for split, start in (("train", 7), ("test", 70)):
        rows = [
            {"file_name": f"{c}/{n}.png", "key": start + 5 * at + n}
            for at, c in enumerate(("cat", "dog"))
            for n in range(5)
        ]
        path = folder / split / f"metadata.{kind}"
        if kind == "csv":
            write_csv(path, "file_name,key", *(f"{r['file_name']},{r['key']}" for r in rows))
        elif kind == "jsonl":
            write_csv(path, *map(json.dumps, rows))
        else:
            import pyarrow
            from pyarrow import parquet

            parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    dataset = read(id_column="key")
    assert counts(dataset) == {"train": {"cat": 5, "dog": 5}, "test": {"cat": 5, "dog": 5}}
    assert dataset.train.ids == tuple(map(str, range(7, 17)))
    assert read(id_column="file_name").test.ids[0] == "cat/0.png"


def test_labels_of_the_file_come_before_those_of_folders(put, read, folder):
    put("cat/{}.png", "dog/{}.png")
    rows = [f"{c}/{n}.png,{'dog' if n == 0 else c}" for c in ("cat", "dog") for n in range(5)]
    write_csv(folder / "metadata.csv", "file_name,label", *rows)
    dataset = read()
    assert whole(dataset) == {"cat": 4, "dog": 6}
    assert any(
        note.startswith(
            "1 of 10 images have another label than the name of their folder: cat/0.png"
        )
        for note in dataset.notes
    )


def test_labels_are_text(put, read, folder):
    put("{}.png", "more{}.png")
    labels = ["1", "01", "NA", "null", "1e5"]
    rows = [f"{stem}{n}.png,{label}" for stem in ("", "more") for n, label in enumerate(labels)]
    write_csv(folder / "metadata.csv", "file_name,label", *rows)
    assert set(read(test_fraction=0.5).train.class_names) == set(labels)


def test_images_that_the_file_names_and_that_are_gone_are_named(put, read, folder):
    put("cat/{}.png", "dog/{}.png")
    rows = [f"{c}/{n}.png,{c}{n}" for c in ("cat", "dog") for n in range(7)]
    write_csv(folder / "metadata.csv", "file_name,name", *rows)
    dataset = read(id_column="name")
    assert whole(dataset) == {"cat": 5, "dog": 5}
    assert (
        "metadata.csv names 4 images that are not there: cat/5.png, cat/6.png, dog/5.png, dog/6.png"
        in dataset.notes
    )


def test_images_that_the_file_lacks_are_named(put, read, folder):
    put("cat/{}.png", "dog/{}.png")
    rows = [f"{c}/{n}.png,{c}{n},{c}" for c in ("cat", "dog") for n in range(4)]
    write_csv(folder / "metadata.csv", "file_name,name,label", *rows)
    lost = "2 images are not in metadata.csv and so have no {}: cat/4.png, dog/4.png"
    with pytest.raises(DataError, match=lost.format("label")):
        read()
    write_csv(folder / "metadata.csv", "file_name,name", *(r.rpartition(",")[0] for r in rows))
    with pytest.raises(DataError, match=lost.format("id")):
        read(id_column="name")
    assert "2 images are not in metadata.csv: cat/4.png, dog/4.png" in read().notes


def test_only_test_samples_may_lack_the_ids_that_are_asked_for(put, read, folder):
    put("train/cat/{}.png", "train/dog/{}.png", "test/cat/{}.png", "test/dog/{}.png")
    names = [f"{c}/{n}.png" for c in ("cat", "dog") for n in range(5)]
    write_csv(folder / "metadata.csv", "file_name,key", *(f"train/{n},{n}" for n in names))
    dataset = read(id_column="key")
    assert dataset.train.ids == tuple(names)
    assert any(
        note.startswith("10 images are not in metadata.csv: test/cat/0.png")
        for note in dataset.notes
    )
    for other in ("test", "img"):  # a path that is wrong everywhere is no reason to make up ids
        write_csv(folder / "metadata.csv", "file_name,key", *(f"{other}/{n},{n}" for n in names))
        with pytest.raises(
            DataError, match=r"10 images are not in metadata\.csv and so have no id"
        ):
            read(id_column="key")


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (
            ["name,label", "a,b"],
            {},
            "metadata.csv has no column 'file_name': .* it has name, label",
        ),
        (["file_name,name", "cat/0.png,x", "./cat/0.png,y"], {}, "row 1: the image cat/0.png is n"),
        (["file_name,name", ",x"], {}, "row 0: expected an image's path, got None"),
        (["file_name,name", "cat/0.png,x"], {"id_column": "nam"}, "unknown column 'nam'.*'name'"),
        (["file_name,name", "cat/0.png,x"], {"label_column": "kind"}, "unknown column 'kind'"),
        (["file_name,name,name", "cat/0.png,x,y"], {}, "columns are named twice: name"),
    ],
)
def test_files_that_do_not_fit_are_refused(put, read, folder, rows, settings, message):
    put("cat/{}.png", "dog/{}.png")
    write_csv(folder / "metadata.csv", *rows)
    with pytest.raises(DataError, match=message):
        read(**settings)


def test_an_empty_label_and_a_repeated_id_name_what_they_concern(put, read, folder):
    put("cat/{}.png", "dog/{}.png")
    names = [f"{c}/{n}.png" for c in ("cat", "dog") for n in range(5)]
    write_csv(
        folder / "metadata.csv", "file_name,label", *(f"{n},x" for n in names[1:]), f"{names[0]}, "
    )
    with pytest.raises(
        DataError, match=r"1 images have no label in the column 'label' .*: cat/0.png"
    ):
        read()
    write_csv(folder / "metadata.csv", "file_name,name", *(f"{n},same" for n in names))
    with pytest.raises(DataError, match="1 ids are given more than once: same"):
        read(id_column="name")


# Errors name the file


def save(path, mode="RGB", size=(4, 4), **options):
    Image.new(mode, size).save(path, **options)


def test_images_that_cannot_be_used_are_named(put, read, folder, monkeypatch):
    put("cat/{}.png", "dog/{}.png")
    bad = folder / "dog" / "bad.png"
    whole_file = (folder / "dog" / "0.png").read_bytes()
    for content, reason in (
        (whole_file[:60], "cannot be decoded"),
        (b"", "cannot be decoded"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n", "cannot be decoded"),
    ):
        bad.write_bytes(content)
        with pytest.raises(DataError, match=rf"photos/dog/bad.png: the image {reason}"):
            read()
    Image.new("I;16", (4, 4)).save(bad)
    with pytest.raises(DataError, match=r"photos/dog/bad.png: expected 8 bits per channel"):
        read()
    save(bad, size=(5, 3))
    with pytest.raises(DataError, match=r"dog/bad.png: the image is 3x5 but .*cat/0.png is 4x4: p"):
        read()
    save(bad, size=(40, 40))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)
    with pytest.raises(
        DataError, match=r"dog/bad.png: the image cannot be decoded .*exceeds limit"
    ):
        read()


def test_other_modes_are_read_and_what_they_lose_is_said(put, read, folder):
    put("cat/{}.png", "dog/{}.png")
    save(folder / "cat" / "cmyk.jpg", "CMYK")
    save(folder / "cat" / "palette.gif", "P")
    save(folder / "dog" / "opaque.png", "RGB")
    Image.new("RGBA", (4, 4), (1, 2, 3, 255)).save(folder / "dog" / "whole.png")
    Image.new("RGBA", (4, 4), (1, 2, 3, 9)).save(folder / "dog" / "glass.png")
    frames = [Image.new("L", (4, 4), shade) for shade in (10, 200)]
    frames[0].save(folder / "dog" / "moving.gif", save_all=True, append_images=frames[1:])
    dataset = read()
    assert whole(dataset) == {"cat": 7, "dog": 9}
    moving, glass = dataset.notes
    assert moving.startswith("1 image files hold several pictures")
    assert "moving.gif" in moving
    assert glass.startswith("1 image files are partly transparent")
    assert "glass.png" in glass


def test_decoded_images_that_the_disk_cannot_hold_are_refused(put, read):
    put("cat/{}.png", "dog/{}.png")
    with pytest.raises(
        DataError, match=r"the decoded images need \d+\.\d GB and .* left: set imag"
    ):
        read(image_size=10_000_000)


def test_an_image_of_a_hundred_million_pixels_is_read_without_a_warning(
    put, read, folder, monkeypatch, recwarn
):
    put("cat/{}.png", "dog/{}.png")
    save(folder / "dog" / "large.png", size=(40, 40))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert whole(read(image_size=4)) == {"cat": 5, "dog": 6}
    assert not recwarn.list


def test_a_class_whose_images_are_all_forgotten_and_deleted_leaves_the_rest(put, read, folder):
    from expunge.data.frozen import load_frozen

    put("train/cat/{}.png", "train/dog/{}.png", "test/cat/{}.png")
    spec = DataSpec(source=str(folder))
    facts = facts_of(load(spec))
    dogs = [name for name, label in zip(facts.train.ids, facts.train.labels, strict=True) if label]
    for file in (folder / "train" / "dog").iterdir():
        file.unlink()
    dataset = load_frozen(spec, facts, dogs, None)
    assert dataset.train.class_names == ("cat", "dog")
    assert len(dataset.train) == len(dataset.test) == 5


def test_a_split_on_its_own_can_be_named(put, read):
    put("train/cat/{}.png", "train/dog/{}.png")
    assert whole(read(train_split="train")) == whole(read()) == {"cat": 5, "dog": 5}
    with pytest.raises(DataError, match="unknown split 'test': expected one of train"):
        read(test_split="test")


def test_paths_in_the_file_may_be_those_of_windows(put, read, folder):
    put("cat/{}.png", "dog/{}.png")
    rows = [f".\\{c}\\{n}.png,{c}{n}" for c in ("cat", "dog") for n in range(5)]
    write_csv(folder / "metadata.csv", "file_name,name", *rows)
    dataset = read(id_column="name")
    assert {"cat0", "dog4"} <= {*dataset.train.ids, *dataset.test.ids}


def test_formats_that_are_not_listed_are_not_tried(put, read, folder):
    put("cat/{}.png", "dog/{}.png")
    Image.new("L", (4, 4)).save(folder / "dog" / "bad.png", "SGI")
    with pytest.raises(DataError, match=r"dog/bad.png: the image cannot be decoded \(cannot ident"):
        read()
