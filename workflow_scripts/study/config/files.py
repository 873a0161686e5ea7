"""Config files, read strictly and merged."""

import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.core.errors import PipelineError, PipelineErrors
from workflow_scripts.study.config.builder import Builder
from workflow_scripts.study.config.nodes import Node, node_of

MAX_BYTES = 16 << 20
COMMAND_LINE = "--config"
_OVERRIDE = re.compile(r"[a-zA-Z_][\w-]*\w")  # keys that Snakemake takes there
LOCK = ".lock.yaml"  # in place of a config file's suffix
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Config:
    """The merged config, and the errors in files that could still be read (repeated keys).

    Attributes:
        lock_file: where its lock is, if it has one: beside the last config file.
    """

    root: Node
    errors: list[PipelineError] = field(default_factory=list)
    lock_file: Path | None = None

    def data(self) -> dict[str, Any]:
        """The plain values."""
        return dict(self.root.data())


def read_config(files: Sequence[str | Path], overrides: Mapping[str, Any] | None = None) -> Config:
    """Merge config files in order, with later ones taking precedence, and then the values of ``--config``.

    Raises:
        PipelineErrors: files are missing or can't be read; all of them are listed.
    """
    root, errors, unreadable = Node(items={}), [], []
    for file in files:
        try:
            one = read_file(file)
        except PipelineError as error:
            unreadable.append(error)
            continue
        root = root.merged(one.root)
        errors += one.errors
    if unreadable:
        raise PipelineErrors([*unreadable, *errors])
    lock_file = Path(files[-1]).with_suffix(LOCK) if files else None
    return Config(root.merged(node_of(overrides or {}, COMMAND_LINE)), errors, lock_file)


def check_overrides(entries: Iterable[str]) -> None:
    """Check entries of ``--config``, which Snakemake reads less strictly than a file.

    Raises:
        PipelineErrors: entries that are not KEY=VALUE, or values that a config file may not have.
    """
    errors: list[PipelineError] = []
    for entry in entries:
        name, equals, text = entry.partition("=")
        if not equals or not _OVERRIDE.fullmatch(name):
            advice = "write KEY=VALUE with a key of the top level, such as 'pretraining={lr: 0.1}'"
            errors.append(PipelineError("invalid override", COMMAND_LINE, entry, advice))
            continue
        builder = Builder(COMMAND_LINE, within=name)
        try:
            _parse(text, builder, f"{COMMAND_LINE} ({name})")
        except PipelineError as error:
            errors.append(error)
        errors += builder.errors
    if errors:
        raise PipelineErrors(errors)


def read_file(file: str | Path) -> Config:
    """One config file.

    Raises:
        PipelineError: it is missing, too large, not YAML, or has too deep nesting or too many aliases.
    """
    path = Path(file)
    name = shown(path)
    builder = Builder(name)
    _parse(_text(path, name), builder, name)
    root = builder.root
    if root is None or not isinstance(root.items, dict):
        value = (
            "empty" if root is None or (root.value is None and root.items is None) else "not a mapping at the top level"
        )
        raise PipelineError("invalid config file", name, value, "write settings as `key: value`, as in config.yaml")
    return Config(root, builder.errors)


def _parse(text: str, builder: Builder, name: str) -> None:
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = name if mark is None or builder.within else f"{name}:{mark.line + 1}"
        said = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        advice = "correct the YAML; quote text with special characters, and indent with spaces"
        raise PipelineError("invalid YAML", place, said, advice) from None


def shown(path: Path) -> str:
    """A path for messages: relative if it is below the working directory."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _text(path: Path, name: str) -> str:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise PipelineError("unreadable config file", name, "not a regular file", "give the path of a file")
        with open(path, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        advice = "correct the path; put targets before --configfile, which takes all arguments after it"
        raise PipelineError("missing config file", name, "no such file", advice) from None
    except OSError as error:
        value, advice = error.strerror, "correct the path, or the permissions of the file"
        raise PipelineError("unreadable config file", name, value, advice) from None
    if len(data) > MAX_BYTES:
        value, advice = f"more than {MAX_BYTES >> 20} MB", "give a config file; long lists belong in files of their own"
        raise PipelineError("config file too large", name, value, advice)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        value = f"byte {data[error.start]:#04x}"
        raise PipelineError("config file is not UTF-8", f"{name}:{line}", value, "save it as UTF-8") from None
