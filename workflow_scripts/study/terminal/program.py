"""The name by which this project's program can be typed."""

import shutil
import sys
from pathlib import Path

NAME = "faithful-pairs"


def program() -> str:
    """:data:`NAME` if a shell finds it, else its path in this environment, relative if below the working folder."""
    path = Path(sys.prefix) / "bin" / NAME
    if shutil.which(NAME) or not path.exists():
        return NAME
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
