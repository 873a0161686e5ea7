"""From a stage's files to a cache entry, and from a cache entry to the results folder."""

import os
import shutil
import stat
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.cache import (
    discard,
    file_hash,
    key_lock,
    link,
    lookup,
    place,
    results_root,
    stored,
    target_of,
    whole_entry,
)
from workflow_scripts.core.errors import BUG, PipelineError
from workflow_scripts.core.files.bounded_json import Unfit
from workflow_scripts.core.files.durable import (
    make_folders,
    sync_file,
    sync_folder,
    sync_parents,
    write_atomic,
    write_durable,
)
from workflow_scripts.core.files.jsonio import digest, pretty
from workflow_scripts.core.files.names import CACHE, ENTRY_MANIFEST, ENTRY_RECORD, STAGING, work_folder
from workflow_scripts.core.files.notes import sealed
from workflow_scripts.core.files.plain import check_suffix
from workflow_scripts.core.key import SCHEMA
from workflow_scripts.core.study_lock import still_ours

RENAMES = 5  # attempts to put an entry where damaged ones are


class Staging:
    """The unfinished cache entry that a stage writes to; no one reads it before it is renamed into place.

    As a context manager it removes what an error left, so that a full disk has room at least for the message.
    """

    def __init__(self, artifact: Path) -> None:
        self.artifact = artifact
        self._hashed: dict[str, bool] = {}
        self._folder: Path | None = None

    def open(self, results: Path, stage: str, key: str, alone: bool = True) -> None:
        """Create the folder; ``alone`` (the caller holds the key's lock): remove what killed runs of the key left."""
        parent = results / CACHE / STAGING
        parent.mkdir(parents=True, exist_ok=True)
        for leftover in parent.glob(f"{stage}-{key}-*") if alone else ():
            shutil.rmtree(leftover, ignore_errors=True)
        self._folder = parent / f"{stage}-{key}-{uuid.uuid4().hex}"
        (self._folder / "files").mkdir(parents=True)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *about: object) -> None:
        if error is None or self._folder is None:
            return
        if isinstance(error, OSError) and error.filename is None:  # the file that was being written
            written = [path for path in self._folder.rglob("*") if path.is_file()]
            error.filename = str(max(written, key=lambda path: path.stat().st_mtime_ns, default=self._folder))
        self.remove()

    def remove(self) -> None:
        """Remove what was written, if anything was."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def file(self, suffix: str, hashed: bool = True) -> Path:
        """Path for the file with ``suffix``; its parent folder exists."""
        if self._folder is None:
            raise PipelineError("file written outside a run", self.artifact, suffix, BUG)
        try:
            check_suffix(suffix)
        except Unfit as error:
            raise PipelineError("unusable name of a file", self.artifact, error, BUG) from None
        self._hashed[suffix] = hashed
        path = stored(self._folder, suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def seal(
        self, entry: Path, unit: dict[str, str], rows: dict[str, Any], record: dict[str, Any]
    ) -> tuple[dict[str, Any], bool]:
        """Hash the files, write manifest and run record, and rename the folder into the cache.

        Everything is on disk before the rename; the rename is durable once :func:`publish` has synced it.

        Returns the manifest of the entry in the cache, and whether this process made it: False if another was first.

        Raises:
            PipelineError: the stage did not write a file that it requested.
        """
        assert self._folder is not None
        files: dict[str, Any] = {}
        unhashed: dict[str, Any] = {}
        for suffix, hashed in sorted(self._hashed.items()):
            path = stored(self._folder, suffix)
            if not path.is_file():
                raise PipelineError("file not written", self.artifact, suffix, BUG)
            sync_file(path)
            path.chmod(0o444)
            group = files if hashed else unhashed  # the run record lists these as ``beside``; the manifest does not
            group[suffix] = {"sha256": file_hash(path), "bytes": path.stat().st_size}
        manifest = {"schema": SCHEMA, "stage": record["stage"], "unit": unit, "files": files, "rows": rows}
        original = sealed({**record, "beside": unhashed, "manifest": digest(manifest)})
        write_atomic(self._folder / ENTRY_RECORD, pretty(original))
        write_atomic(self._folder / ENTRY_MANIFEST, pretty(manifest))
        for folder, _, _ in os.walk(self._folder):
            sync_folder(Path(folder))
        entry.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(RENAMES):
            try:
                os.rename(self._folder, entry)
                return manifest, True
            except OSError:
                # Another process made the same entry first; its bytes are used if they are complete.
                existing = lookup(entry)
                if existing is not None:
                    shutil.rmtree(self._folder, ignore_errors=True)
                    return existing, False
                if not os.path.lexists(entry):
                    raise
                discard(entry)
        raise PipelineError("cannot replace cache entry", entry, f"{RENAMES} attempts", "run the same command again")


def publish(
    entry: Path, artifact: Path, manifest: dict[str, Any], record: dict[str, Any], *, ours: bool = False
) -> bool:
    """Put an entry's files, run record and manifest, in this order, beside ``artifact``; durable when this returns.

    A manifest implies that its files are complete. So the manifest of an earlier version is removed before the first
    file is replaced, each step is on disk before the next begins, and the new manifest comes last.

    If another process made the entry (``ours`` is False), ``record`` describes the reuse and holds the entry's own
    record as ``original``. Times could not distinguish the two: two processes may start in the same millisecond.

    Processes that publish at the same path wait for each other, so that manifest, record and files are of one key.

    Returns False when the entry was removed or damaged while it was read, such as by a cleanup of the cache.

    Raises:
        PipelineError: a run with other settings has taken over the study.
    """
    results, study, stage = results_root(artifact), artifact.parent.parent.name, artifact.parent.name
    path_lock = work_folder(results, stage, digest([study, artifact.name]))  # named as the lock of a key is
    with still_ours(results, study), key_lock(path_lock):
        return _publish(entry, artifact, manifest, record, ours)


def _publish(entry: Path, artifact: Path, manifest: dict[str, Any], record: dict[str, Any], ours: bool) -> bool:
    try:
        original = whole_entry(entry).record
        sync_parents([entry])  # its maker may have been killed before its own sync
    except (FileNotFoundError, NotADirectoryError, Unfit):
        return False
    make_folders(artifact.parent)
    withdraw(artifact)
    if not place(entry, artifact, manifest):
        return False
    for suffix in original["beside"]:
        if stored(entry, suffix).exists():
            link(stored(entry, suffix), target_of(artifact, suffix))
    _remove_strays(artifact, manifest, original["beside"])
    run_record = original | {"cached": False} if ours else {**record, "cached": True, "original": original}
    write_atomic(Path(f"{artifact}{RUN}"), pretty(sealed(run_record)))
    for folder, _, _ in os.walk(artifact):
        sync_folder(Path(folder))
    sync_folder(artifact.parent)
    write_durable(Path(f"{artifact}{MANIFEST}"), pretty(manifest))
    return True


def withdraw(artifact: Path) -> None:
    """Remove the manifest, so that the files do not count as complete; durable when this returns.

    A missing manifest is synced too: Snakemake removes it before a job starts, without a sync.
    """
    Path(f"{artifact}{MANIFEST}").unlink(missing_ok=True)
    sync_folder(artifact.parent)


def _remove_strays(artifact: Path, manifest: dict[str, Any], unhashed: Iterable[str]) -> None:
    """Remove files of an earlier version in the artifact's folder (``<name>/...``) that the manifest no longer names.

    Those are read-only, and links of the cache's files or next to files of this version and of the same kind; other
    files are someone's own.
    """
    named = {Path(f"{artifact}{suffix}") for suffix in [*manifest["files"], *unhashed]}
    kinds = {path.suffix for path in named}
    folders = {artifact, *(path.parent for path in named)} - {artifact.parent}
    present = [path for folder in folders if folder.is_dir() and not folder.is_symlink() for path in folder.iterdir()]
    for path in present:
        status = path.lstat()
        published = path.suffix in kinds or status.st_nlink > 1
        if stat.S_ISREG(status.st_mode) and not status.st_mode & 0o222 and path not in named and published:
            path.unlink(missing_ok=True)
