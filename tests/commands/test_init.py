"""``faithful-pairs init``: a study in a folder of its own, with the package as a wheel installs it."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from workflow_scripts.commands.main import main

ROOT = Path(__file__).resolve().parents[2]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the content of the wheel, which is built from a copy of the files that git tracks or would add."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", ":!tests"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "source" / name)
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), "."]
    subprocess.run(build, cwd=folder / "source", check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, folder: Path, *words: str) -> str:
    """What a command prints that imports the installed package."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_demo_is_planned_with_the_installed_package(installed: Path, tmp_path: Path) -> None:
    project = installed / "workflow_scripts/project"
    assert not [name for name in ("Snakefile", "rules", "config.yaml") if (installed / name).exists()]
    told = run(installed, tmp_path, "-m", "workflow_scripts.commands", "init", "--demo", "mine")
    assert told.splitlines()[-1] == "  snakemake --profile profiles/local"
    plan = run(installed, tmp_path / "mine", str(SNAKEMAKE), "-n", "--quiet", "rules")
    (jobs,) = {line.split()[1] for line in plan.splitlines() if line.startswith("total ")}
    assert "error" not in plan and "warning" not in plan
    checked = run(installed, tmp_path / "mine", "-m", "workflow_scripts.commands", "check")
    assert checked.startswith(f"jobs     {int(jobs) - 1} in ")  # Snakemake counts the target
    code = "from workflow_scripts.core import digest; print(digest.PROJECT, digest.code_digest('recaption'))"
    found, value = run(installed, tmp_path / "mine", "-c", code).split()
    assert Path(found) == project
    assert value == run(ROOT, ROOT, "-c", code).split()[1]


def test_the_config_of_a_new_study_has_no_mistakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "_my photos"]) == 0
    capsys.readouterr()
    monkeypatch.chdir("_my photos")
    assert main(["check"]) == 1
    assert "study: my-photos #" in Path("config.yaml").read_text()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: missing source annotations in data/images: nothing there; ")


def test_a_folder_in_use_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.yaml").write_text("mine")
    assert main(["init", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith(f"error: existing folder in {tmp_path}: it is not empty; ")
    assert (tmp_path / "config.yaml").read_text() == "mine" and len(list(tmp_path.iterdir())) == 1
