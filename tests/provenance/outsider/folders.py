"""Folders."""

import shutil
from pathlib import Path

from tests.provenance.outsider.tools import LEAF, entry, outside, parts, remove, swap


def stage_links_outside(study: Path) -> None:
    """A stage's folder was moved out of the results and a link put in its place."""
    path = study / "linear_probe"
    target = outside(study) / path.name
    path.rename(target)
    path.symlink_to(target)


def run_folder_links_to_other(study: Path) -> None:
    """The folder of one training is a link to the folder of another."""
    one, other = (path for path in sorted((study / "pretrain").iterdir()) if path.is_dir())
    shutil.rmtree(other)
    other.symlink_to(one.name)


def swap_run_folders(study: Path) -> None:
    """The folders with the weights of two trainings change places; manifests and records stay."""
    swap(*(path for path in sorted((study / "pretrain").iterdir()) if path.is_dir()))


def rename_stage(study: Path) -> None:
    """A stage's folder has a capital now."""
    (study / "summary").rename(study / "Summary")


def delete_stage(study: Path) -> None:
    """A whole stage is deleted."""
    shutil.rmtree(study / "recaption")


def stage_is_file(study: Path) -> None:
    """A file stands in the place of a stage's folder."""
    remove(study / "report")
    (study / "report").write_bytes(b"")


def empty_study(study: Path) -> None:
    """Everything in the study is deleted; the folder stays."""
    for path in study.iterdir():
        remove(path)


def delete_leaf_and_cache(study: Path) -> None:
    """The artifact that nothing is made from is deleted without a trace, and so is its cache entry."""
    shutil.rmtree(entry(study))
    for path in parts(study, LEAF):
        remove(path)


def leaf_in_subfolder(study: Path) -> None:
    """All files of an artifact lie one folder deeper."""
    folder = study / "report" / "old"
    folder.mkdir()
    for path in parts(study, LEAF):
        path.rename(folder / path.name)
