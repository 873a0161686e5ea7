"""External sources: files, folders and hub snapshots that the workflow reads but did not create.

Their content is hashed once, and again only when a file's stamp changes (its size, inode, or any of its times, ctime
included). Hashes and stamps are kept in ``results/.cache/.stat``, which is safe to delete.
"""

import hashlib
import os
import time
from array import array
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import Artifact, command_for
from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, read_value
from workflow_scripts.core.files.jsonio import digest
from workflow_scripts.core.files.names import CACHE
from workflow_scripts.core.files.notes import read_note, write_note
from workflow_scripts.core.inputs import stamp_of, watch

MOST_VISITS = 8  # of one folder through different links; more indicate a loop
REMEMBERED = Path(CACHE, ".stat")  # hashes of sources, relative to a results folder
LISTING = ".files.json"  # data file of a source with the result of :func:`listing`
MOST_LISTED = 1 << 30  # bytes of a listing; each file takes about 150
HUB, PACKAGE, TORCHVISION = "hub:", "package:", "torchvision:"


def resolve_source(name: str, wanted: str, made: Artifact | None, results: Path) -> Path:
    """Local path of a source.

    Args:
        name: its name, for messages.
        wanted: a path, ``hub:<repository>@<revision>``, ``package:<module>/<folder>`` or ``torchvision:<root>``.
        results: the results folder, which stores the hashes of known sources.
        made: the ``source`` artifact of it; if that holds the bytes itself (fetched by URL), they are used.

    :func:`workflow_scripts.core.inputs.check_unchanged` detects changes during use.

    Raises:
        PipelineError: nothing exists at the path, or it changed since it was hashed.
    """
    if made is not None and made.has(".data"):
        return made.path(".data")
    path = local_path(wanted, made is None)
    if not wanted or not path.exists():
        raise PipelineError(f"missing source {name}", path, "no such file or folder", "correct the path in the config")
    before = _recorded_content(name, path, made, results)
    written, content = _written(before), _hash_of(before)

    def check() -> None:
        now = _recorded_content(name, path, made, results)
        if _written(now) != written or _hash_of(now) != content:
            others = (one for one, then, today in zip(now, written, _written(now), strict=False) if then != today)
            value, advice = "modified after it was verified", "run the same command again"
            raise PipelineError(f"source {name} changed during use", path / next(others, ""), value, advice)

    watch(check)
    return path


def local_path(wanted: str, may_fetch: bool) -> Path:
    """Local path of a source; ``may_fetch`` allows a hub model to be downloaded first.

    Raises:
        PipelineError: a hub model or a Python package is unavailable.
    """
    if wanted.startswith(HUB):
        from huggingface_hub import snapshot_download

        repository, _, revision = wanted.removeprefix(HUB).partition("@")
        try:  # compute nodes may have no network
            return Path(snapshot_download(repository, revision=revision or None, local_files_only=not may_fetch))
        except Exception as error:
            advice = "check its name, its revision and the network, or give a local folder"
            raise PipelineError("hub model unavailable", wanted, type(error).__name__, advice) from error
    if wanted.startswith(PACKAGE):
        module, _, folder = wanted.removeprefix(PACKAGE).partition("/")
        found = find_spec(module)
        if found is None or not found.submodule_search_locations:
            raise PipelineError("missing Python package", wanted, module, f"install it: pip install {module}")
        return Path(found.submodule_search_locations[0]) / folder
    return Path(wanted.removeprefix(TORCHVISION))


Content = dict[str, tuple[list[int], str]]  # relative name of each file -> its stamp and sha256, sorted by name


def _recorded_content(name: str, path: Path, made: Artifact | None, results: Path) -> Content:
    """A source's files, checked against the recorded ones, if there are any."""
    found = _scan(path, results)
    if made is not None:
        recorded = {entry["path"]: entry["sha256"] for entry in read_listing(made.path(LISTING))}
        today = {relative: sha256 for relative, (_, sha256) in found.items()}
        if today != recorded:
            file = next(one for one in sorted(recorded.keys() | today.keys()) if recorded.get(one) != today.get(one))
            value = f"sha256 is {today.get(file, 'missing')}, but {recorded.get(file, 'none')} is recorded"
            advice = f"restore it, or hash it again with: {command_for(made.manifest_path)}"
            raise PipelineError(f"source {name} changed since it was hashed", path / file, value, advice)
    return found


def _written(content: Content) -> array:
    """When each file was last written, in ns: a million files take 8 MB."""
    return array("q", [stamp[1] for stamp, _ in content.values()])


def _hash_of(content: Content) -> str:
    return digest([(relative, sha256) for relative, (_, sha256) in content.items()])


def listing(path: Path, results: Path) -> list[dict[str, Any]]:
    """Every file of a source, sorted: ``path`` (relative; empty for a single file), ``bytes``, ``sha256``.

    Raises:
        PipelineError: nothing exists at ``path``, or it is a folder without files.
    """
    found = _scan(path, results)
    return [{"path": relative, "bytes": stamp[0], "sha256": sha256} for relative, (stamp, sha256) in found.items()]


def read_listing(path: Path) -> list[dict[str, Any]]:
    """The result of :func:`listing`, read from a source's data file.

    Raises:
        Unfit: the file does not hold such a list.
        OSError: it can't be read.
    """
    files = read_value(path, MOST_LISTED)
    if not isinstance(files, list) or not all(isinstance(one, dict) for one in files):
        raise Unfit("not a list of files")
    return files


def _scan(path: Path, results: Path) -> Content:
    """Every file of a source; see :func:`listing`."""
    if not path.exists():
        raise PipelineError("missing source", path, "no such file or folder", "correct the path in the config")
    name, now = hashlib.sha256(os.fsencode(path.resolve())).hexdigest(), time.time_ns()
    memory = results / REMEMBERED / f"{name}.json"
    try:
        known = read_note(memory, "delete it").get("files", {})
    except PipelineError:  # damaged: everything is hashed
        known = {}
    found: Content = {}
    kept = {}
    for relative, file in files_of(path):
        stamp = stamp_of(file.stat())
        old = known.get(relative)
        value = old[1] if old and old[0] == list(stamp) else file_hash(file)
        found[relative] = list(stamp), value
        if stamp.settled(now):
            kept[relative] = [list(stamp), value]
    if not found:
        raise PipelineError("empty source", path, "no files", "correct the path in the config")
    if kept != known:
        write_note(memory, {"files": kept})
    return found


def content_hash(path: Path, results: Path) -> str:
    """One sha256 over a source's content: file names and bytes, not times."""
    return digest(listing(path, results))


def files_of(path: Path) -> list[tuple[str, Path]]:
    """Relative name (empty for a single file) and path of every file of a source, without hidden ones.

    Raises:
        PipelineError: a folder can't be read, or symbolic links form a loop.
    """
    if path.is_file():
        return [("", path)]
    found = []
    visits: Counter[str] = Counter()
    for folder, folders, names in os.walk(path, followlinks=True, onerror=_unreadable):
        visits[os.path.realpath(folder)] += 1
        if visits[os.path.realpath(folder)] > MOST_VISITS:
            advice = "remove the links that point to a folder above them; links to folders are followed"
            raise PipelineError("loop of symbolic links", path, folder, advice)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            file = Path(folder) / name
            if not name.startswith(".") and file.is_file():
                found.append((_text(str(file.relative_to(path))), file))
    return sorted(found)


def _text(name: str) -> str:
    """A file's name as valid Unicode for JSON; bytes that are not UTF-8 become ``\\xff``."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _unreadable(error: OSError) -> None:
    raise PipelineError("unreadable folder", str(error.filename), error.strerror, "check its permissions") from None
