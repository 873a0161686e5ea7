"""Checks of the lock: hub models that it could fix, and entries that the config no longer needs."""

from collections.abc import Iterator

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.sources import HUB
from workflow_scripts.study.config.files import shown
from workflow_scripts.study.lock.file import is_commit, read_lock
from workflow_scripts.study.preflight.findings import Finding, Start

SHOWN = 5  # entries in a message


def lock_findings(start: Start) -> Iterator[Finding]:
    """A warning about hub models without a commit, and one about entries of the lock that stand for no source."""
    if start.lock_file is None:
        return
    where = shown(start.lock_file)
    sources = [(name, source.at) for name, source, _ in start.sources() if source.at.startswith(HUB)]
    loose = [f"{at} ({name})" for name, at in sources if not is_commit(at.partition("@")[2])]
    if loose:
        advice = "to record their commits, run faithful-pairs lock with the same config files"
        yield Finding(PipelineError("missing lock", where, f"{_listed(loose)} can change", advice), False)
    unused = _unused(start)
    if unused:
        advice = "to remove them, run faithful-pairs lock with the same config files"
        yield Finding(PipelineError("unused entries", where, _listed(unused), advice), False)


def _unused(start: Start) -> list[str]:
    """Entries of the lock that stand for no source of the study."""
    lock = read_lock(start.lock_file)
    if lock is None:
        return []
    used = {source.at for source in start.units.sources_by_name.values()}
    pinned = {model: f"{HUB}{model.partition('@')[0]}@{commit}" for model, commit in lock.hub.items()}
    return [*(model for model, at in pinned.items() if at not in used), *(url for url in lock.urls if url not in used)]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
