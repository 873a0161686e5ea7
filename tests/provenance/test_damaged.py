"""Commands that read manifests and run records end in an answer or in one line, whatever was done to a study."""

import errno
import subprocess
from pathlib import Path

import pytest

from tests.provenance.hand_made import whole_study
from tests.provenance.manipulations.everything import carry_out
from tests.provenance.manipulations.json_values import cycle, nested, not_a_number, not_utf8, wrong_type
from tests.provenance.manipulations.names import deleted, fifo, folder_in_place_of_a_file, link_that_leads_nowhere
from tests.provenance.manipulations.tools import Way
from tests.provenance.test_manipulations import clear
from workflow_scripts.commands.main import main
from workflow_scripts.provenance.crate import write

WAYS: list[Way] = [fifo, deleted, folder_in_place_of_a_file, link_that_leads_nowhere, nested, not_a_number]
WAYS += [not_utf8, wrong_type, cycle]
DRAWS = 2


@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_no_command_ends_in_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str], way: Way) -> None:
    whole = whole_study(tmp_path / "whole" / "results")
    for seed in range(DRAWS):
        folder = tmp_path / "damaged"
        clear(folder)
        subprocess.run(["cp", "-a", str(tmp_path / "whole"), str(folder)], check=True)
        study = folder / "results" / "study"
        carry_out(way, seed, study)
        page, table = study / "report" / "index.html", study / "summary" / "summary.parquet"
        calls = [
            ["why", str(page)],
            ["why", "--json", str(study / "report" / "index.manifest.json")],
            ["why", str(table), "dataset=pets"],
            ["diff", str(whole / "report" / "index.run.json"), str(study / "report" / "index.run.json")],
            ["cache-gc", str(study.parent), "--dry-run"],
            ["crate", str(study)],
            ["show", str(study)],
            ["accept", "summary", "--reason", "x", "--results", str(study.parent)],
        ]
        for words in calls:
            main(words)
            said = capsys.readouterr().err
            assert "Traceback" not in said and "bug in Faithful Pairs" not in said


def test_an_unwritable_study_is_a_single_line_error_of_crate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(study: Path, *_: object, **__: object) -> Path:
        raise PermissionError(errno.EACCES, "Permission denied", str(study / ".crate.part"))

    monkeypatch.setattr(write, "write_crate", refuse)
    assert main(["crate", "study"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: unreadable or unwritable file in study/.crate.part: Permission denied; ")
    assert said.count("\n") == 1
