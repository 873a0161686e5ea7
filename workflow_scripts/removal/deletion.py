"""Decides what may be deleted below a results folder, and deletes it without following a link.

Only these are deleted: files in a stage's folder of a study that bear the name of one of the stage's artifacts; entries
of the project's own folders, and its temporary files and logs, under the names that it gives them; and the files of a
crate. Copies on nodes are deleted by the store that made them (:mod:`workflow_scripts.core.stage_in.store`).
"""

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.files.durable import NO_FOLDER_SYNC, sync_descriptor
from workflow_scripts.core.files.names import CRATE, LOGS
from workflow_scripts.provenance.crate.contents import is_crate_file
from workflow_scripts.study.config.stages import declaration, facts, stage_names

SNAKEMAKE = ".snakemake"  # beside the results folder
_NOT_OURS = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)  # it is gone, or a link or file is where a folder would be
_STUDY, _STAGE, _KEY, _RANDOM = r"[^./][^/]*", r"[a-z][a-z_]*", r"[0-9a-f]{64}", r"[0-9a-f]{32}"
_PART = rf"\.[^/]+\.{_RANDOM}\.part"
_STORE = rf"\.fetched/(?:{_KEY}/)?"
_OWN_FOLDERS = re.compile(
    rf"\.cache/{_STAGE}/(?:{_KEY}|\.discarded-{_RANDOM})|\.cache/\.staging/{_STAGE}-{_KEY}-{_RANDOM}"
    rf"|\.work/{_STAGE}/{_KEY}|\.browse/{_STUDY}/(?:{_KEY}|\.{_KEY}\.part)|{_STUDY}/\.crate\.{_RANDOM}\.part(?:\.old)?"
)
_OWN_FILES = re.compile(
    rf"\.work/{_STAGE}/{_KEY}(?:\.lock|/(?:[^/]+/)*\.[^/]+\.part)"
    rf"|{_STORE}(?:[0-9a-f]{{16}}-\d+(?:\+[0-9a-f]{{8}})?|\.{_RANDOM})\.(?:jsonl|bin|idx)"
    rf"|\.staged-in/{_RANDOM}\.json"
    rf"|(?:\.(?:configs|hosts|staged-in|removed)/|{_STORE}|{_STUDY}/(?:labels/|copies/)?)?{_PART}"
    r"|\.slurm/(?:[^/]+/)*[0-9_]+\.log|\.snakemake/(?:log/[0-9T.-]+\.snakemake\.log|locks/\d+\.(?:input|output)\.lock)"
)
_TEMPORARY = re.compile(_PART)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_SHARD = re.compile(r"\d{5,}", re.ASCII)
_BLOCK = re.compile(r"\d{5,}-\d{5,}", re.ASCII)
_SHAPES = {"{shard}": _SHARD.fullmatch, "{block}": _BLOCK.fullmatch}


def may_delete(results: Path, path: Path) -> bool:
    """Whether ``path`` is the project's own by name and kind, and no link leads to it.

    The results folder itself may be a link, which its owner chose.
    """
    try:
        with _opened(results, path.parent) as folder:
            mode = os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode
    except OSError:
        return False
    return stat.S_IFMT(mode) == _kind(results, path)


def delete(results: Path, paths: Iterable[Path]) -> list[Path]:
    """Delete those of ``paths`` that :func:`may_delete` allows, durably; returns them. Others, and missing ones, stay.

    Raises:
        OSError: one of them can't be deleted.
    """
    by_folder: dict[Path, list[Path]] = {}
    for path in paths:
        by_folder.setdefault(path.parent, []).append(path)
    deleted = []
    for parent, inside in by_folder.items():
        try:
            with _opened(results, parent) as folder:
                deleted += [path for path in inside if _delete(folder, path, _kind(results, path))]
                sync_descriptor(folder, parent)
        except OSError as error:
            if error.errno not in (*_NOT_OURS, *NO_FOLDER_SYNC):
                raise
    return deleted


def delete_empty(results: Path, folders: Iterable[Path]) -> None:
    """Delete those of some folders of a crate that are empty; inner ones must come before outer ones."""
    for path in folders:
        with suppress(OSError), _opened(results, path.parent) as parent:
            os.rmdir(path.name, dir_fd=parent)


def linked(results: Path, path: Path) -> Path | None:
    """The first link on the way from the results folder to ``path``, or ``path`` itself; None if there is none."""
    below = [one for one in (path, *path.parents) if one != results and one.is_relative_to(results)]
    return next((one for one in reversed(below) if one.is_symlink()), None)


def entries_below(results: Path, folder: Path) -> Iterator[Path]:
    """Everything below a folder except folders, in order; nothing if a link leads there. Links are not followed."""
    if linked(results, folder):
        return
    for top, folders, names in os.walk(folder):
        folders.sort()
        yield from (path for path in (Path(top, name) for name in folders) if path.is_symlink())
        yield from (Path(top, name) for name in sorted(names))


def is_artifact_file(stage: str, file: str) -> bool:
    """Whether ``file``, relative to the folder of a stage, bears the name of a file of one of its artifacts."""
    declared = declaration(stage)
    if declared is None:
        return False
    rest = f".{file}"
    for part in declared.artifact.split("."):  # a wildcard or a word; their values contain no dot
        word = _WORD.match(rest, 1)
        if rest[:1] != "." or word is None or not _fits(part, word[0]):
            return False
        rest = rest[word.end() :]
    suffixes = (MANIFEST, RUN, *facts(stage).files)
    return any(rest.count("/") == suffix.count("/") and fnmatchcase(rest, suffix) for suffix in suffixes)


def _fits(part: str, word: str) -> bool:
    """Whether a word is a value of this part of an artifact's name: of a wildcard, or the same word."""
    if part in _SHAPES:
        return _SHAPES[part](word) is not None
    return part.startswith("{") or part == word


def _kind(results: Path, path: Path) -> int | None:
    """What ``path`` would be if it is the project's own: a folder or a file."""
    root = results.parent if path.is_relative_to(results.parent / SNAKEMAKE) else results
    inside = path.relative_to(root) if path.is_relative_to(root) else Path("..")
    if ".." in inside.parts:
        return None
    if _OWN_FOLDERS.fullmatch(str(inside)):
        return stat.S_IFDIR
    return stat.S_IFREG if _OWN_FILES.fullmatch(str(inside)) or _is_in_study(root, inside) else None


def _is_in_study(results: Path, inside: Path) -> bool:
    study, folder, *names = (*inside.parts, "", "")[: max(len(inside.parts), 2)]
    file = "/".join(names)
    if not file or study.startswith("."):
        return False
    if folder == CRATE:
        return is_crate_file(results / study / CRATE, file)
    if folder == LOGS:
        stage, _, name = file.partition("/")
        job = name.removesuffix(".log") + MANIFEST
        return name.endswith(".log") and (is_artifact_file(stage, job) or file == f"{CRATE}/{CRATE}.log")
    return is_artifact_file(folder, file) or (folder in stage_names() and _TEMPORARY.fullmatch(inside.name) is not None)


@contextmanager
def _opened(results: Path, folder: Path) -> Iterator[int]:
    """A descriptor of a folder, opened step by step, so that no link is followed, not even one that is put there now.

    Raises:
        OSError: it can't be opened; NotADirectoryError also if a link or file is on the way.
    """
    root = results.parent if folder.is_relative_to(results.parent / SNAKEMAKE) else results
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in folder.relative_to(root).parts:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        yield descriptor
    finally:
        os.close(descriptor)


def _delete(folder: int, path: Path, kind: int | None) -> bool:
    try:
        if stat.S_IFMT(os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_mode) != kind:
            return False
        if kind == stat.S_IFDIR:
            shutil.rmtree(path.name, onerror=_missing_is_fine, dir_fd=folder)
        else:
            os.unlink(path.name, dir_fd=folder)
    except OSError as error:
        if error.errno in _NOT_OURS:
            return False
        error.filename = str(path)
        raise
    return True


def _missing_is_fine(_: object, __: str, found: tuple[type[BaseException], BaseException, object]) -> None:
    if not isinstance(found[1], FileNotFoundError):
        raise found[1]
