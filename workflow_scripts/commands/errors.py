"""How every command ends: with an exit status and, if something is wrong, one ``error: ...`` line per error."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec

import typer

from workflow_scripts.core.errors import PipelineError, error_lines, traceback_text

PROGRAM = "faithful-pairs"
TRACEBACK = "FAITHFUL_PAIRS_TRACEBACK"  # environment variable: if set, a bug also prints its traceback
INTERRUPTED = 130
P = ParamSpec("P")


def ends_plainly(function: Callable[P, None], name: str, status: int) -> Callable[P, None]:
    """``function`` as the sub-command ``name``, which exits with ``status`` after an error."""

    @wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        with plain_errors(f"{PROGRAM} {name}", status):
            try:
                function(*args, **kwargs)
            finally:
                sys.stdout.flush()  # here, so that a closed pipe is noticed while it can still be handled

    return command


@contextmanager
def plain_errors(command: str, status: int = 1) -> Iterator[None]:
    """Exit with ``error: ...`` lines and ``status`` after a PipelineError, a disk or permission error, or a bug.

    Args:
        command: the command, for messages that name no file.

    Raises:
        SystemExit: with ``status``; 130 after Ctrl-C.
    """
    try:
        yield
    except (typer.Exit, typer.TyperException):  # an exit status, or wrong usage
        raise
    except PipelineError as error:
        _end(error, status)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(status) from None
    except OSError as error:
        where, value = error.filename or command, error.strerror or type(error).__name__
        advice = "check path, permissions, disk"
        _end(PipelineError("unreadable or unwritable file", str(where), value, advice), status)
    except KeyboardInterrupt:
        _end(PipelineError("interrupted", command, "Ctrl-C", "run the same command again"), INTERRUPTED)
    except MemoryError as error:
        value, advice = str(error) or "nothing left", "use a machine with more memory"
        _end(PipelineError("not enough memory", command, value, advice), status)
    except Exception as error:  # noqa: BLE001 - tracebacks are shown only on request
        if os.environ.get(TRACEBACK):
            sys.stderr.write(traceback_text(error))
        advice = f"this is a bug in Faithful Pairs; please report it with what {TRACEBACK}=1 prints"
        _end(PipelineError(type(error).__name__, command, error, advice), status)


def wrong_usage(where: str, message: str) -> None:
    """Report an error in a command line, with a pointer to its help."""
    said = message.replace(": Value error, ", ": ").rstrip(".")
    _say(PipelineError("wrong usage", where, said, f"see {where} --help"))


def _end(error: PipelineError, status: int) -> None:
    _say(error)
    raise SystemExit(status) from None


def _say(error: PipelineError) -> None:
    sys.stderr.write("".join(f"{line}\n" for line in error_lines(error)))
