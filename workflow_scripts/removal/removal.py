"""Finds and removes the traces of rows that were removed from a study.

A study rerun without some rows leaves behind what was made with them: cache entries, work folders, artifacts of an
earlier config, fetched bytes, logs. Only what was provably made without them is kept: clean annotations, and everything
whose recorded inputs lead to clean annotations or to none at all. What may be deleted, :mod:`deletion` decides; what
may show the rows and is not the project's own is named.
"""

import logging
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workflow_scripts.acquisition.annotations.removal_tokens import id_token, url_token
from workflow_scripts.acquisition.annotations.rows import Apart
from workflow_scripts.core.artifact import MANIFEST, RUN, command_for, manifest_hash
from workflow_scripts.core.cache import discard, key_lock, try_key_lock
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.errors.text import redacted
from workflow_scripts.core.files.bounded_json import Unfit, read_object_or_none
from workflow_scripts.core.files.durable import sync_folder
from workflow_scripts.core.files.jsonio import read_json
from workflow_scripts.core.files.names import ABOUT, BROWSE, CACHE, CRATE, DISCARDED, LOGS, REMOVED, STAGING, WORK
from workflow_scripts.core.files.tables import read_rows
from workflow_scripts.core.stage_in.stage_in import places
from workflow_scripts.core.stage_in.store import LocalError, LocalStore
from workflow_scripts.provenance.crate.contents import contents
from workflow_scripts.provenance.lineage import Made, input_hashes, load, recipe_of, sound
from workflow_scripts.removal.deletion import SNAKEMAKE, delete, delete_empty, entries_below, linked, may_delete
from workflow_scripts.removal.shown import Known, Learned, foreign_in, networks_of, read_known, sheets_of, write_known
from workflow_scripts.removal.store import remove_urls, urls_kept

COLUMNS = ["image_id", "url", "caption", "raw_caption"]
SHORTEST = 8  # minimum characters of a caption to search for; shorter ones occur everywhere
ROWS = "annotations"
MOST_REMOVALS = 1 << 30  # bytes of a removal list, with 67 for each entry
TABLES = (".parquet", ".apart.parquet")
_STAGING = re.compile(r"(?P<stage>[a-z_]+)-(?P<key>[0-9a-f]{64})-[0-9a-f]{32}")
_WORD = re.compile(rb"[A-Za-z0-9_-]{4,64}")
log = logging.getLogger(__name__)


@dataclass
class Listed:
    """Ids, URLs and captions of rows on a removal list."""

    ids: set[str] = field(default_factory=set)
    urls: set[str] = field(default_factory=set)
    captions: set[str] = field(default_factory=set)

    def add(self, tables: Iterable[Path], tokens: Collection[str], pairs: Collection[tuple[str, str]]) -> bool:
        """Add the rows of ``tables`` (as ``annotations`` writes them) that a removal list names, if there are any.

        Args:
            tokens: of ids and URLs; one of them names a row.
            pairs: tokens of id and URL that name a row together.
        """
        found = False
        for image_id, url, *captions in (row for path in tables for row in read_rows(path, COLUMNS)):
            by_id, by_url = id_token(image_id or ""), url_token(url or "")
            if by_id in tokens or by_url in tokens or (by_id, by_url) in pairs:
                found = True
                self.ids.update(filter(None, [image_id]))
                self.urls.update(filter(None, [url]))
                self.captions.update(text for text in captions if text and len(text) >= SHORTEST)
        return found


@dataclass
class Removed:
    """What was removed, as counts, and what could not be."""

    urls: int = 0
    artifacts: int = 0
    entries: int = 0
    folders: int = 0
    logs: int = 0
    indexes: int = 0  # of the browser
    copies: int = 0  # of shards and packs on this node
    nodes: Sequence[str] = ()  # folders that may still hold such copies
    elsewhere: Sequence[str] = ()  # artifacts of other studies that hold the rows
    unknown: int = 0  # entries of the list that match no row of the annotations
    sheets: Sequence[str] = ()  # label sheets and exported pages that show the rows
    networks: Sequence[Learned] = ()  # exported networks that learned from their images
    unread: Sequence[str] = ()  # their keys and records that can't be read, with the reason
    kept: Sequence[str] = ()  # what is not the project's own and may show the rows


def remove_listed(results: Path, study: str) -> Removed:
    """Remove everything that may hold rows on the removal list that ``results/<study>`` was made with.

    Annotations are removed last, since they determine what else to look for; and what shows an image is noted before
    anything is removed. So after a kill, a second call completes it.

    Raises:
        PipelineError: the study does not exist, the origin of its annotations is unknown, the note of earlier removals
            is damaged, or a running download has such rows.
    """
    with key_lock(results / REMOVED / study):
        return _remove_listed(results, study)


def _remove_listed(results: Path, study: str) -> Removed:
    everything = load(results)
    tokens = removal_of(results, study)
    own = next(one for one in everything if one.study == study and one.stage == ROWS)
    if not tokens:  # nothing to remove, but what still shows rows that were removed before is named
        sheets, networks, unread = _showing(results, study, everything, own, set())
        return Removed(sheets=sheets, networks=networks, unread=unread)
    made_rows = [one for one in everything if one.stage == ROWS]
    excluded = excluded_tokens(own.file(TABLES[1]))
    # Of the rows whose source gives another URL, which no table stores.
    pairs = {(image_id, stored) for image_id, stored, *given in excluded if given}
    listed = Listed()
    dirty = set()
    for artifact in made_rows:
        # Other rows of the same image may remain in the study's own annotations.
        if listed.add(_tables(artifact), tokens, pairs if artifact.hash != own.hash else ()):
            dirty.add(id(artifact))
    good = sound(everything, lambda one: id(one) not in dirty)
    if own.hash not in good:
        advice = f"recompute it with: {command_for(Path(f'{own.path}{MANIFEST}'))}"
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
    ids = {tokens_of_row[0] for tokens_of_row in excluded} | {id_token(one) for one in listed.ids} | tokens
    sheets, networks, unread = _showing(results, study, everything, own, ids - {id_token("")})
    gone = Removed(
        urls=remove_urls(results, _unused(listed.urls, clean_rows)),
        logs=_remove_logs(results, study, listed, ids),
        folders=_remove_folders(results, good),
        indexes=_remove_indexes(results, good),
        artifacts=_remove_artifacts(results, mine)
        + _remove_strays(results, study, present)
        + _remove_crates(results, study, good),
        entries=_discard(results, sorted(entries, key=lambda one: one.stage == ROWS)),
        elsewhere=sorted(str(one.path) for one in elsewhere),
        unknown=len(tokens - taken_out),
        sheets=sheets,
        networks=networks,
        unread=unread,
        kept=foreign_in(results, study, _files(present)),
    )
    gone.copies, gone.nodes = remove_copies(results)  # those whose originals are gone by now
    return gone


def _showing(
    results: Path, study: str, everything: list[Made], own: Made, ids: set[str]
) -> tuple[list[str], list[Learned], list[str]]:
    """Sheets, pages and networks with images of these ids or of earlier removals; and what can't be read.

    All of them are noted first. An earlier removal no longer counts for rows that the study has again.
    """
    known = read_known(results, study)
    if earlier := known.ids - ids:
        for table in _tables(own):
            earlier.difference_update(id_token(image_id) for (image_id,) in read_rows(table, ["image_id"]) if image_id)
    ids = ids | earlier
    sheets = sheets_of(results, everything, ids, known.sheets)
    networks, unread = networks_of(results, ids, known.networks)
    noted = {
        str(network.record.relative_to(results)): (str(network.folder), network.weights, network.ids)
        for network in networks
    }
    left = {sheet: record for sheet, record in known.sheets.items() if sheet not in sheets.described}
    write_known(results, study, Known(ids=ids, sheets=left | sheets.noted, networks=known.networks | noted))
    return sheets.lines, networks, sheets.unread + unread


def _tables(one: Made) -> list[Path]:
    return [path for path in map(one.file, TABLES) if path.exists()]


def removal_of(results: Path, study: str) -> frozenset[str]:
    """Tokens of the removal list that a study's annotations were made with.

    Raises:
        PipelineError: the study has no annotations, or their list can't be read or was edited.
    """
    rows = results / study / ROWS / "rows"
    if not Path(f"{rows}{MANIFEST}").exists():
        raise PipelineError("no annotations", results / study, "they do not exist", "run the study first")
    path = Path(f"{rows}.exclude.json")
    advice = f"recompute it with: {command_for(Path(f'{rows}{MANIFEST}'))}"
    tokens = read_json(path, advice, MOST_REMOVALS) if path.exists() else []
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise PipelineError("invalid list of removals", path, "it was edited", advice)
    return frozenset(tokens)


def _unused(urls: set[str], tables: Iterable[Path]) -> set[str]:
    """URLs that no remaining row has; a URL that a remaining row shares is removed only if it is listed itself."""
    left = set(urls)
    for table in tables:
        if table.exists():
            left.difference_update(url for (url,) in read_rows(table, ["url"]))
    return left


def _remove_logs(results: Path, study: str, listed: Listed, ids: Collection[str]) -> int:
    """Logs with a text of the rows, or with a word that is an id of theirs or has one of the tokens ``ids``."""
    texts = [text.encode() for text in listed.urls | {redacted(url) for url in listed.urls} | listed.captions]
    folders = [results / study / LOGS, results / ".slurm", results.parent / SNAKEMAKE / "log"]
    found = []
    seen: dict[bytes, bool] = {}
    for path in (path for folder in folders for path in entries_below(results, folder)):
        if not may_delete(results, path):
            continue
        content = path.read_bytes()
        words = set(_WORD.findall(content))
        seen |= {word: id_token(word.decode()) in ids for word in words - seen.keys()}
        if any(text in content for text in texts) or any(seen[word] for word in words):
            found.append(path)
    return len(delete(results, found))


def _remove_folders(results: Path, good: set[str]) -> int:
    """Work folders and unfinished entries not in use by a process; work that has only good inputs is kept."""
    removed = 0
    for work in sorted((results / WORK).glob("*/*")):
        if not may_delete(results, work) or not work.is_dir():
            continue
        inputs = input_hashes(recipe_of(work))
        if work.parent.name != ROWS and inputs is not None and inputs <= good:
            continue
        removed += _remove_idle(results, work, work)
    for half in sorted((results / CACHE / STAGING).glob("*")):
        named = _STAGING.fullmatch(half.name)
        if named:
            removed += _remove_idle(results, results / WORK / named["stage"] / named["key"], half)
    return removed + len(delete(results, sorted((results / CACHE).glob(f"*/{DISCARDED}*"))))


def _remove_indexes(results: Path, good: set[str]) -> int:
    """Indexes of the browser that show something that is not among ``good``; a running page then ends."""
    removed = 0
    for index in sorted(path for path in (results / BROWSE).glob("*/*") if may_delete(results, path)):
        shown = (read_object_or_none(index / ABOUT) or {}).get("inputs")
        if isinstance(shown, dict) and good.issuperset(shown.values()):
            continue
        removed += _remove_idle(results, index.with_name("index"), index)
    return removed


def _remove_idle(results: Path, guard: Path, folder: Path) -> int:
    """Remove a folder unless a job holds the lock of ``guard``; returns how many were removed."""
    if linked(results, guard):
        return 0
    with try_key_lock(guard, without_locks=True) as ours:
        if not ours:
            log.warning("%s is in use by a job; run this again when the job has ended", folder)
            return 0
        return len(delete(results, [folder]))


def _remove_artifacts(results: Path, artifacts: list[Made]) -> int:
    # Without the manifest, the rest does not count as complete.
    removed = len(delete(results, [Path(f"{one.path}{MANIFEST}") for one in artifacts]))
    delete(results, [file for file in _files(artifacts) if not file.name.endswith((MANIFEST, RUN))])
    delete(results, [Path(f"{artifact.path}{RUN}") for artifact in artifacts])
    return removed


def _files(artifacts: Iterable[Made]) -> list[Path]:
    """All files of these artifacts."""
    found = []
    for artifact in artifacts:
        beside = (artifact.record.get("original") or artifact.record).get("beside", {})
        found += [Path(f"{artifact.path}{suffix}") for suffix in (MANIFEST, RUN, *artifact.manifest["files"], *beside)]
    return found


def _remove_strays(results: Path, study: str, present: list[Made]) -> int:
    """Data files of artifacts that no manifest names, and temporary files: leftovers of killed runs."""
    named = set(_files(artifact for artifact in present if artifact.study == study))
    strays = []
    for path in entries_below(results, results / study):
        is_data = path.name.endswith(".part") or path.lstat().st_mode & 0o222 == 0
        beside = path.relative_to(results / study).parts[0] in (LOGS, CRATE)
        if is_data and not beside and path not in named and may_delete(results, path):
            strays.append(path)
    return len(delete(results, strays))


def _remove_crates(results: Path, study: str, good: set[str]) -> int:
    """The study's crate, which holds copies of pages and figures, if it describes anything that is removed."""
    crate = results / study / CRATE
    removed = 0
    if linked(results, crate) is None and crate.is_dir() and not _rests_on(crate, good):
        own, _ = contents(crate)
        removed = len(delete(results, own)) > 0
        inside = {folder for file in own for folder in file.parents if folder.is_relative_to(crate)}
        delete_empty(results, sorted(inside | {crate}, key=lambda folder: len(folder.parts), reverse=True))
    halves = [half for half in sorted((results / study).glob(f".{CRATE}.*")) if not _rests_on(half, good)]
    return removed + len(delete(results, halves))


def _rests_on(crate: Path, good: set[str]) -> bool:
    """Whether a crate has manifests, and all of them are among ``good``."""
    try:
        told = {manifest_hash(path) for path in contents(crate)[0] if path.is_relative_to(crate / "manifests")}
    except (OSError, Unfit):
        return False
    return bool(told) and told <= good


def _discard(results: Path, entries: Sequence[Made]) -> int:
    own = [piece.path for piece in entries if may_delete(results, piece.path)]
    for entry in own:
        discard(entry)
    for folder in sorted({entry.parent for entry in own}):
        delete(results, sorted(folder.glob(f"{DISCARDED}*")))  # raises what discarding leaves to a later call
        sync_folder(folder)  # discarded entries can't reappear either
    return len(own)


def remove_copies(results: Path) -> tuple[int, list[str]]:
    """Remove the copies on this node whose original was replaced or removed.

    Returns:
        Number of copies removed; and the folders that may still hold such copies, since they are on another node, in
        use or unreadable, or since the note that names them is damaged.
    """
    noted, damaged = places(results)
    removed, left = 0, [f"an unknown folder: {path} is damaged" for path in damaged]
    for place in noted:
        if not place.here:
            left.append(f"{place.folder} on node {place.host}")
        elif place.gone:
            place.record.unlink(missing_ok=True)
        else:
            try:
                gone, used = LocalStore(place.folder, 0).open()
            except LocalError as error:
                left.append(f"{place.folder}: {error}")
                continue
            removed += gone
            left += [f"{place.folder}: {used} in use by a job"] if used else []
    return removed, left


def excluded_tokens(table: Path) -> list[tuple[str, ...]]:
    """Tokens of the id and of each URL of all rows that a removal list excluded, from the table of unused rows."""
    rows = read_rows(table, ["image_id", "url", "reason"])
    return [(image_id, *urls.split()) for image_id, urls, reason in rows if reason == Apart.EXCLUDED]
