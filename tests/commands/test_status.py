import json
import os
import time
from pathlib import Path

import pytest

from tests.study.status.test_survey import Study
from workflow_scripts.commands.main import main


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path / "results")


def test_exit_statuses_say_how_it_stands(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(study.folder)]) == 4
    assert "artifacts finished" in capsys.readouterr().out.splitlines()[0]
    study.log("annotations/rows", 0)
    os.utime(study.folder / "logs/annotations/rows.log", (time.time(),) * 2)
    assert main(["status", str(study.results)]) == 3
    assert "1 running" in capsys.readouterr().out.splitlines()[0]
    for stage, jobs in study.survey().jobs.items():
        for job in jobs:
            study.finish(f"{stage}/{job.name}", -time.time())
    assert main(["status", str(study.folder)]) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1].startswith(f"next: faithful-pairs show {study.folder}")
    assert "\x1b" not in printed and all(line == line.rstrip() for line in printed.splitlines())


def test_json_lists_every_job(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    study.log("annotations/rows", 0, "error: x in y: z; w")
    assert main(["status", "--json", str(study.folder)]) == 4
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["study"], told["planned_known"]) == (str(study.folder), True)
    (failed,) = [job for job in told["jobs"] if job["state"] == "failed"]
    assert (failed["stage"], failed["error"], failed["log"]) == (
        *("annotations", "x in y: z; w"),
        str(study.folder / "logs/annotations/rows.log"),
    )


def test_no_study_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == (
        f"error: no study in {tmp_path / 'none'}: no such folder; "
        "give a study's folder, such as results/demo, or a results folder\n"
    )
