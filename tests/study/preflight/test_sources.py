"""Sources that can't be used or can change are named before anything runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acquisition.own_images import coco, pictures
from tests.study.config.hub import OLD
from tests.study.preflight.jobs import Found, job, source

JOBS = [source("annotations"), job("annotations", "rows", ("annotations",))]


def own(**changed: Any) -> dict[str, Any]:
    """The part of a config that names the folder ``own``."""
    return {"annotations": {"source": "own", "years": None, **changed}}


def test_valid_annotation_sources_pass_the_check(look: Callable[..., Found], tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["im/a.jpg"])
    (folder / "im/a.txt").write_text("a cat")
    assert look(JOBS, own()) == {}
    (folder / "t.csv").write_text("image,caption\na.jpg,a cat\n")
    assert look(JOBS, own(images="im")) == {}
    (folder / "t.csv").unlink()
    coco(folder / "c.json", [{"id": 1, "file_name": "im/a.jpg"}], [{"id": 1, "image_id": 1, "caption": "a cat"}])
    assert look(JOBS, own()) == {}


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        (None, {}, "no usable rows in source annotations in own: 1 of 1 rows are counted as empty_caption, the"),
        (
            "picture,caption\na,b\n",
            {},
            "no column image or url in own/t.csv: the columns are picture, caption; name the ",
        ),
        (
            "image,words\na,b\n",
            {},
            "no column caption in own/t.csv: the columns are image, words; name the column in ann",
        ),
        (
            "image,caption\nim/a.jpg,x\n",
            {"table": "u.csv"},
            "missing table in own: no u.csv; correct annotations.table",
        ),
        (
            "image,caption\na.jpg,x\na.jpg,y\n",
            {},
            "no usable rows in source annotations in own/t.csv: 2 of 2 rows are counted as no_image, the "
            "first of them with a.jpg; set annotations.images",
        ),
        (
            "image,caption\nim/a.jpg,x\n",
            {"years": [2020]},
            "no usable rows in source annotations in own/t.csv: 1 of 1 rows",
        ),
        ("image,caption\n", {"images": "empty"}, "no rows in source annotations in own/t.csv: empty; add rows"),
    ],
)
def test_unusable_annotation_sources_are_reported_with_advice(
    look: Callable[..., Found], tmp_path: Path, table: str | None, change: dict[str, Any], message: str
) -> None:
    folder = pictures(tmp_path / "own", ["im/a.jpg"])
    if table is not None:
        (folder / "t.csv").write_text(table)
    ((found, certain),) = look(JOBS, own(**change)).items()
    assert found.startswith(message) and certain


def test_a_table_has_no_images_beside_it(look: Callable[..., Found], tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg"])
    (folder / "t.csv").write_text("image,caption\na.jpg,x\n")
    ((found, certain),) = look(JOBS, own(source="own/t.csv")).items()
    assert certain and found.endswith(
        "put this table and the images into one folder, and give that folder as the source"
    )


def test_bad_rows_at_the_start_of_many_are_a_warning(look: Callable[..., Found], tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg"])
    (folder / "t.csv").write_text("image,caption\n" + "gone.jpg,x\n" * 300 + "a.jpg,x\n")
    ((found, certain),) = look(JOBS, own()).items()
    assert "unusable rows in source annotations in own/t.csv: 300 of 301 rows are counted as no_image" in found
    assert not certain
    assert look([job("data_card", "data_card")], own()) == {}
    (folder / "t.csv").write_text("image,caption\n" + "gone.jpg,x\n" * 300)
    ((found, certain),) = look(JOBS, own()).items()
    assert "300 of 300 rows are counted as no_image" in found and certain


def test_some_rows_without_a_photo_are_a_warning(look: Callable[..., Found], tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg", "b.jpg"])
    (folder / "t.csv").write_text("image,caption\na.jpg,x\ngone.jpg,y\nb.jpg,z\na.jpg,again\n")
    ((found, certain),) = look(JOBS, own()).items()
    assert not certain and found == (
        "unusable rows in source annotations in own/t.csv: 1 of 4 rows are counted as no_image, the first of them with "
        "gone.jpg; correct them, or go on without these rows"
    )


def test_rows_that_the_study_leaves_out_are_no_fault(look: Callable[..., Found], tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg", "b.jpg"])
    (folder / "t.csv").write_text("image,caption,created_utc\na.jpg,x,1577900000\nb.jpg,y,1400000000\n")
    assert look(JOBS, own(years=[2020])) == {}
    with (folder / "t.csv").open("a") as table:
        table.write("b.jpg,y,1400000000\ngone.jpg,z,1577900000\n")
    assert "1 of 4 rows are counted as no_image" in next(iter(look(JOBS, own(years=[2020]))))


def test_the_example_row_shows_the_most_frequent_reason(look: Callable[..., Found], tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg"])
    (folder / "t.csv").write_text("image,caption\n../b.jpg,x\ngone.jpg,x\ngone.jpg,y\na.jpg,\n")
    ((found, _),) = look(JOBS, own()).items()
    assert "2 of 4 rows are counted as no_image, the first of them with gone.jpg" in found


def test_repeated_captions_do_not_hide_a_wrong_image_folder(look: Callable[..., Found], tmp_path: Path) -> None:
    folder = pictures(tmp_path / "own", ["im/a.jpg"])
    captions: list[object] = [{"id": number, "image_id": 1, "caption": "a cat"} for number in range(3)]
    coco(folder / "c.json", [{"id": 1, "file_name": "a.jpg"}], captions)
    ((found, certain),) = look(JOBS, own(images="")).items()
    assert "rows are counted as no_image, the first of them with a.jpg; set annotations.images" in found and certain
    assert look(JOBS, own(images="im")) == {}


OTHER = "captions of other images in short.csv: no key is the id of an image: the file has"
OTHER_PATHS = (
    "captions of other images in short.csv: no path is that of an image: the file has x/a.jpg; write the paths"
)
GIVE_KEYS = "give this file a column key with those ids"
GIVE_PATHS = "give this file a column image with paths as they are in the source folder"
SECOND = {
    "arms": [{"name": "short", "kind": "external", "table": "short.csv"}],
    "pairs": [{"name": "revised", "arm": "short", "encoder": "minilm"}],
    "runs": [{"method": "simclr", "pairs": "revised"}],
}


@pytest.mark.parametrize(
    ("columns", "content", "message", "sure"),
    [
        ("image", "name,caption\na.jpg,x\n", "unreadable caption file in short.csv: no columns named key; the", True),
        ("image", "key,caption\na.jpg,x\n", f"{OTHER} a.jpg, the source has no ids; {GIVE_PATHS}", True),
        ("image,id", "image,caption\na.jpg,x\n", f"{OTHER} a.jpg, those of the source are like id0; {GIVE_KEYS}", True),
        ("image,id", "key,caption\na.jpg,x\n", f"{OTHER} a.jpg, those of the source are like id0; {GIVE_KEYS}", True),
        ("image", "image,caption\nx/a.jpg,x\n", OTHER_PATHS, True),
        (
            "image",
            "image,caption\na.jpg,x\n",
            "missing captions in short.csv: 1 of 2 images have none, such as b.jpg;",
            True,
        ),
        ("image", "image,caption\na.jpg,x\nb.jpg,y\n", "", True),
        ("image,id", "key,caption\nid0,x\nid1,y\n", "", True),
    ],
)
def test_captions_of_an_arm_must_belong_to_the_images(
    look: Callable[..., Found], tmp_path: Path, columns: str, content: str, message: str, sure: bool
) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg", "b.jpg"])
    rows = ("a.jpg,id0", "b.jpg,id1") if "id" in columns else ("a.jpg", "b.jpg")
    (folder / "t.csv").write_text("\n".join([f"{columns},caption", *(f"{row},z" for row in rows)]))
    (tmp_path / "short.csv").write_text(content)
    found = look([source("captions-short")], {**own(), **SECOND})
    assert all(text.startswith(message) for text in found) and [*found.values()] == [sure] * bool(message)


def test_captions_that_may_be_missing_are_told_with_what_they_do_to_runs(
    look: Callable[..., Found], tmp_path: Path
) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg", "b.jpg"])
    (folder / "t.csv").write_text("image,caption\na.jpg,z\nb.jpg,z\n")
    (tmp_path / "short.csv").write_text("image,caption\na.jpg,x\n")
    arm = {"name": "short", "kind": "external", "table": "short.csv", "max_missing_share": 0.5}
    change = {**own(), **SECOND, "arms": [arm]}
    ((told, certain),) = look([source("captions-short")], change).items()
    assert (
        not certain and "1 of 2 images have none, such as b.jpg; 50.00% are allowed; complete it, or set common" in told
    )
    ((told, certain),) = look([source("captions-short")], {**change, "common_images": True}).items()
    assert not certain and told.endswith("since common_images is true, no run takes them as sources of pairs")


@pytest.mark.parametrize(("batch", "certain"), [(2, []), (3, [True])])
def test_batches_of_more_images_than_there_are_are_an_error(
    look: Callable[..., Found], tmp_path: Path, batch: int, certain: list[bool]
) -> None:
    folder = pictures(tmp_path / "own", ["a.jpg", "b.jpg"])
    (folder / "t.csv").write_text("image,caption\na.jpg,z\nb.jpg,z\n")
    runs = {"pretraining": {"batch_size": batch}}
    run = "simclr-revised-crop-resnet_small-s0"
    found = look([job("annotations", "rows"), job("pretrain", run, run=run)], {**own(), **runs})
    value = f"too few images in settings of run {run}: batch_size is 3, but there are at most 2 images; lower"
    assert all(text.startswith(value) for text in found) and [*found.values()] == certain


CHANGE = {"recaption": {"captioner": "hub:a/caption@main", "matcher": f"hub:a/match@{OLD}"}}
FILE = Path("mine.lock.yaml")


def test_a_model_without_a_commit_is_a_warning(look: Callable[..., Found]) -> None:
    expected = (
        "missing lock in mine.lock.yaml: hub:a/caption@main (captioner) can change; to record their commits, run "
        "faithful-pairs lock with the same config files"
    )
    assert look([source("captioner"), source("matcher")], CHANGE, lock_file=FILE) == {expected: False}
    reader = job("recaption", "00000", ("captioner", "matcher"), shard="00000")
    assert look([reader], CHANGE, lock_file=FILE) == {expected: False}
    assert look([source("matcher")], CHANGE, lock_file=FILE) == {}, "no job reads the captioner"
    loose = {"recaption": {"captioner": "hub:a/caption", "matcher": "hub:a/match@v1"}}
    (text,) = look([source("captioner"), source("matcher")], loose, lock_file=FILE)
    assert ": hub:a/caption (captioner), hub:a/match@v1 (matcher) can change; " in text
