"""The one error that people are meant to read."""

from pathlib import Path


class PipelineError(Exception):
    """A fault in the input, the config or the machine that a user can act on.

    ``str()`` of it is a single line: ``<what> in <where>: <value>; <advice>``. A stage prints it behind
    ``error:`` as the last line of its log and ends with exit status 1, without a traceback.
    """

    def __init__(self, what: str, where: str | Path, value: object, advice: str) -> None:
        self.what, self.where, self.value, self.advice = what, where, value, advice
        super().__init__(one_line(f"{what} in {where}: {value}; {advice}"))

    def __reduce__(self) -> tuple[type["PipelineError"], tuple[str, str, str, str]]:
        # Exceptions cross process pools by pickle of our own making; the default would lose the fields.
        return PipelineError, (self.what, str(self.where), str(self.value), self.advice)


def one_line(text: str) -> str:
    """``text`` with every run of white space, line breaks too, made one space."""
    return " ".join(text.split())
