"""The generated files are up to date, and an outdated one is noticed."""

from pathlib import Path

import pytest

from workflow_scripts.study.reference import __main__ as reference


def test_files_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert reference.main(["--check"]) == 0, capsys.readouterr().err


def test_outdated_generated_files_are_reported_and_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reference, "OUT", tmp_path)
    assert reference.main([]) == 0
    schema = tmp_path / "docs/config.schema.json"
    schema.write_text(schema.read_text().replace("maximum", "most"))
    assert reference.main(["--check"]) == 1
    assert capsys.readouterr().err == ("error: docs/config.schema.json is out of date; run: make docs\n")
    assert "most" in schema.read_text()
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
