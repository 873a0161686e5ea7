"""The log of a stage: standard error."""

import logging
import sys

from workflow_scripts.core.redact import redacted

log = logging.getLogger(__name__)


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def start_log(artifact: str) -> None:
    """Log to standard error, including warnings of libraries.

    The first line allocates a disk block, so that a short message still fits if the disk is full later.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Redacting("%(asctime)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(True)
    log.info("%s", artifact)
