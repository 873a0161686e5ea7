from pathlib import Path

import pytest

from tests.evaluation.pictures import picture
from tests.file_bytes import write_tar
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.folder_sets import FolderSet

NAMES = ["cat/1.png", "cat/2.png", "dog/1.png"]


def as_folder(root: Path, split: str) -> None:
    for i, name in enumerate(NAMES):
        path = root / split / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(i))


def test_archives_and_folders_give_the_same_images(tmp_path: Path) -> None:
    for split in ("train", "test"):
        as_folder(tmp_path / "folders", split)
    (tmp_path / "archives").mkdir()
    for split in ("train", "test"):
        write_tar(tmp_path / "archives" / f"{split}.tar.gz", {n: picture(i) for i, n in enumerate(NAMES)}, "w:gz")
    folders, archives = FolderSet(tmp_path / "folders"), FolderSet(tmp_path / "archives")
    assert folders.listing() == archives.listing()
    assert [one.name for one in archives.listing().entries] == [f"{s}/{n}" for s in ("train", "test") for n in NAMES]
    wanted = frozenset({"test/dog/1.png", "train/cat/2.png"})
    assert list(folders.read(wanted)) == list(archives.read(wanted))
    assert [(one.name, one.image) for one in archives.read(wanted)] == [
        ("train/cat/2.png", picture(1)),
        ("test/dog/1.png", picture(2)),
    ]


def test_unsafe_names_and_other_files_are_counted_and_left_out(tmp_path: Path) -> None:
    odd = {"../../evil/x.png": b"", "cat/readme.txt": b"", "x.png": b"", "cat/1.png": picture(0)}
    write_tar(tmp_path / "train.tar", odd)
    write_tar(tmp_path / "test.tar", {"cat/1.png": picture(1)})
    listing = FolderSet(tmp_path).listing()
    assert listing.left_out == {"unsafe_name": 1, "not_an_image_name": 1, "not_class_and_name": 1}
    assert [one.name for one in listing.entries] == ["train/cat/1.png", "test/cat/1.png"]


def test_hidden_files_and_folders_of_archivers_are_no_classes_or_images(tmp_path: Path) -> None:
    hidden = (".ipynb_checkpoints/a.png", "__MACOSX/cat/a.png", "@eaDir/a.png", "cat/.hidden.png", "cat/._1.png")
    for root in (tmp_path / "train", tmp_path / "test"):
        for name in ("cat/1.png", *hidden):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(picture(0))
    write_tar(tmp_path / "val.tar", dict.fromkeys(("cat/1.png", *hidden), picture(0)))
    listing = FolderSet(tmp_path).listing()
    assert [entry.name for entry in listing.entries] == ["train/cat/1.png", "val/cat/1.png", "test/cat/1.png"]
    assert listing.left_out == {"hidden_file": 3 * len(hidden)}


def test_class_folders_without_splits_form_an_unsplit_set(tmp_path: Path) -> None:
    as_folder(tmp_path, ".")
    assert {one.split for one in FolderSet(tmp_path).listing().entries} == {"train"}


def test_unclear_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no such folder"):
        FolderSet(tmp_path / "gone")
    with pytest.raises(PipelineError, match="no images"):
        FolderSet(tmp_path).listing()
    as_folder(tmp_path, "train")
    with pytest.raises(PipelineError, match="split missing"):
        FolderSet(tmp_path)
    write_tar(tmp_path / "train.tar", {"a/1.png": b""})
    with pytest.raises(PipelineError, match="repeated split"):
        FolderSet(tmp_path)
