"""The smallest study, job by job in this process: the commands are Snakemake's own, of a dry run."""

import importlib
import io
import re
import shlex
import subprocess
import sys
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import ROOT
from workflow_scripts.core.artifact import MANIFEST, Artifact
from workflow_scripts.core.runtime.command_line import arguments
from workflow_scripts.core.runtime.stage import run_stage

LINKED = ("Snakefile", "rules", "config.yaml", "profiles", "workflow_scripts", "tests", "envs")
Owned = tuple[Path, Path]  # a data file and its manifest
WORDS = ("--profile", "profiles/demo", "--configfile", "tests/config/nano.yaml")


@dataclass(frozen=True)
class Job:
    """One job: its stage, its manifest, the words of its command, and the manifests that it reads."""

    stage: str
    manifest: Path
    argv: list[str] = field(hash=False)
    inputs: list[Path] = field(hash=False)

    def run(self) -> str:
        """Run it; gives the last line that it printed when it failed, else an empty text."""
        printed = io.StringIO()
        with redirect_stderr(printed):
            try:
                run_stage(importlib.import_module(f"workflow_scripts.stages.{self.stage}").STAGE, self.argv)
            except SystemExit as ended:
                assert ended.code == 1
                return printed.getvalue().splitlines()[-1]
        return ""

    def entries(self) -> set[Path]:
        """Cache entries of its stage."""
        return set(self.manifest.parents[2].glob(f".cache/{self.stage}/[!.]*"))


def dry_run(folder: Path) -> list[Job]:
    """A checkout in the empty ``folder``, and the jobs of its study in an order in which they can run."""
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)
    (folder / "results").mkdir()
    command = [str(Path(sys.executable).with_name("snakemake")), "-n", "-p", *WORDS]
    printed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    jobs = []
    for line in re.findall(r"exec python -m (workflow_scripts\.stages\..*) > ", printed.stdout + printed.stderr):
        module, *argv = shlex.split(line)
        stage = module.rpartition(".")[2]
        given = arguments(stage, argv)
        read = dict.fromkeys(Path(path) for paths in given.input.values() for path in paths)
        jobs.append(Job(stage, Path(given.artifact), argv, list(read)))
    return jobs


def files_of(job: Job) -> list[Owned]:
    """Every data file that the job can read, of its inputs and of shards that an index stands for."""
    manifests = list(job.inputs)
    if any(path.parent.name == "image_index" for path in manifests):
        manifests += sorted(job.manifest.parents[1].glob(f"download/*{MANIFEST}"))
    return [
        (path.parent / f"{artifact.name}{suffix}", path)
        for path in dict.fromkeys(manifests)
        for artifact in [Artifact(path)]
        for suffix in artifact.suffixes
    ]
