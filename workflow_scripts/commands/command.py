"""How every command ends if its input or the machine is at fault: in one line, without a traceback."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from workflow_scripts.core.errors import PipelineError, error_lines


@contextmanager
def plain_errors(status: int = 1) -> Iterator[None]:
    """End the command with ``error: ...`` lines and ``status`` for a PipelineError or a fault of disk or permissions.

    Raises:
        SystemExit: with ``status``; 130 after Ctrl-C.
    """
    try:
        yield
    except PipelineError as error:
        _end(error, status)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(status) from None
    except OSError as error:
        where = error.filename if error.filename is not None else "this command"
        value = error.strerror or type(error).__name__
        _end(
            PipelineError("unreadable or unwritable file", str(where), value, "check path, permissions and disk"),
            status,
        )
    except KeyboardInterrupt:
        _end(PipelineError("interrupted", "this command", "Ctrl-C", "run the same command again"), 130)


def _end(error: PipelineError, status: int) -> None:
    sys.stderr.write("".join(f"{line}\n" for line in error_lines(error)))
    raise SystemExit(status) from None
