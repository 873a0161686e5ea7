import json
import os
import time
from pathlib import Path

import pytest

from tests.study.status.test_survey import Study
from workflow_scripts.commands.main import main
from workflow_scripts.study.terminal import program


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path / "results")


def test_status_exit_codes_reflect_the_state_of_the_study(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
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
    assert printed.splitlines()[-1].startswith(f"next: {program()} show {study.folder}")
    assert "\x1b" not in printed and all(line == line.rstrip() for line in printed.splitlines())


def test_json_lists_every_job(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    study.log("annotations/rows", 0, "error: x in y: z; w")
    assert main(["status", "--json", str(study.folder)]) == 4
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["study"], told["planned_known"]) == (str(study.folder), True)
    (failed,) = [job for job in told["jobs"] if job["state"] == "failed"]
    assert (failed["stage"], failed["error"], failed["log"]) == (
        "annotations",
        "x in y: z; w",
        str(study.folder / "logs/annotations/rows.log"),
    )


def test_json_output_has_null_for_nan(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    (run, *_) = study.survey().jobs["pretrain"]
    study.log(f"pretrain/{run.name}", 0, "12:00 work folder: results/.work/pretrain/ab12")
    study.write(".work/pretrain/ab12/curve.jsonl", '{"step": 5, "loss": NaN, "lr": 0.5}\n', 0)
    main(["status", "--json", str(study.folder)])
    printed = capsys.readouterr().out
    assert "NaN" not in printed
    (told,) = json.loads(printed)
    assert [job["curve"] for job in told["jobs"] if job["curve"]] == [{"step": 5, "loss": None, "lr": 0.5}]


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_a_path_without_a_study_is_a_single_line_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    (tmp_path / "results/.configs").mkdir(parents=True)
    for path, value in ((tmp_path / "none", "no such file or folder"), (tmp_path / "results", "no artifacts, logs or")):
        assert main(["status", *words, str(path)]) == 1
        printed = capsys.readouterr()
        assert printed.out == "" and printed.err.count("\n") == 1
        assert printed.err.startswith(f"error: no study in {path}: {value}")


def test_a_study_is_shown_relative_to_the_working_directory(
    study: Study, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study.log("annotations/rows", 0, "error: x in y: z; w")
    monkeypatch.chdir(study.results.parent)
    for path in ("results", "results/tiny", "results/tiny/logs", str(study.folder)):
        assert main(["status", path]) == 4
        printed = capsys.readouterr().out
        assert printed.startswith("results/tiny: 0 of ")
        assert "  log: results/tiny/logs/annotations/rows.log\n" in printed
    monkeypatch.chdir(study.folder)
    assert main(["status", "."]) == 4
    assert capsys.readouterr().out.startswith(f"{study.folder}: 0 of ")
