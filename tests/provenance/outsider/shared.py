"""The cache and the note of the config."""

from pathlib import Path

from tests.provenance.outsider.tools import (
    LEAF,
    dump,
    edit_record,
    entry,
    first,
    flip,
    outside,
    pair,
    parts,
    read,
    remove,
    swap,
    write,
)


def cache_file_replaced(study: Path) -> None:
    """The cache's copy of a table, no longer a hard link, has another bit; the study's own is as it was."""
    path = first(entry(study, "summary/summary"), "files/*.parquet")
    write(path, flip(path.read_bytes(), 7))


def cache_file_missing(study: Path) -> None:
    """One of two files of a cache entry is gone."""
    first(entry(study, "summary/summary"), "files/*.csv").unlink()


def cache_entries_swapped(study: Path) -> None:
    """The cache entries of two trainings change places, so each key gives the other's weights."""
    swap(*pair(study.parent, ".cache/pretrain/*"))


def cache_manifest_edited(study: Path) -> None:
    """The manifest in a cache entry counts other rows."""
    path = entry(study, "annotations/rows") / "manifest.json"
    write(path, dump({**read(path), "rows": {"dropped": {}, "in": 4, "out": 4}}))


def cache_record_edited(study: Path) -> None:
    """The record in a cache entry claims other settings, with a valid digest of itself."""
    path = entry(study, "pretrain/simclr-self-crop-s0") / "run.json"
    edit_record(path, settings={"run": "simclr-self-crop-s0", "steps": 900})


def cache_manifest_missing(study: Path) -> None:
    """A cache entry has no manifest."""
    (entry(study, "shard_plan/plan") / "manifest.json").unlink()


def cache_extra_file(study: Path) -> None:
    """A cache entry holds a file that its manifest does not name."""
    (entry(study, "summary/summary") / "files" / "_.tsv").write_bytes(b"run\taccuracy\n")


def cache_entry_links_outside(study: Path) -> None:
    """The cache entry of the summary is a link to a changed copy outside."""
    path = entry(study, "summary/summary")
    target = outside(study) / path.name
    path.rename(target)
    path.symlink_to(target)
    write(first(target, "files/*.csv"), b"run,accuracy\nmine,0.99\n")


def note_of_config_shortened(study: Path) -> None:
    """The leaf is deleted and crossed off the config's list of artifacts, whose digest is left as it was."""
    for path in parts(study, LEAF):
        remove(path)
    path = study.parent / ".configs" / f"{study.name}.json"
    note = read(path)
    write(path, dump({**note, "artifacts": [name for name in note["artifacts"] if name != LEAF]}))


def note_of_config_missing(study: Path) -> None:
    """The leaf is deleted, and so is the note of what the config requests."""
    for path in parts(study, LEAF):
        remove(path)
    (study.parent / ".configs" / f"{study.name}.json").unlink()


def note_of_config_rewritten(study: Path) -> None:
    """The config's list no longer has the leaf, with a valid digest, while the leaf is still there."""
    path = study.parent / ".configs" / f"{study.name}.json"
    edit_record(path, artifacts=[name for name in read(path)["artifacts"] if name != LEAF])
