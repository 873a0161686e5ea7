"""The note of a study's config and finished artifacts, and which studies a path names."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.files.notes import sealed
from workflow_scripts.study import active_config as today
from workflow_scripts.study.active_config import remember, studies_at


@pytest.mark.parametrize(("number", "said"), [(errno.ENOSPC, True), (errno.EIO, True), (errno.EROFS, False)])
def test_a_note_that_could_not_be_written_is_logged(
    number: int, said: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*args: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(today, "write_note", fails)
    today.remember(tmp_path, "study", [], {})
    assert (os.strerror(number) in caplog.text) == said


def test_the_config_that_a_study_was_given_is_remembered(results: Path) -> None:
    assert today.units_of(results, "tiny") is None
    today.remember(results, "tiny", ["config.yaml", "profiles/demo/study.yaml", "tests/config/tiny.yaml"], {})
    units = today.units_of(results, "tiny")
    assert units is not None and units.study.study == "tiny"
    changed = today.units_of(results, "tiny", ["profiles/demo/study.yaml"])
    assert changed is None  # that is another study
    today.remember(results, "tiny", ["config.yaml", "gone.yaml"], {})
    assert today.units_of(results, "tiny") is None
    for note in (b"[]", pretty({"configfiles": []}), pretty(sealed({"configfiles": 5})), b"\xff", b""):
        (results / ".configs" / "tiny.json").write_bytes(note)
        with pytest.raises(PipelineError, match="note"):
            today.units_of(results, "tiny")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A study with artifacts, one with logs only, one with a note only, and a folder that is no study."""
    folder = tmp_path / "results"
    for name in ("made/summary/a.manifest.json", "logged/logs/summary/a.log", ".cache/summary/key/x", "other/x/y.txt"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("")
    remember(folder, "noted", [], {})
    return folder


def names(path: Path) -> list[str]:
    return [study.name for study in studies_at(path)]


def test_a_results_folder_holds_all_its_studies(results: Path) -> None:
    assert names(results) == ["logged", "made", "noted"]
    (results / ".configs/noted.json").unlink()
    assert names(results) == ["logged", "made"]
    (results / ".configs").rmdir()
    assert names(results) == ["logged", "made"]


def test_a_folder_that_another_process_removes_meanwhile_is_passed_over(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (results / "made/gone").mkdir()
    scandir = os.scandir

    def removed(path: Any) -> Any:
        if (gone := results / "made/gone").is_dir() and str(path).endswith("gone"):
            gone.rmdir()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", removed)
    assert names(results) == ["logged", "made", "noted"] and not (results / "made/gone").exists()


@pytest.mark.parametrize("notes", [True, False])
def test_a_study_is_found_from_any_path_inside_it(results: Path, notes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not notes:
        (results / ".configs/noted.json").unlink()
        (results / ".configs").rmdir()
    for path in ("made", "made/summary", "made/summary/a.manifest.json"):
        assert studies_at(results / path) == [results / "made"]
        monkeypatch.chdir(results)
        assert studies_at(Path(path)) == [results / "made"]
    monkeypatch.chdir(results / "made")
    assert studies_at(Path()) == [results / "made"]
    assert names(results / "logged") == ["logged"]
    assert studies_at(results / "noted") == [results / "noted"] if notes else True


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("results/none", "no such file or folder"),
        ("results/made/none", "no such file or folder"),
        ("results/other", "no artifacts, logs or note of a config"),
        ("results/.cache/summary", "no artifacts, logs or note of a config"),
        ("empty", "no artifacts, logs or note of a config"),
    ],
)
def test_other_paths_are_refused(results: Path, path: str, value: str) -> None:
    (results.parent / "empty/.configs").mkdir(parents=True)
    with pytest.raises(PipelineError, match=f"^no study in {results.parent / path}: {value}; give a results folder"):
        studies_at(results.parent / path)
