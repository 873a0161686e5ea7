"""The output of a run: bars on a terminal, a line per stage and minute elsewhere. A logger plugin of Snakemake."""

import shlex
import shutil
import sys
from pathlib import Path

NAME = "faithful-pairs"  # the program


def program() -> str:
    """:data:`NAME` if a shell finds it, else its path in this environment, relative if below the working folder."""
    path = Path(sys.prefix) / "bin" / NAME
    if shutil.which(NAME) or not path.exists():
        return NAME
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))
