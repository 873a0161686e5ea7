"""The lock beside a config file: the commit of each hub model, and the sha256 of each URL, that the config names.

:func:`resolve` makes it, and :func:`pinned` applies it to a study.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, StringConstraints, ValidationError

from workflow_scripts.core.errors import PipelineError, PipelineErrors
from workflow_scripts.core.settings import Settings
from workflow_scripts.core.sources import HUB
from workflow_scripts.stages.source import ADVICE_WITHOUT_HASH, WITHOUT_HASH, Source
from workflow_scripts.study.config.errors import Path, SettingError, placed, validation_errors
from workflow_scripts.study.config.files import Node, read_file
from workflow_scripts.study.config.sections import Study

_COMMIT = re.compile("[0-9a-f]{40}")
_HEAD = """\
# Written by `faithful-pairs lock`: the commit of each hub model, and the sha256 of each URL, that the config names.
# Runs read these and nothing else. Commit this file with the config. To update it, run the command again.
"""
_ADVICE = "restore it, or remove it and write it again: faithful-pairs lock"
_ADVICE_TO_LOCK = "undo the change, or update the lock: run faithful-pairs lock with the same config files"
_Commit = Annotated[str, StringConstraints(pattern="^[0-9a-f]{40}$")]
_Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class Lock(Settings):
    """What the sources of a config stood for when it was locked."""

    hub: dict[str, _Commit]
    """Commit of each hub model, by <repository>@<revision> as in the config."""
    urls: dict[str, _Sha256]
    """sha256 of each URL, by the URL as in the config."""

    def text(self) -> str:
        """The file's content; equal locks give equal bytes."""
        # Quotes: YAML would read a commit without letters as a number.
        return _HEAD + yaml.safe_dump(self.model_dump(), default_style='"', allow_unicode=True, width=float("inf"))


def is_commit(revision: str) -> bool:
    """Whether a revision is a full commit hash, which can't come to mean other bytes."""
    return _COMMIT.fullmatch(revision) is not None


def read_lock(path: FilePath | None) -> Lock | None:
    """The lock at ``path``; None if there is no such file.

    Raises:
        PipelineErrors: it is damaged, or has unknown or repeated keys.
    """
    if path is None or not os.path.lexists(path):
        return None
    try:
        found = read_file(path)
        if found.errors:
            raise PipelineErrors(found.errors)
        return Lock.model_validate(found.data())
    except PipelineError as error:
        errors = error.errors
    except ValidationError as error:
        errors = placed(PipelineErrors(validation_errors(error, Lock, found.root)), found.root).errors
    raise PipelineErrors(
        [PipelineError("damaged lock", one.where, f"{one.what}: {one.value}", _ADVICE) for one in errors]
    )


def pinned(study: Study, lock: Lock | None, name: str) -> tuple[Study, list[SettingError]]:
    """The study with locked sources, and an error for each source that the lock lacks or contradicts.

    Args:
        lock: None: hub models stay as they are, and a URL must have its sha256 in the config.
        name: the lock's file name, for messages.
    """
    found = {path: _pinned(path, source, lock, name) for path, source in sources_in(study)}
    errors = [one for one in found.values() if isinstance(one, SettingError)]
    return _replaced(study, (), {path: one for path, one in found.items() if isinstance(one, Source)}), errors


def sources_in(value: Any, path: Path = ()) -> Iterator[tuple[Path, Source]]:
    """Every source in checked settings, and its path in the config."""
    if isinstance(value, Source):
        yield path, value
    else:
        for key, member in _members(value):
            yield from sources_in(member, (*path, key))


def _replaced(value: Any, path: Path, changes: Mapping[Path, Source]) -> Any:
    """Settings with other sources at some paths."""
    if path in changes:
        return changes[path]
    members = {key: _replaced(member, (*path, key), changes) for key, member in _members(value)}
    if isinstance(value, BaseModel):
        return value.model_copy(update={key: one for key, one in members.items() if one is not getattr(value, key)})
    return tuple(members.values()) if isinstance(value, tuple) else value


def _members(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, BaseModel):
        return [(name, getattr(value, name)) for name in type(value).model_fields]
    return list(enumerate(value)) if isinstance(value, tuple) else []


def _pinned(path: Path, source: Source, lock: Lock | None, name: str) -> Source | SettingError:
    if lock is not None and source.at.startswith(HUB):
        model = source.at.removeprefix(HUB)
        repository, _, revision = model.partition("@")
        commit = revision if is_commit(revision) else lock.hub.get(model)
        if commit is None:
            return SettingError(f"hub model missing from {name}", path, source.at, _ADVICE_TO_LOCK)
        return source.model_copy(update={"at": f"{HUB}{repository}@{commit}"})
    if not source.is_url:
        return source
    locked = lock.urls.get(source.at) if lock is not None else None
    if lock is not None and locked is None:
        return SettingError(f"URL missing from {name}", path, source.at, _ADVICE_TO_LOCK)
    if source.sha256 is None and locked is None:
        return SettingError(WITHOUT_HASH, path, source.at, ADVICE_WITHOUT_HASH)
    if source.sha256 is not None and locked not in (None, source.sha256):
        value = f"{source.sha256}, but {source.at} is {locked}"
        return SettingError(f"sha256 differs from {name}", path, value, _ADVICE_TO_LOCK)
    return source.model_copy(update={"sha256": locked or source.sha256})


TIMEOUT = 30.0  # seconds that the hub may take to answer


def resolve(study: Study, root: Node) -> Lock:
    """The lock of a study, as the hub and the URLs are now; a commit or sha256 in the config is taken as it is.

    Args:
        root: the config, for the places of errors.

    Raises:
        PipelineErrors: sources can't be reached. All are named.
    """
    wanted: dict[str, tuple[Path, Source]] = {}
    for path, source in sources_in(study):
        locked = source.is_url or source.at.startswith(HUB)
        if locked and (source.at not in wanted or source.sha256 is not None):
            wanted[source.at] = path, source
    hub, urls, errors = dict[str, str](), dict[str, str](), list[PipelineError]()
    for at, (path, source) in wanted.items():
        try:
            if at.startswith(HUB):
                hub[at.removeprefix(HUB)] = _commit(at)
            else:
                urls[at] = _sha256(source)
        except PipelineError as error:
            errors.append(SettingError(error.what, path, error.value, error.advice))
    if errors:
        raise placed(PipelineErrors(errors), root)
    return Lock(hub=hub, urls=urls)


def _commit(at: str) -> str:
    from huggingface_hub import HfApi

    repository, _, revision = at.removeprefix(HUB).partition("@")
    if is_commit(revision):
        return revision
    try:
        commit = HfApi().model_info(repository, revision=revision or None, timeout=TIMEOUT).sha
    except Exception as error:  # the hub's client, its HTTP library and a server's wrong answer raise many classes
        advice = "check its name, its revision and the network (a private model needs HF_TOKEN)"
        raise PipelineError("hub model unavailable", at, f"{at}: {type(error).__name__}", advice) from error
    if commit is None or not is_commit(commit):
        raise PipelineError("no commit of a hub model", at, f"{at}: {commit}", "check HF_ENDPOINT")
    return commit


def _sha256(source: Source) -> str:
    from workflow_scripts.acquisition.http.fetch_file import fetch_sha256

    return source.sha256 or fetch_sha256((source.at, *source.mirrors))
