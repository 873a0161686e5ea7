"""The diffs of docs/extending.md, and copies of the project to which they are applied."""

import re
import shutil
import subprocess
from pathlib import Path

from tests.conftest import ROOT
from tests.forkserver.environment import ForkServers
from tests.workflow.checkout import give_to_user

PAGE = ROOT / "docs/extending.md"
DIFFS = dict(re.findall(r"^```diff (\w+)\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE))


def touched(diff: str) -> list[str]:
    """Files that a diff changes or adds."""
    return re.findall(r"^\+\+\+ b/(\S+)$", diff, re.MULTILINE)


def copy_project(folder: Path, diff: str = "") -> Path:
    """A copy of the project in the new ``folder``, with a diff applied."""
    names = ("workflow_scripts", "rules", "tests", "docs", "profiles", "envs")
    for name in names:
        shutil.copytree(ROOT / name, folder / name)
    for name in ("Snakefile", "config.yaml", "pyproject.toml", ".importlinter"):
        shutil.copy(ROOT / name, folder)
    (folder / "results").mkdir()
    if diff:
        command = ["git", "apply", "--whitespace=nowarn", "-"]
        subprocess.run(command, cwd=folder, input=diff, text=True, check=True, capture_output=True)
    give_to_user(folder)
    return folder


def python(servers: ForkServers, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the interpreter in a copy, whose code it imports."""
    environment = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "HOME": str(folder), "OMP_NUM_THREADS": "1"}
    environment |= {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [str(servers.bin / "python"), *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
