"""Code edited while a job starts, waits or runs: a result has the key of the code that ran, or there is none."""

import json
import os
import py_compile
import shutil
from pathlib import Path

import pytest

from tests.core.edited.project import FILES, GPU, MEMBER, SHAPES, STAGE, THREE, VERSION, Project
from tests.core.edited.runner import Edit

CHANGED = "error: code changed during the job in "
AGAIN = "run the same command again"
LATE, EARLY, CHILD, TWO = (f"{SHAPES}/{name}.py" for name in ("late", "early", "child", "kinds/two"))
TEMPLATE = f"{SHAPES}/template/page.txt"
TEXTS = {TEMPLATE: ("1", "2"), TWO: ("version=1", "version=2")}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """The project, before any job."""
    return Project(tmp_path)


def edit(event: str, about: str, file: str) -> Edit:
    """An edit of a version."""
    return Edit(event, about, file, *TEXTS.get(file, ("VERSION = 1", "VERSION = 2")))


def undo(event: str, about: str, file: str) -> Edit:
    """The edit that restores the file."""
    return Edit(event, about, file, *reversed(TEXTS.get(file, ("VERSION = 1", "VERSION = 2"))))


def check(project: Project, done: tuple[int, str], names: tuple[str, ...] = ("a",)) -> bool:
    """Whether the job ended well; then its results must have the keys of the code that ran."""
    status, printed = done
    if status:
        assert CHANGED in printed and printed.rstrip().endswith(AGAIN), printed
        assert not list((project.results / ".cache").glob("draw/*/manifest.json"))
        return False
    for name in names:
        assert project.ran(name) == project.keyed(name), printed
    return True


@pytest.mark.parametrize(
    "edits",
    [
        [edit("open", "core/inputs.py", EARLY)],
        [edit("moment", "loaded", STAGE)],
        [edit("moment", "loaded", EARLY)],
        [edit("moment", "loaded", LATE)],
        [edit("moment", "loaded", EARLY), undo("moment", "begin", EARLY)],
        [edit("open", "shapes/late.py", EARLY)],
        [edit("open", ".lock", LATE)],
        [edit("open", ".recipe.json", LATE)],
        [edit("open", ".recipe.json", LATE), undo("moment", "end", LATE)],
        [edit("moment", "begin", LATE)],
        [edit("moment", "begin", LATE), undo("moment", "end", LATE)],
        [edit("moment", "begin", TWO)],
        [edit("import", "shapes.registry", LATE)],
        [edit("moment", "end", LATE)],
        [Edit("moment", "begin", LATE, "VERSION", "")],
    ],
)
def test_edits_while_a_job_starts_or_runs_never_mix_code_versions(project: Project, edits: list[Edit]) -> None:
    assert check(project, project.run(edits))


@pytest.mark.parametrize("file", [EARLY, LATE, STAGE])
@pytest.mark.parametrize("undone", ["never", "begin", "end"])
def test_modules_edited_while_a_job_waits_for_a_lock(project: Project, file: str, undone: str) -> None:
    assert check(project, project.run())
    lock = str(project.results / f".work/draw/{project.record()['key']}.lock")
    for path in [*project.results.glob("study/draw/*"), *project.results.glob(".cache/draw/*/manifest.json")]:
        path.unlink()
    for folder in project.folder.rglob("__pycache__"):
        shutil.rmtree(folder)
    edits = [edit("wait", "flock", file), *([undo("moment", undone, file)] if undone != "never" else [])]
    done = project.run(edits, held={"HELD_LOCK": lock})
    assert "waiting for another process" in done[1]
    assert check(project, done)


@pytest.mark.parametrize("file", [EARLY, LATE, TWO, STAGE])
def test_modules_edited_while_a_job_waits_for_a_gpu(project: Project, file: str) -> None:
    edits = [edit("wait", "sleep", file)]
    done = project.run(edits, options=("--device", "cuda"), held={"HELD_GPU": f"{GPU}{os.getpid()}"})
    assert check(project, done)
    assert project.record()["facts"]["gpus"]


@pytest.mark.parametrize("child", ["fork", "spawn", "forkserver", "command", "other machine"])
@pytest.mark.parametrize(("moment", "undone"), [("begin", False), ("waiting", False), ("waiting", True)])
def test_child_processes_use_the_pinned_code(project: Project, child: str, moment: str, undone: bool) -> None:
    edits = [edit("moment", moment, CHILD), *([undo("moment", "end", CHILD)] if undone else [])]
    assert check(project, project.run(edits, {"child": child}))


@pytest.mark.parametrize(
    "edits",
    [
        [edit("moment", "begin", TEMPLATE)],
        [edit("moment", "begin", TEMPLATE), undo("moment", "end", TEMPLATE)],
        [Edit("moment", "begin", f"{SHAPES}/template/more.txt", "", "1")],
    ],
)
def test_a_data_file_edited_while_a_job_runs_fails_the_job(project: Project, edits: list[Edit]) -> None:
    assert not check(project, project.run(edits))


def test_data_files_edited_while_a_job_starts(project: Project) -> None:
    check(project, project.run([edit("open", ".lock", TEMPLATE)]))
    assert check(project, project.run())
    assert project.ran()["template"] == 2


@pytest.mark.parametrize(
    "edits",
    [
        [Edit("moment", "begin", THREE, "", MEMBER)],
        [Edit("moment", "begin", TWO, "version", "")],
        [Edit("moment", "begin", TWO, "version", ""), Edit("moment", "end", TWO, "", MEMBER)],
    ],
)
def test_members_of_a_registry_that_are_added_or_removed(project: Project, edits: list[Edit]) -> None:
    assert not check(project, project.run(edits))


def test_importing_a_module_missing_from_the_key_fails_the_job(project: Project) -> None:
    late = project.folder / LATE
    late.write_text("from workflow_scripts.shapes.shade import VERSION\n")
    shade = Edit("moment", "begin", f"{SHAPES}/shade.py", "", "VERSION = 1\n")
    assert not check(project, project.run([shade]))


def test_comments_edited_while_a_job_runs(project: Project) -> None:
    edits = [Edit("moment", "begin", file, "VERSION = 1", "# A comment.\nVERSION = 1") for file in (LATE, EARLY, STAGE)]
    assert check(project, project.run(edits))
    key = project.record()["key"]
    assert check(project, project.run()) and project.record()["key"] == key


def test_a_module_whose_file_was_cut_while_a_job_runs(project: Project) -> None:
    """It is loaded, and its text read, as the job found it."""
    assert check(project, project.run([Edit("moment", "begin", LATE, FILES[LATE], VERSION)]))


def test_stale_compiled_code_of_the_same_size_and_time_is_not_used(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    assert check(project, project.run())
    edit("", "", LATE).make()
    assert check(project, project.run())
    assert project.ran()["shapes.late"] == 2


def test_compiled_code_of_another_loader_is_not_used(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    os.utime(LATE, (0, 0))  # as of all files of some container images
    py_compile.compile(LATE, invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)
    edit("", "", LATE).make()
    assert check(project, project.run())
    assert project.ran()["shapes.late"] == 2


def test_code_edited_before_a_restart_is_used_with_its_key(project: Project) -> None:
    done = project.run([edit("moment", "begin", LATE)], {"fail": True})
    assert "starting again" in done[1]
    assert check(project, done)
    assert project.ran()["shapes.late"] == 2


def test_code_edited_between_jobs_of_the_same_process_is_not_used(project: Project) -> None:
    words = ("--device", "cpu", "--in-turn", "unit=a,b")
    assert check(
        project, project.run([edit("moment", "end", LATE), edit("moment", "end", CHILD)], options=words), ("a", "b")
    )
    assert project.ran("b") == project.ran("a")


def test_a_damaged_copy_of_the_pinned_code_stops_the_process(project: Project) -> None:
    code = project.results / ".code.json"
    project.results.mkdir()
    code.write_text(json.dumps({"sources": {LATE: "VERSION = 3\n"}, "members": {}}))
    status, printed = project.run(held={"FAITHFUL_PAIRS_CODE": f"{'0' * 64} {code}"})
    assert status == 1 and "code changed during the job" in printed
