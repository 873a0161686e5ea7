"""The workflow's commands, as its own dry run prints them."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")
# Runs a command in a small process, since a child's peak includes that of the process that started it.
MEASURED = (
    sys.executable,
    "-c",
    "import resource, subprocess, sys; status = subprocess.run(sys.argv[1:]).returncode; "
    "print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10); sys.exit(status)",
)


@cache
def idle_bytes() -> int:
    """Memory of a Snakemake that imports and reads all rules, and plans nothing."""
    words = [*MEASURED, str(SNAKEMAKE), "--list-rules"]
    _, peak = peak_of(subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    return peak


def peak_of(printed: str) -> tuple[str, int]:
    """What a command run by MEASURED printed, and its peak in bytes."""
    said, peak = printed.rsplit("peak ", 1)
    return said, int(peak)


def snakemake(
    *words: str, cwd: Path = ROOT, timeout: float = 1800, before: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake, by the command ``before``, and give what it printed (both streams in stdout)."""
    return subprocess.run(
        [*before, str(SNAKEMAKE), *words],
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
