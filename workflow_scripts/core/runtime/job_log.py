"""A job's log: standard error as plain lines, its path, the lines of earlier attempts, and the job's work folder.

Snakemake deletes the log of a job before it starts the job again.
"""

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

from workflow_scripts.core.errors.text import plain_lines, redacted
from workflow_scripts.core.files.names import LOGS

log = logging.getLogger(__name__)
KEPT = "attempts.log"
INDENT = "  "
WORK_LINE = "work folder: "  # followed by the folder's path, in the log of a job that computes


class _Plain(logging.Formatter):
    """Redacts URLs and writes plain lines; those after the first are indented, so that none looks like an error."""

    def format(self, record: logging.LogRecord) -> str:
        return plain_lines(redacted(super().format(record))).replace("\n", f"\n{INDENT}")


def log_to_stderr(form: str = "%(message)s", level: int = logging.INFO) -> None:
    """Log to standard error, as plain lines with redacted URLs."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Plain(form))
    logging.basicConfig(level=level, handlers=[handler])


def start_log(artifact: str) -> None:
    """Log to standard error, including warnings of libraries.

    The first line allocates a disk block, so that a short message still fits if the disk is full later.
    """
    log_to_stderr("%(asctime)s %(message)s")
    logging.captureWarnings(True)
    log.info("%s", artifact)


def keep_log(path: Path, work: Path) -> None:
    """Repeat what earlier attempts logged, indented, and keep this attempt's log for the next one.

    The work folder holds a hard link to the log, so that its lines survive even a kill. Does nothing if standard error
    is not the log or the file system has no hard links.

    Args:
        path: log of the job, ``results/<study>/logs/<stage>/<name>.log``.
        work: work folder of the artifact, the same for each attempt.
    """
    kept = work / KEPT
    with suppress(OSError):
        ours = path.stat()
        if not os.path.samestat(os.fstat(sys.stderr.fileno()), ours):
            return
        if kept.exists():
            if os.path.samestat(kept.stat(), ours):
                return
            lines = kept.read_text(errors="replace").splitlines()
            log.info("earlier attempts, indented:")
            sys.stderr.write("".join(f"{INDENT}{line.removeprefix(INDENT)}\n" for line in lines))
            sys.stderr.flush()
        part = work / f".{KEPT}.part"  # replaces the older link in one step, so that a kill loses neither
        part.unlink(missing_ok=True)
        os.link(path, part)
        os.replace(part, kept)


def log_of_artifact(artifact: Path) -> Path:
    """Path of the log of ``results/<study>/<stage>/<name>``, as the rules set it."""
    stage = artifact.parent
    return stage.parent / LOGS / stage.name / f"{artifact.name}.log"


def artifact_of_log(log: Path) -> Path | None:
    """``results/<study>/<stage>/<name>`` of a log, the inverse of :func:`log_of_artifact`; None for other files."""
    if log.suffix != ".log" or len(log.parts) < 4 or log.parts[-3] != LOGS:
        return None
    return log.parents[2] / log.parent.name / log.stem


def logged_work_folder(path: Path) -> Path | None:
    """Work folder of the job that writes this log; None without a log or before the job starts to compute."""
    with suppress(OSError):
        lines = path.read_text(errors="replace").splitlines()
        found = [line.partition(WORK_LINE)[2] for line in lines if WORK_LINE in line and not line.startswith(INDENT)]
        return Path(found[-1]) if found else None
    return None
