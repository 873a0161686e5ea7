"""Snakemake's internals work as the planning module expects; when a new Snakemake changes them, this fails."""

import os
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from tests.forkserver.environment import ForkServers
from tests.workflow.checkout import give_to_user
from tests.workflow.dag import ROOT, SNAKEMAKE

WORKFLOW = """
import sys
sys.path.insert(0, {root!r})
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.snakemake.planning import Planning

def decide(jobs, triggers):
    print("known", *(f"{{job.stage}}{{'' if job.requested else '-'}}" for job in jobs))
    print("triggers", *sorted(triggers))
    print("inputs", *(f"{{job.stage}}:{{job.inputs}}" for job in jobs if job.inputs))
    forced, settled = {forced!r}, {settled!r}
    return {{job: job.stage in forced for job in jobs if job.stage in forced + settled}}

PLANNED = []

def asked(rule):
    print(f"asked-{{rule}}", len(PLANNED))
    return 1

def check(jobs, dry_run):
    PLANNED.append(jobs)
    print("planned", *(job.stage for job in jobs), "dry" if dry_run else "wet")
    if {stop!r}:
        raise PipelineError("what", "where", "value", "advice")

Planning(workflow, list, decide, lambda job: job.stage in {alone!r}, [check], affected=["c"])

rule all:
    input: "d.txt"

rule a:
    output: "a.txt"
    params: "{param}"
    shell: "echo a > {{output}}"

rule b:
    input: one="a.txt"
    output: "b-{{x}}.txt"
    params: value=lambda wildcards: asked("b")
    shell: "cp {{input}} {{output}}"

rule c:
    input: "a.txt"
    output: "c.txt"
    params: value=lambda wildcards: asked("c")
    shell: {command!r}

rule d:
    input: many=["b-1.txt"], other="c.txt", none=[]
    output: "d.txt"
    shell: "cat {{input}} > {{output}}"
"""
Plan = Callable[..., tuple[int, list[str]]]


def snakemake(
    folder: Path,
    *words: str,
    forced: tuple[str, ...] = (),
    settled: tuple[str, ...] = (),
    alone: tuple[str, ...] = (),
    param: str = "1",
    command_of_c: str = "cp {input} {output}",
    stop: bool = False,
    command: Sequence[str] = (str(SNAKEMAKE),),
) -> tuple[int, list[str]]:
    """Write the workflow above into a folder and run Snakemake there; status and lines printed."""
    words_of = {"forced": forced, "settled": settled, "alone": alone, "param": param, "command": command_of_c}
    text = WORKFLOW.format(root=str(ROOT), stop=stop, **words_of)
    (folder / "Snakefile").write_text(text)
    environment = {**os.environ, "HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
    done = subprocess.run(
        [*command, "--cores", "1", "--quiet", "rules", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the workflow has run. Never change it."""
    folder = tmp_path_factory.mktemp("complete")
    status, printed = snakemake(folder)
    assert status == 0, printed
    return folder


@pytest.fixture
def plan(complete: Path, open_folder: Path, servers: ForkServers) -> Plan:
    """Runs Snakemake in a copy of the complete folder."""
    subprocess.run(["cp", "-a", f"{complete}/.", str(open_folder)], check=True)
    give_to_user(open_folder)
    return partial(snakemake, open_folder, command=servers.snakemake)


def line(printed: list[str], start: str) -> list[str]:
    """Words of the one line that starts so, without the first."""
    (found,) = [words for words in printed if words.split()[:1] == [start]]
    return found.split()[1:]


def test_callbacks_get_the_jobs_in_order_and_what_will_run(plan: Plan) -> None:
    status, printed = plan("-n", forced=("c",))
    assert status == 0
    assert line(printed, "known") == ["a", "b", "c", "d", "all"]
    assert line(printed, "triggers") == ["code", "input", "mtime", "params", "software-env"]
    inputs = " ".join(line(printed, "inputs"))
    assert "b:{'one': ['a.txt']}" in inputs
    assert "d:{'many': ['b-1.txt'], 'other': ['c.txt']}" in inputs
    assert line(printed, "planned") == ["c", "d", "all", "dry"]
    assert line(plan("-n")[1], "planned") == ["dry"]
    assert line(plan(forced=("a",))[1], "planned") == ["a", "b", "c", "d", "all", "wet"]


def test_a_dry_run_asks_again_only_for_printed_commands_that_a_plan_affects(plan: Plan) -> None:
    asked = {"asked-b 0", "asked-c 0"}
    for words, again in (("-n",), set()), (("-n", "--printshellcmds"), {"asked-c 1"}):
        printed = plan(*words, forced=("a",))[1]
        assert {line for line in printed if line.startswith("asked-")} == asked | again


@pytest.mark.parametrize("words", [("-n",), ("-n", "-p")])
def test_a_dry_run_reports_unknown_names_in_a_command(plan: Plan, words: tuple[str, ...]) -> None:
    status, printed = plan(*words, forced=("a",), command_of_c="cp {input.ones} {output}")
    assert status == 1
    assert any("AttributeError" in line and "ones" in line for line in printed), printed
    status, printed = plan(*words, forced=("a",), command_of_c="cp {inputs} {output}")
    assert status == 1
    assert any("NameError" in line and "inputs" in line for line in printed), printed


def test_a_job_run_outside_its_group_may_depend_on_the_group(plan: Plan) -> None:
    words = ("-n", "--forceall", "--groups", "a=g", "d=g", "--group-components", "g=2")
    status, printed = plan(*words)
    assert status != 0 and "depends on itself" in " ".join(printed)
    assert plan(*words, alone=("d",))[0] == 0


def test_jobs_cut_off_by_until_or_omit_from_are_neither_requested_nor_forced(plan: Plan) -> None:
    printed = plan("-n", "--until", "b", forced=("a", "c"))[1]
    assert line(printed, "known") == ["a", "b", "c-", "d-", "all-"]
    assert line(printed, "planned") == ["a", "b", "dry"]
    printed = plan("-n", "--omit-from", "c", forced=("b", "c"))[1]
    assert line(printed, "known") == ["a", "b", "c-", "d-", "all-"]
    assert line(printed, "planned") == ["b", "dry"]
    assert line(plan("-n", "c.txt", forced=("b", "c"))[1], "planned") == ["c", "dry"]


def test_until_works_for_rules_that_depend_on_each_other(plan: Plan, tmp_path: Path) -> None:
    """Left alone, Snakemake ends with "Out of jobs" once the first of them is done."""
    for name in ("a.txt", "b-1.txt", "c.txt", "d.txt"):
        (tmp_path / name).unlink()
    status, printed = plan("--until", "a", "c")
    assert status == 0, printed
    assert sorted(path.name for path in tmp_path.glob("*.txt")) == ["a.txt", "c.txt"]


def test_a_settled_job_is_not_compared_with_snakemakes_memory_or_times(plan: Plan, tmp_path: Path) -> None:
    everything = ("a", "b", "c", "d")
    assert line(plan("-n", param="2")[1], "planned") == ["a", "b", "c", "d", "all", "dry"]
    assert line(plan("-n", param="2", settled=everything)[1], "planned") == ["dry"]
    (tmp_path / "a.txt").write_text("changed")
    assert line(plan("-n")[1], "planned") == ["b", "c", "d", "all", "dry"]
    assert line(plan("-n", settled=everything)[1], "planned") == ["dry"]
    assert line(plan("-n", "-R", "c", settled=everything)[1], "planned") == ["c", "d", "all", "dry"]
    (tmp_path / "d.txt").unlink()
    assert line(plan("-n", settled=everything)[1], "planned") == ["d", "all", "dry"]


@pytest.mark.parametrize("words", [["-n"], []])
def test_an_error_ends_the_command_before_anything_starts(plan: Plan, tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "d.txt").unlink()
    status, printed = plan(*words, stop=True)
    assert status == 1
    assert "error: what in where: value; advice" in " ".join(printed)
    assert not (tmp_path / "d.txt").exists()
    assert "Traceback" not in " ".join(printed)
