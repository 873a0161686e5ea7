"""The generated files are up to date, and an outdated one is noticed."""

from pathlib import Path

import pytest

from workflow_scripts.study.reference import __main__ as reference


def test_files_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["--check"]) == 0, capsys.readouterr().err


def test_outdated_files_are_named_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    monkeypatch.setattr(reference, "OUT", tmp_path)
    assert reference.main([]) == 0
    page = tmp_path / "docs/config.md"
    page.write_text(page.read_text().replace("maximum", "most"))
    assert reference.main(["--check"]) == 1
    assert capsys.readouterr().err == ("error: docs/config.md is out of date; run: make docs\n")
    assert "most" in page.read_text()
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0


def test_stages_are_listed_by_the_shorter_list() -> None:
    every = sorted(reference.stage_names() - {"source", "download"})
    assert reference.stages_text([]) == "*nothing*"
    assert reference.stages_text(["pretrain", "summary"]) == "`pretrain`, `summary`"
    assert reference.stages_text(every) == "all but `download`, `source`"
