"""A removal is complete however often it is called, wherever it was killed, and whichever record is missing."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acquisition.fault_server import serving
from tests.removal.test_removal import IMAGES, holders, make, url
from workflow_scripts.acquisition.annotations.removal_tokens import id_token
from workflow_scripts.commands.remove import remove
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.copies import NetworkRecord, record_copy, record_network
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.export.folder import CARD, REMOVED, removed_section, replace_folder
from workflow_scripts.export.hubconf import WEIGHTS
from workflow_scripts.removal.shown import note_of, read_known

KEY_FILE = "sheet,image,caption,key,arm,text\ns,i1,a,{},original,0\n"


def card_of(exported: Path) -> list[str]:
    """Keys of the removed images that a card lists."""
    return sorted(json.loads((exported / REMOVED).read_bytes())) if (exported / REMOVED).exists() else []


def write_export(exported: Path) -> None:
    """An exported network, as far as removals look at it."""

    def write(part: Path) -> None:
        (part / WEIGHTS).write_bytes(b"weights")
        (part / CARD).write_text(f"# A\n\n{removed_section({})}\n")

    replace_folder(exported, write)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A copy of a folder with a study, a sheet, a page and a network, made before p2 was removed by its URL; and the
    folder, whose path the records have."""
    top, copy = tmp_path_factory.mktemp("top") / "top", tmp_path_factory.mktemp("saved") / "top"
    study = top / "results/study"
    study.mkdir(parents=True)
    (study / "labels").mkdir()
    (study / "labels/sheet.html").write_text("pictures")
    (study / "labels/sheet.html.key.csv").write_text(KEY_FILE.format("p2"))
    (study / "labels/other.html.key.csv").write_text(KEY_FILE.format("a1"))
    record_copy(study, top / "paper/é.html", ["p2", "a1"])
    (top / "paper").mkdir()
    (top / "paper/é.html").write_text("pictures")
    write_export(top / "exported")
    record_network(study, NetworkRecord(top / "exported", hashlib.sha256(b"weights").hexdigest(), ["a1", "p2"]))
    with serving({f"/{name}.jpg": IMAGES[name] for name in IMAGES}) as site:
        make(top / "results", [], site.address)
        make(top / "results", [url("p2")], site.address)
    log = study / "logs/download/00001.log"
    log.parent.mkdir(parents=True)
    log.write_text(f"asking for {url('p2')}")
    top.rename(copy)
    yield copy, top


@pytest.fixture(autouse=True)
def cleared(saved: tuple[Path, Path]) -> Iterator[None]:
    """What a test that failed left does not fail the others."""
    yield
    shutil.rmtree(saved[1], ignore_errors=True)


@pytest.fixture
def top(saved: tuple[Path, Path]) -> Iterator[Path]:
    """The folder before the first removal."""
    shutil.copytree(*saved)
    yield saved[1]


def check_complete(top: Path) -> None:
    """Nothing shows p2 but what a person has to delete, all of which is named."""
    text, all_removed = remove(top / "results/study")
    assert not all_removed
    assert f"  {top}/results/study/labels/sheet.html\n" in text
    assert f"  {top}/paper/\\xe9.html (" in text
    assert "other.html" not in text and "can't be updated" not in text
    assert card_of(top / "exported") == ["p2"]
    assert not list(top.glob(".exported.*.old"))


def killed_at(moment: int, study: Path) -> bool:
    """Whether a removal was killed at this change of a folder, rather than ended before it."""
    steps = 0

    def until_killed(function: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **options: Any) -> Any:
            nonlocal steps
            if steps >= moment:
                raise KeyboardInterrupt
            steps += 1
            return function(*args, **options)

        return step

    with pytest.MonkeyPatch.context() as patched:
        for name in ("unlink", "rename", "replace", "rmdir"):
            patched.setattr(os, name, until_killed(getattr(os, name)))
        try:
            remove(study)
        except KeyboardInterrupt:
            return True
    return False


def test_a_removal_killed_at_any_step_is_completed_by_the_next_call(saved: tuple[Path, Path]) -> None:
    kept, top = saved
    moment, killed = 0, True
    while killed:
        shutil.copytree(kept, top)
        killed = killed_at(moment, top / "results/study")
        check_complete(top)
        for needle in (IMAGES["p2"], b"a picture of p2", url("p2").encode()):
            assert holders(top / "results", needle) == set(), moment
        check_complete(top)
        shutil.rmtree(top)
        moment += 1
    assert moment > 30, "changes of folders"


def test_deleting_the_records_does_not_hide_copies_of_removed_rows(top: Path) -> None:
    check_complete(top)
    shutil.rmtree(top / "results/study/copies")
    (top / "results/study/labels/sheet.html.key.csv").unlink()
    text, all_removed = remove(top / "results/study")
    assert not all_removed
    assert f"  {top}/paper/\\xe9.html (its key or record is missing: " in text
    assert f"  {top}/results/study/labels/sheet.html (its key or record is missing: " in text
    assert "can't be updated" not in text, "the card lists it already"
    for path in (top / "paper/é.html", top / "results/study/labels/sheet.html"):
        path.unlink()
    assert remove(top / "results/study")[1]


def test_a_network_whose_record_is_lost_before_its_card_was_marked_is_named(top: Path) -> None:
    check_complete(top)
    shutil.rmtree(top / "exported")
    write_export(top / "exported")
    shutil.rmtree(top / "results/study/copies")
    text, _ = remove(top / "results/study")
    assert f"  {top}/exported: 1 removed images are not in its card" in text


def test_rows_that_returned_to_the_study_are_not_compared(top: Path) -> None:
    study = top / "results/study"
    check_complete(top)
    with serving({}) as site:
        make(top / "results", [url("a3")], site.address)
    text, all_removed = remove(study)
    assert all_removed and "sheet.html" not in text and "xe9" not in text


def test_rows_that_are_gone_from_source_and_list_are_still_compared(top: Path) -> None:
    check_complete(top)
    names = read_known(top / "results", "study").ids
    assert id_token("p2") in names and id_token("a1") not in names
    (top / "results/study/annotations/rows.exclude.json").unlink()
    text, all_removed = remove(top / "results/study")
    assert "0 entries on the removal list" in text and not all_removed
    assert "labels/sheet.html\n" in text and "xe9.html (record" in text


def test_a_damaged_note_is_named(top: Path) -> None:
    check_complete(top)
    note = note_of(top / "results", "study")
    note.write_text(note.read_text().replace("sheets", "sheep"))
    with pytest.raises(PipelineError, match=r"damaged note in .*\.removed/study\.json"):
        remove(top / "results/study")


def test_a_page_that_was_written_again_without_the_image_is_not_named(top: Path) -> None:
    check_complete(top)
    shutil.rmtree(top / "results/study/copies")
    record_copy(top / "results/study", top / "paper/é.html", ["a1"])
    (top / "results/study/labels/sheet.html.key.csv").write_text(KEY_FILE.format("a1"))
    assert remove(top / "results/study")[1]


def test_logs_with_a_removed_id_are_deleted_without_the_annotations(top: Path) -> None:
    logs = top / "results/study/logs/download"
    with serving({}) as site:
        make(top / "results", ["pics1"], site.address)
    (top / "results/study/annotations/rows.exclude.json").write_bytes(pretty([id_token("pics1")]))
    for name, text in (("00000.log", "pics1: failed"), ("00001.log", "pics1-2: failed")):
        (logs / name).write_text(text)
    remove(top / "results/study")
    assert [path.name for path in logs.iterdir()] == ["00001.log"]
