"""Records and notes are read within bounds, by every reader of results."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bad_files import refused
from workflow_scripts.core.artifact import manifest_hash
from workflow_scripts.core.digest import ROOT
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import (
    DEEPEST,
    LARGEST,
    Unfit,
    read_object,
    read_object_or_none,
    read_value,
)
from workflow_scripts.core.files.jsonio import read_json
from workflow_scripts.core.files.notes import read_note
from workflow_scripts.core.sources import read_listing


def pipe(path: Path) -> str:
    os.mkfifo(path)
    return "it is a FIFO"


def device(path: Path) -> str:
    path.symlink_to("/dev/zero")
    return "it is a device"


def large(path: Path) -> str:
    with open(path, "wb") as stream:
        stream.truncate(2 << 30)  # a sparse file
    return "bytes; at most"


def folder(path: Path) -> str:
    path.mkdir()
    return "it is a folder"


READERS = [read_object, read_value, manifest_hash, read_listing]


@pytest.mark.parametrize("make", [pipe, device, large, folder])
@pytest.mark.parametrize("read", READERS)
def test_irregular_or_large_files_are_refused(
    tmp_path: Path, make: Callable[[Path], str], read: Callable[[Path], object]
) -> None:
    path = tmp_path / "x.json"
    said = make(path)
    with pytest.raises(Unfit, match=said):
        read(path)
    assert read_object_or_none(path) is None
    for checked in (read_json, read_note):
        with pytest.raises(PipelineError, match=said):
            checked(path, "do something")


test_a_value_that_no_record_holds_is_refused = refused(
    read_value,
    Unfit,
    [
        ("{", "not JSON"),
        ('{"a": 1, "a": 2}', "repeated key"),
        ("[NaN]", "not JSON"),
        ("[1e999]", "not finite"),
        (r'["\ud800"]', "not Unicode"),
        (r'"\ud800"', "not Unicode"),
        ("[" * 100_000, "nested"),
        ("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "nested"),
    ],
)


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"{}")
    assert read_value(tmp_path / "x.json", 2) == {}
    with pytest.raises(Unfit, match="it has 2 bytes; at most 1 are allowed"):
        read_value(tmp_path / "x.json", 1)


def test_values_of_every_kind_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for text, value in [("7", 7), ('["a", null]', ["a", None]), ('{"b": 0.5}', {"b": 0.5})]:
        path.write_text(text)
        assert read_value(path) == value
    assert read_object(path) == read_object_or_none(path) == {"b": 0.5}
    path.write_text("[" * DEEPEST + "]" * DEEPEST)
    read_value(path)
    path.write_text("[]")
    with pytest.raises(Unfit, match="not a JSON object"):
        read_object(path)
    assert LARGEST < 1 << 30


# Each parses input that is bounded elsewhere: bytes already read, or a data file whose size and hash were verified.
OWN_PARSERS = {
    "core/files/bounded_json.py",
    "core/pinned_code.py",
    "core/shards.py",
    "audit/files.py",
    "provenance/verify.py",
}


def test_records_are_parsed_only_by_the_bounded_reader() -> None:
    package = ROOT / "workflow_scripts"
    layers = ("core", "study", "audit", "removal", "provenance", "commands")
    modules = {
        path.relative_to(package).as_posix(): path.read_text()
        for one in layers
        for path in (package / one).rglob("*.py")
    }
    assert {name for name, text in modules.items() if re.search(r"\bjson\.loads?\(", text)} == OWN_PARSERS
