"""Finds and removes the traces of rows that were removed from a study.

A study rerun without some rows leaves behind what was made with them: cache entries, work folders, artifacts of an
earlier config, fetched bytes, logs. Only what was provably made without them is kept: clean annotations, and everything
whose recorded inputs lead to clean annotations or to none at all.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST, RUN, manifest_hash
from workflow_scripts.core.cache import discard, try_key_lock
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import Unfit, read_object_or_none
from workflow_scripts.core.files.durable import remove_files, remove_folder, sync_folder
from workflow_scripts.core.files.jsonio import read_json
from workflow_scripts.core.files.names import ABOUT, BROWSE, CACHE, CRATE, DISCARDED, LOGS, STAGING, WORK, work_folder
from workflow_scripts.core.redact import redacted
from workflow_scripts.provenance.lineage import Made, inputs_of, load, recipe_of, sound
from workflow_scripts.removal.copies import remove_copies
from workflow_scripts.removal.networks import Learned, networks_of
from workflow_scripts.removal.rows import Listed, excluded_tokens, listed_rows, pairs_of, urls_among
from workflow_scripts.removal.sheets import sheets_of
from workflow_scripts.removal.store import remove_urls, urls_kept

ROWS = "annotations"
MOST_REMOVALS = 1 << 30  # bytes of a removal list, with 67 for each entry
TABLES = (".parquet", ".apart.parquet")
_STAGING = re.compile(r"(?P<stage>[a-z_]+)-(?P<key>[0-9a-f]{64})-[0-9a-f]{32}")
_WORD = re.compile(rb"[A-Za-z0-9_-]{4,64}")
log = logging.getLogger(__name__)


@dataclass
class Removed:
    """What was removed, as counts, and what could not be."""

    urls: int
    artifacts: int
    entries: int
    folders: int
    logs: int
    indexes: int  # of the browser
    copies: int  # of shards and packs on this node
    nodes: list[str]  # folders that may still hold such copies
    elsewhere: list[str]  # artifacts of other studies that hold the rows
    unknown: int  # entries of the list that match no row of the annotations
    sheets: list[str]  # label sheets and exported pages that show the rows
    networks: list[Learned]  # exported networks that learned from their images
    unread: list[str]  # their keys and records that can't be read, with the reason


def remove_listed(results: Path, study: str) -> Removed:
    """Remove everything that may hold rows on the removal list that ``results/<study>`` was made with.

    Annotations are removed last, since they determine what else to look for: after a kill, a second call completes it.

    Raises:
        PipelineError: the study does not exist, the origin of its annotations is unknown, or a running download has
            such rows.
    """
    everything = load(results)
    tokens = removal_of(results, study)
    made_rows = [one for one in everything if one.stage == ROWS]
    own = next(one for one in everything if one.study == study and one.stage == ROWS)
    excluded = excluded_tokens(own.file(TABLES[1]))
    pairs = pairs_of(excluded)
    listed = Listed()
    dirty = set()
    for one in made_rows:
        paths = [path for path in map(one.file, TABLES) if path.exists()]
        # Other rows of the same image may remain in the study's own annotations.
        found = listed_rows(paths, tokens, pairs if one.hash != own.hash else frozenset())
        if found:
            dirty.add(id(one))
            listed.update(found)
    good = sound(everything, lambda one: id(one) not in dirty)
    if own.hash not in good:
        advice = f"recompute it with: snakemake --force {own.path}{MANIFEST}"
        raise PipelineError("unknown origin", own.path, "run records of it or of its inputs are missing", advice)
    bad = [one for one in everything if one.hash not in good]
    elsewhere = [one for one in bad if one.study not in (None, study)]
    spared = {(one.stage, one.key) for one in elsewhere}
    entries = [one for one in bad if one.study is None and (one.stage, one.key) not in spared]
    mine = [one for one in bad if one.study == study]
    # Fetched bytes outlive annotations: those that contained a row's URL may have been removed with the cache.
    taken_out = {token for tokens_of_row in excluded for token in tokens_of_row}
    listed.urls |= urls_kept(results, tokens | taken_out)
    clean_rows = [one.file(".parquet") for one in made_rows if one.hash in good]
    present = [one for one in everything if one.hash in good]
    sheets, unread = sheets_of(results, everything, listed.ids)
    networks, unread_networks = networks_of(results, listed.ids, tokens)
    gone = Removed(
        urls=remove_urls(results, _unused(listed.urls, clean_rows)),
        logs=_remove_logs([results / study / LOGS, results / ".slurm", results.parent / ".snakemake/log"], listed),
        folders=_remove_folders(results, good),
        indexes=_remove_indexes(results, good),
        artifacts=_remove_artifacts(mine)
        + _remove_strays(results / study, present)
        + _remove_crate(results / study, good),
        entries=_discard(sorted(entries, key=lambda one: one.stage == ROWS)),
        copies=0,
        nodes=[],
        elsewhere=sorted(str(one.path) for one in elsewhere),
        unknown=len(tokens - taken_out),
        sheets=sheets,
        networks=networks,
        unread=unread + unread_networks,
    )
    gone.copies, gone.nodes = remove_copies(results)  # those whose originals are gone by now
    return gone


def removal_of(results: Path, study: str) -> frozenset[str]:
    """Tokens of the removal list that a study's annotations were made with.

    Raises:
        PipelineError: the study has no annotations.
    """
    rows = results / study / ROWS / "rows"
    if not Path(f"{rows}{MANIFEST}").exists():
        raise PipelineError("no annotations", results / study, "they do not exist", "run the study first")
    path = Path(f"{rows}.exclude.json")
    advice = f"recompute it with: snakemake --force {rows}{MANIFEST}"
    tokens = read_json(path, advice, MOST_REMOVALS) if path.exists() else []
    if not isinstance(tokens, list) or not all(isinstance(one, str) for one in tokens):
        raise PipelineError(
            "invalid list of removals", path, type(tokens).__name__, "it was edited; run faithful-pairs audit"
        )
    return frozenset(tokens)


def _unused(urls: set[str], tables: Iterable[Path]) -> set[str]:
    """URLs that no remaining row has; a URL that a remaining row shares is removed only if it is listed itself."""
    left = set(urls)
    for table in tables:
        if table.exists():
            left -= urls_among(table, left)
    return left


def _remove_logs(folders: Iterable[Path], listed: Listed) -> int:
    texts = [text.encode() for text in listed.urls | {redacted(url) for url in listed.urls} | listed.captions]
    ids = {one.encode() for one in listed.ids}
    found = []
    for path in (path for folder in folders if folder.is_dir() for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if any(text in content for text in texts) or not ids.isdisjoint(_WORD.findall(content)):
            found.append(path)
    remove_files(found)
    return len(found)


def _remove_folders(results: Path, good: set[str]) -> int:
    """Work folders and unfinished entries not in use by a process; work that has only good inputs is kept."""
    removed = 0
    for work in sorted((results / WORK).glob("*/*")):
        if not work.is_dir():
            continue
        inputs = inputs_of(recipe_of(work))
        if work.parent.name != ROWS and inputs is not None and inputs <= good:
            continue
        removed += _remove_idle(results, work.parent.name, work.name, work)
    for half in sorted((results / CACHE / STAGING).glob("*")):
        named = _STAGING.fullmatch(half.name)
        if named:
            removed += _remove_idle(results, named["stage"], named["key"], half)
    for aside in sorted((results / CACHE).glob(f"*/{DISCARDED}*")):
        remove_folder(aside)
        removed += 1
    return removed


def _remove_indexes(results: Path, good: set[str]) -> int:
    """Indexes of the browser that show something that is not among ``good``; a running page then ends."""
    removed = 0
    for index in sorted(path for path in (results / BROWSE).glob("*/*") if path.is_dir()):
        shown = (read_object_or_none(index / ABOUT) or {}).get("inputs")
        if isinstance(shown, dict) and good.issuperset(shown.values()):
            continue
        with try_key_lock(index.with_name("index"), without_locks=True) as ours:
            if ours:
                remove_folder(index)
                removed += 1
            else:
                log.warning("%s is being built; run this again when that has ended", index)
    return removed


def _remove_idle(results: Path, stage: str, key: str, folder: Path) -> int:
    with try_key_lock(work_folder(results, stage, key), without_locks=True) as ours:
        if not ours:
            log.warning("%s is in use by a job; run this again when the job has ended", folder)
            return 0
        remove_folder(folder)
        return 1


def _remove_artifacts(artifacts: list[Made]) -> int:
    remove_files(Path(f"{one.path}{MANIFEST}") for one in artifacts)  # without it the rest does not count as complete
    remove_files(
        Path(f"{one.path}{suffix}") for one in artifacts for suffix in [*one.manifest["files"], *_beside(one), RUN]
    )
    return len(artifacts)


def _beside(one: Made) -> list[str]:
    original = one.record.get("original", one.record)
    return list(original.get("beside", [])) if isinstance(original, dict) else []


def _remove_strays(study: Path, good: list[Made]) -> int:
    """Data files that no manifest names: leftovers of killed runs, and of earlier versions of a stage."""
    named = {
        Path(f"{one.path}{suffix}")
        for one in good
        if one.study == study.name
        for suffix in [MANIFEST, RUN, *one.manifest["files"], *_beside(one)]
    }
    strays = []
    for path in _stage_files(study):
        is_data = path.stat().st_mode & 0o222 == 0 or path.name.endswith(".part")
        if is_data and path not in named:
            strays.append(path)
    remove_files(strays)
    return len(strays)


def _remove_crate(study: Path, good: set[str]) -> int:
    """The study's crate, which holds copies of pages and figures, if it describes anything that is removed."""
    removed = 0
    for crate in [study / CRATE, *study.glob(f".{CRATE}.*")]:
        if crate.is_dir() and not _rests_on(crate, good):
            remove_folder(crate)
            removed += 1
    return removed


def _rests_on(crate: Path, good: set[str]) -> bool:
    """Whether a crate has manifests, and all of them are among ``good``."""
    try:
        told = {manifest_hash(path) for path in crate.glob("manifests/**/*.json")}
    except (OSError, Unfit):
        return False
    return bool(told) and told <= good


def _stage_files(study: Path) -> Iterator[Path]:
    for folder in sorted(path for path in study.glob("[!.]*") if path.is_dir() and path.name != LOGS):
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def _discard(entries: list[Made]) -> int:
    for one in entries:
        discard(one.path)
    for folder in sorted({one.path.parent for one in entries}):
        sync_folder(folder)  # discarded entries can't reappear either
    return len(entries)
