"""Records of files that show a study's images or captions, so that ``remove`` can name them.

A record is ``results/<study>/copies/<digest>.csv`` with the columns ``copy``, the file's path when it was written, and
``key``, an image that it shows.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from workflow_scripts.core.files.durable import make_folders, write_durable
from workflow_scripts.core.files.jsonio import digest
from workflow_scripts.core.files.names import COPIES

COLUMNS = ("copy", "key")


def record_copy(study: Path, copy: Path, keys: Iterable[str]) -> None:
    """Record that ``copy`` shows the images of ``keys``; call it before the file is written, so that none is missed."""
    rows = [(ascii(str(copy.absolute()))[1:-1], key) for key in sorted(set(keys))]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    folder = study / COPIES
    make_folders(folder)
    write_durable(folder / f"{digest(rows)[:16]}.csv", out.getvalue().encode())
