"""The log of a stage: standard error."""

import logging
import sys

from workflow_scripts.core.faults.plain_text import plain_lines
from workflow_scripts.core.redact import redacted
from workflow_scripts.core.runtime.attempts import INDENT

log = logging.getLogger(__name__)


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
