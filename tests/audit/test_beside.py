"""Label sheets, ratings and records of copies: damage is found, and what people put there is not."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.audit.audited import audited
from tests.provenance.chain import Chain
from workflow_scripts.core.files.copies import NetworkRecord, record_copy, record_network

KEY = b"sheet,image,caption,key,arm,text\nab12,i1,a,k1,original,0f\nab12,i1,b,k1,revised,1f\n"
RATINGS = b"sheet,rater,image,caption,faithful,specific,preferred\nab12,R,i1,a,3,2,1\nab12,R,i1,b,,,\n"


@pytest.fixture
def study(chain: Chain) -> Path:
    """A finished study with a rated sheet, and records of an exported page and an exported network."""
    labels = chain.study / "labels"
    labels.mkdir()
    for name, data in (("sheet.html", b"<html>"), ("sheet.html.key.csv", KEY), ("R.csv", RATINGS), ("notes.txt", b"x")):
        (labels / name).write_bytes(data)
    record_copy(chain.study, Path("page.html"), ["k2", "k1"])
    record_network(chain.study, NetworkRecord(Path("export"), "0" * 64, ["k1", "k2"]))
    assert faults(chain.study) == []
    return chain.study


def faults(study: Path, quick: bool = False) -> list[tuple[str, str]]:
    return [(fault.kind, fault.path.name) for fault in audited(study, quick=quick).faults]


def replace(old: bytes, new: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(path.read_bytes().replace(old, new))


DAMAGE: dict[str, tuple[str, Callable[[Path], object]]] = {
    "key in a record": ("copies/*.csv", replace(b"k1", b"k9")),
    "row of a record": ("copies/*.csv", lambda path: path.write_bytes(path.read_bytes().rsplit(b"\n", 2)[0] + b"\n")),
    "empty record": ("copies/*.csv", lambda path: path.write_bytes(b"")),
    "record that is not text": ("copies/*.csv", lambda path: path.write_bytes(b"\xff\xfe")),
    "empty record of a network": ("copies/*.parquet", lambda path: path.write_bytes(b"")),
    "cut record of a network": ("copies/*.parquet", lambda path: path.write_bytes(path.read_bytes()[:-9])),
    "cut key": ("labels/*.key.csv", lambda path: path.write_bytes(KEY[:-20])),
    "rating off the scale": ("labels/R.csv", replace(b"3,2,1", b"8,2,1")),
    "rating of no caption": ("labels/R.csv", replace(b"i1,a", b"i7,a")),
    "no column": ("labels/R.csv", replace(b"specific", b"specifid")),
    "ratings that are not text": ("labels/R.csv", lambda path: path.write_bytes(b"\xff\xfe\x00")),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_a_fault(study: Path, name: str) -> None:
    pattern, change = DAMAGE[name]
    (path,) = study.glob(pattern)
    change(path)
    assert faults(study) == [("damaged-note", path.name)]
    assert faults(study, quick=True) == [], "it compares no contents"


def test_a_sheet_without_its_key_is_a_fault(study: Path) -> None:
    (study / "labels" / "sheet.html.key.csv").unlink()
    assert faults(study) == [("damaged-note", "R.csv")]


def test_a_renamed_record_is_a_fault(study: Path) -> None:
    (path,) = study.glob("copies/*.csv")
    path.rename(path.with_name(f"{path.name}.bak"))
    assert faults(study) == faults(study, quick=True) == [("unnamed", f"{path.name}.bak")]


@pytest.mark.parametrize("folder", ["labels", "copies"])
def test_links_and_pipes_are_faults_and_block_nothing(study: Path, folder: str) -> None:
    os.mkfifo(study / folder / "x.csv")
    (study / folder / "y.csv").symlink_to("/dev/null")
    assert sorted(faults(study)) == [("link", "y.csv"), ("unreadable", "x.csv")]


@pytest.mark.parametrize("folder", ["labels", "copies"])
def test_a_file_instead_of_a_folder_is_a_fault(study: Path, folder: str) -> None:
    shutil.rmtree(study / folder)
    (study / folder).write_bytes(b"x")
    assert faults(study) == [("unnamed", folder)]
