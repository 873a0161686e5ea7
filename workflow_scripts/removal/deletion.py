"""Decides what may be deleted below a results folder, and deletes it without following a link.

Only these are deleted: files in a stage's folder of a study that bear the name of one of the stage's artifacts; entries
of the project's own folders, and its temporary files and logs, under the names that it gives them; and the files of a
crate. Copies on nodes are deleted by the store that made them (:mod:`workflow_scripts.core.stage_in.store`).
"""

import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.files.durable import sync_folder
from workflow_scripts.core.files.names import CRATE, LOGS
from workflow_scripts.provenance.crate.contents import is_crate_file
from workflow_scripts.study.config.stages import declaration, facts, stage_names

SNAKEMAKE = ".snakemake"  # beside the results folder
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
    rf"|\.fetched/\.imports/\.{_RANDOM}\.parquet\.\d+\.part|\.staged-in/{_RANDOM}\.json"
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
    with suppress(OSError):
        return _is_own(results, path)
    return False


def delete(results: Path, paths: Iterable[Path]) -> list[Path]:
    """Delete those of ``paths`` that :func:`may_delete` allows, durably; returns them. Others, and missing ones, stay.

    Raises:
        OSError: one of them can't be deleted.
    """
    found = list(paths)
    deleted = [path for path in found if _is_own(results, path) and _delete(path)]
    for folder in dict.fromkeys(path.parent for path in found):
        with suppress(FileNotFoundError, NotADirectoryError):
            sync_folder(folder)
    return deleted


def delete_empty(results: Path, folders: Iterable[Path]) -> None:
    """Delete those of some folders of a crate that are empty; inner ones must come before outer ones."""
    for path in folders:
        if linked(results, path) is None:
            with suppress(OSError):
                path.rmdir()


def linked(results: Path, path: Path) -> Path | None:
    """The first link on the way from the results folder to ``path``, or ``path`` itself; None if there is none."""
    root = _root(results, path)
    below = [one for one in (path, *path.parents) if one != root and one.is_relative_to(root)]
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


def _is_own(results: Path, path: Path) -> bool:
    """As :func:`may_delete`, but raises OSError if a fault hides what is there."""
    kind = _kind(results, path)
    with suppress(FileNotFoundError, NotADirectoryError):
        return kind is not None and linked(results, path) is None and stat.S_IFMT(path.lstat().st_mode) == kind
    return False


def _kind(results: Path, path: Path) -> int | None:
    """What ``path`` would be if it is the project's own: a folder or a file."""
    root = _root(results, path)
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


def _root(results: Path, path: Path) -> Path:
    """The folder below which ``path`` must not be reached through a link."""
    return results.parent if path.is_relative_to(results.parent / SNAKEMAKE) else results


def _delete(path: Path) -> bool:
    """Whether it was there."""
    try:
        if path.is_dir():
            shutil.rmtree(path, onerror=_missing_is_fine)
        else:
            path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        error.filename = str(path)
        raise
    return True


def _missing_is_fine(_: object, __: str, found: tuple[type[BaseException], BaseException, object]) -> None:
    if not isinstance(found[1], FileNotFoundError):
        raise found[1]
