"""The error class for everything that a user can fix."""

import traceback
from collections.abc import Sequence
from pathlib import Path

from workflow_scripts.core.errors.text import plain, plain_lines, redacted

ERROR = "error: "
BUG = "this is a bug in Faithful Pairs; please report it with this log"
"""Advice for errors that no input, setting or machine causes."""


class PipelineError(Exception):
    """A problem in the input, the config or the machine that a user can act on.

    ``str()`` of it is a single line: ``<what> in <where>: <value>; <advice>``. A stage prints it behind
    ``error:`` as the last line of its log and ends with exit status 1, without a traceback. It is
    an :func:`error_text`.
    """

    def __init__(self, what: str, where: str | Path, value: object, advice: str) -> None:
        value = value if str(value).strip() else repr(value)  # empty text is shown as ''
        self.what, self.where, self.value, self.advice = what, where, value, advice
        super().__init__(error_text(f"{what} in {where}: {value}; {advice}"))

    def __reduce__(self) -> tuple[type["PipelineError"], tuple[str, str, str, str]]:
        # Process pools pickle exceptions; the default pickling would lose the fields.
        return PipelineError, (self.what, str(self.where), str(self.value), self.advice)

    @property
    def errors(self) -> "list[PipelineError]":
        """This error, or all errors that were found together."""
        return [self]


class PipelineErrors(PipelineError):
    """Several errors that were found together; its fields are those of the first."""

    def __init__(self, errors: Sequence[PipelineError]) -> None:
        self._errors = [one for error in errors for one in error.errors]
        first, more = self._errors[0], len(self._errors) - 1
        advice = f"{first.advice} (and {more} more error{'s' if more > 1 else ''})" if more else first.advice
        super().__init__(first.what, first.where, first.value, advice)

    def __reduce__(self) -> tuple[type["PipelineErrors"], tuple[list[PipelineError]]]:  # type: ignore[override]
        return PipelineErrors, (self._errors,)

    @property
    def errors(self) -> list[PipelineError]:
        """All errors, in the order in which they were found."""
        return self._errors


def last_error(text: str) -> str:
    """The last error in a job's log or in what a stage printed, without ``error:``; empty if there is none."""
    errors = [line for line in text.splitlines() if line.startswith(ERROR)]
    return errors[-1].removeprefix(ERROR) if errors else ""


def error_lines(error: PipelineError, most: int = 20) -> list[str]:
    """``error: ...`` lines for the terminal; if there are more than ``most``, a first line gives their number."""
    lines = [f"{ERROR}{one}" for one in error.errors]
    return lines if len(lines) <= most else [f"{len(lines)} errors; the first {most} are:", *lines[:most]]


def error_text(text: str) -> str:
    """``text`` as the message of an error: on one line, plain, with redacted URLs."""
    return plain(redacted(one_line(text)))


def traceback_text(error: BaseException) -> str:
    """The traceback of an error for a log or a terminal: its lines are plain, with redacted URLs."""
    return plain_lines(redacted("".join(traceback.format_exception(error))))


def one_line(text: str) -> str:
    """``text`` with each run of white space, line breaks included, replaced by one space."""
    return " ".join(text.split())
