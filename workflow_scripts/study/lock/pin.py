"""Applies a lock to a study: hub models get the locked commit, URLs the locked sha256."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from workflow_scripts.core.sources import HUB
from workflow_scripts.stages.source import ADVICE_WITHOUT_HASH, WITHOUT_HASH, Source
from workflow_scripts.study.config.errors import Path, SettingError
from workflow_scripts.study.lock.file import Lock

if TYPE_CHECKING:
    from workflow_scripts.study.config.study import Study

_UPDATE = "undo that, or update the lock: run faithful-pairs lock with the same config files"
_ADD = "add it: run faithful-pairs lock with the same config files"


def pinned(study: "Study", lock: Lock | None, name: str) -> tuple["Study", list[SettingError]]:
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
    if source.at.startswith(HUB) and lock is not None:
        model = source.at.removeprefix(HUB)
        commit = lock.commit(model)
        if commit is not None:
            return source.model_copy(update={"at": f"{HUB}{model.partition('@')[0]}@{commit}"})
        locked = lock.of(model.partition("@")[0])
        if not locked:
            return SettingError(f"hub model missing from {name}", path, source.at, _ADD)
        value = f"{source.at}, but {' and '.join(f'{one} is {commit}' for one, commit in sorted(locked.items()))}"
        return SettingError(f"revision differs from {name}", path, value, _UPDATE)
    return _hashed(path, source, lock, name) if source.is_url else source


def _hashed(path: Path, source: Source, lock: Lock | None, name: str) -> Source | SettingError:
    locked = lock.urls.get(source.at) if lock is not None else None
    if lock is not None and locked is None:
        return SettingError(f"URL missing from {name}", path, source.at, _ADD)
    if source.sha256 is None and locked is None:
        return SettingError(WITHOUT_HASH, path, source.at, ADVICE_WITHOUT_HASH)
    if source.sha256 is not None and locked not in (None, source.sha256):
        value = f"{source.sha256}, but {source.at} is {locked}"
        return SettingError(f"sha256 differs from {name}", path, value, _UPDATE)
    return source.model_copy(update={"sha256": locked or source.sha256})
