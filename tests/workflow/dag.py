"""The workflow's commands, as its own dry run prints them."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")


def snakemake(*words: str, cwd: Path = ROOT, timeout: float = 1800) -> subprocess.CompletedProcess[str]:
    """Run Snakemake and give what it printed (both streams in stdout)."""
    return subprocess.run(
        [str(SNAKEMAKE), *words],
        cwd=cwd,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )


def commands(*words: str, cwd: Path = ROOT) -> list[list[str]]:
    """Arguments of every stage that a dry run would call: ``[stage, --artifact, ...]``."""
    printed = snakemake("-n", "-p", "--forceall", *words, cwd=cwd).stdout
    lines = re.findall(r"python -m workflow_scripts\.stages\.(.+) > \S+ 2>&1", printed)
    return [shlex.split(line) for line in lines]
