"""The lock beside a config file: the commit of each hub model, and the sha256 of each URL, that the config names."""

import os
import re
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from workflow_scripts.core.errors import PipelineError, PipelineErrors
from workflow_scripts.core.settings import Settings
from workflow_scripts.study.config.errors import validation_errors
from workflow_scripts.study.config.files import read_file

COMMIT = r"^[0-9a-f]{40}$"
_COMMIT_HASH = re.compile(COMMIT)
_HEAD = """\
# Written by `faithful-pairs lock`: the commit of each hub model, and the sha256 of each URL, that the config names.
# Runs read these and nothing else. Commit this file with the config. To update it, run the command again.
"""
_ADVICE = "restore it, or write it again: faithful-pairs lock"
_Commit = Annotated[str, StringConstraints(pattern=COMMIT)]
_Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


def _no_contradiction(hub: dict[str, str]) -> dict[str, str]:
    for model, commit in hub.items():
        revision = model.partition("@")[2]
        if revision != commit and is_commit(revision):
            raise ValueError(f"{model} has the commit {commit}")
    return hub


class Lock(Settings):
    """What the sources of a config stood for when it was locked."""

    hub: Annotated[dict[str, _Commit], AfterValidator(_no_contradiction)] = Field(
        description="commit of each hub model, by <repository>@<revision> as in the config"
    )
    urls: dict[str, _Sha256] = Field(description="sha256 of each URL, by the URL as in the config")

    def commit(self, model: str) -> str | None:
        """The commit of ``<repository>@<revision>``; a commit that the repository has in the lock is itself."""
        repository, _, revision = model.partition("@")
        return revision if revision in self.of(repository).values() else self.hub.get(model)

    def of(self, repository: str) -> dict[str, str]:
        """The locked revisions of a repository, as written in the config -> their commits."""
        return {model: commit for model, commit in self.hub.items() if model.partition("@")[0] == repository}

    def text(self) -> str:
        """The file's content; equal locks give equal bytes."""
        # Quotes: YAML would read a commit without letters as a number.
        return _HEAD + yaml.safe_dump(self.model_dump(), default_style='"', allow_unicode=True, width=float("inf"))


def is_commit(revision: str) -> bool:
    """Whether a revision is a full commit hash, which can't come to mean other bytes."""
    return _COMMIT_HASH.fullmatch(revision) is not None


def read_lock(path: Path | None) -> Lock | None:
    """The lock at ``path``; None if there is no such file.

    Raises:
        PipelineErrors: it is damaged, or has unknown or repeated keys.
    """
    if path is None or not os.path.lexists(path):
        return None
    errors: list[PipelineError] = []
    try:
        found = read_file(path)
        errors += found.errors
        lock = Lock.model_validate(found.data())
    except PipelineError as error:
        errors += error.errors
    except ValidationError as error:
        root = found.root
        errors += [
            PipelineError(one.what, root.where(one.path), one.value, one.advice)
            for one in validation_errors(error, Lock, root)
        ]
    if errors:
        raise PipelineErrors(
            [PipelineError("damaged lock", one.where, f"{one.what}: {one.value}", _ADVICE) for one in errors]
        )
    return lock
