"""The state of each job follows from its manifest, log and work folder."""

import json
import os
from pathlib import Path

import pytest

from workflow_scripts.study.active_config import remember
from workflow_scripts.study.status.survey import SILENT_AFTER, Job, State, Status, survey

NOW = 1_000_000.0
RUN = "simclr-original-crop-resnet_small-s0"


class Study:
    """Files of a small study; times are seconds before ``NOW``."""

    def __init__(self, results: Path) -> None:
        self.results, self.folder = results, results / "tiny"
        remember(results, "tiny", ["config.yaml", "profiles/demo/study.yaml", "tests/config/tiny.yaml"], {})

    def write(self, path: str, text: str, age: float) -> Path:
        file = self.results / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        os.utime(file, (NOW - age, NOW - age))
        return file

    def finish(self, label: str, age: float) -> None:
        self.write(f"tiny/{label}.manifest.json", "{}", age)

    def log(self, label: str, age: float, *lines: str) -> None:
        self.write(f"tiny/logs/{label}.log", "".join(f"{line}\n" for line in ("results/tiny/x", *lines)), age)

    def job(self, label: str) -> Job:
        stage, name = label.split("/")
        (found,) = [job for job in self.survey().jobs[stage] if job.name == name]
        return found

    def survey(self) -> Status:
        return survey(self.folder, NOW)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path / "results")


def test_all_jobs_of_an_unstarted_study_are_waiting(study: Study) -> None:
    found = study.survey()
    assert found.planned
    assert {job.state for jobs in found.jobs.values() for job in jobs} == {State.WAITING}


def test_a_job_that_ctrl_c_ended_waits_and_did_not_fail(study: Study) -> None:
    study.log("shard_plan/plan", 50, "error: interrupted in shard_plan: Ctrl-C; run the same command again to continue")
    assert study.job("shard_plan/plan").state == State.WAITING
    study.log("shard_plan/plan", 50, "error: too few shards in shards: 3; raise it")
    assert study.job("shard_plan/plan").state == State.FAILED


def test_a_manifest_is_a_finished_artifact(study: Study) -> None:
    study.finish("shard_plan/plan", 50)
    assert study.job("shard_plan/plan").state == State.FINISHED
    study.log("shard_plan/plan", 60)
    assert study.job("shard_plan/plan").state == State.FINISHED
    study.log("shard_plan/plan", 40, "a library's last words")  # without a work folder nothing is computed
    assert study.job("shard_plan/plan").state == State.FINISHED


def test_the_last_error_in_a_log_is_the_cause_of_failure(study: Study) -> None:
    study.log("shard_plan/plan", 9, "error: earlier", "error: no rows in x: 0; widen years", "a library's last words")
    job = study.job("shard_plan/plan")
    assert (job.state, job.error, job.seen) == (State.FAILED, "no rows in x: 0; widen years", NOW - 9)
    study.finish("shard_plan/plan", 8)
    assert study.job("shard_plan/plan").state == State.FINISHED
    study.log("shard_plan/plan", 9, "  error: of an earlier attempt", "12:00 work goes on")
    study.finish("shard_plan/plan", 10)
    assert study.job("shard_plan/plan").state == State.FINISHED


def test_a_job_without_recent_log_lines_is_silent(study: Study) -> None:
    study.log("annotations/rows", 9)
    assert study.job("annotations/rows").state == State.RUNNING
    study.log("annotations/rows", SILENT_AFTER + 1)
    assert study.job("annotations/rows").state == State.SILENT


def test_training_progress_is_read_if_the_results_were_moved(study: Study) -> None:
    label = f"pretrain/{study_run(study)}"
    study.log(label, 400, "12:00 work folder: /another/place/results/.work/pretrain/ab12")
    assert study.job(label).state == State.SILENT
    progress = {"what": "simclr", "done": 120, "total": 200, "per_second": 4.0, "note": ""}
    study.write(".work/pretrain/ab12/progress.json", json.dumps(progress), 1)
    rows = [{"step": step, "steps": 200, "loss": 4 - step / 100, "images_per_s": 99.0} for step in (0, 100)]
    study.write(".work/pretrain/ab12/curve.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows) + '{"step"', 20)
    job = study.job(label)
    assert (job.state, job.seen, job.curve) == (State.RUNNING, NOW - 1, rows[1])
    assert job.progress is not None and (job.progress.done, job.progress.seconds_left) == (120, 20.0)


def test_a_finished_artifact_that_is_being_recomputed_runs(study: Study) -> None:
    study.finish("annotations/rows", 5_000)
    study.log("annotations/rows", 10, "12:00 work folder: results/.work/annotations/ab")
    assert study.job("annotations/rows").state == State.FINISHED
    study.write(".work/annotations/ab/.recipe.json", "{}", 10)
    assert study.job("annotations/rows").state == State.RUNNING


def study_run(study: Study) -> str:
    return study.survey().jobs["pretrain"][0].name


@pytest.mark.parametrize("damage", ["[" * 100_000, "\udce4", "{}\n5\n", "\n\n"])
def test_damaged_figures_are_left_out(study: Study, damage: str) -> None:
    label = f"pretrain/{study_run(study)}"
    study.log(label, 4, "work folder: results/.work/pretrain/ab12")
    for file in ("progress.json", "curve.jsonl"):
        path = study.write(f".work/pretrain/ab12/{file}", "", 1)
        path.write_bytes(damage.encode(errors="surrogateescape"))
    job = study.job(label)
    assert (job.state, job.progress, job.curve) == (State.RUNNING, None, None)


def test_without_a_config_only_jobs_with_artifacts_or_logs_are_listed(tmp_path: Path) -> None:
    study = Study(tmp_path / "results")
    study.finish("annotations/rows", 5)
    study.log("download/00001", 3)
    remember(study.results, "tiny", ["gone.yaml"], {})
    found = study.survey()
    assert not found.planned
    assert {stage: [(job.name, job.state) for job in jobs] for stage, jobs in found.jobs.items()} == {
        "annotations": [("rows", State.FINISHED)],
        "download": [("00001", State.RUNNING)],
    }
