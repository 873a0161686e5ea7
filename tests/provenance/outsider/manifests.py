"""Manifests."""

import os
from pathlib import Path

from tests.provenance.outsider.tools import (
    LEAF,
    MANIFEST,
    RUN,
    digest,
    dump,
    edit_leaf,
    edit_record,
    entry,
    first,
    insert,
    read,
    sha256,
    write,
)


def manifest_count_edited(study: Path) -> None:
    """A manifest counts one row more."""
    path = first(study, "annotations/*" + MANIFEST)
    manifest = read(path)
    manifest["rows"]["out"] += 1
    write(path, dump(manifest))


def leaf_manifest_repeats_key(study: Path) -> None:
    """The leaf's manifest names other counts first and the true ones later: most readers see only the last."""
    insert(study / (LEAF + MANIFEST), '\n "rows": {"dropped": {}, "in": 9, "out": 9},')


def leaf_manifest_true_for_one(study: Path) -> None:
    """A number of the leaf's manifest becomes true, which Python takes for 1; the run record agrees."""
    edit_leaf(study, {**read(study / (LEAF + MANIFEST)), "schema": True})


def leaf_manifest_decimal_bytes(study: Path) -> None:
    """The size of a file becomes a decimal number in the leaf's manifest; the run record agrees."""
    manifest = read(study / (LEAF + MANIFEST))
    for file in manifest["files"].values():
        file["bytes"] = float(file["bytes"])
    edit_leaf(study, manifest)


def leaf_manifest_rows(study: Path) -> None:
    """Rows that were dropped are hidden in the leaf's manifest, and the run record agrees; the cache does not."""
    edit_leaf(study, {**read(study / (LEAF + MANIFEST)), "rows": {"dropped": {}, "in": 4, "out": 4}})


def leaf_rewritten_but_cache(study: Path) -> None:
    """The leaf's data, manifest and run record are rewritten and agree; the cache has the true ones."""
    path, manifest = first(study, "report/*.html"), read(study / (LEAF + MANIFEST))
    content = path.read_bytes() + b"<p>significant</p>"
    write(path, content)
    manifest["files"][path.suffix] = {"bytes": len(content), "sha256": sha256(content)}
    edit_leaf(study, manifest)


def leaf_manifest_without_files(study: Path) -> None:
    """The leaf's page is deleted, its manifest names no file, and the run record agrees."""
    first(study, "report/*.html").unlink()
    edit_leaf(study, {**read(study / (LEAF + MANIFEST)), "files": {}})


def leaf_manifest_names_foreign_file(study: Path) -> None:
    """The leaf's manifest also claims a file of another stage by a path with dots; the run record agrees."""
    manifest = read(study / (LEAF + MANIFEST))
    path = first(study, "summary/*.csv")
    there = f"/../../summary/{path.name}"
    manifest["files"][there] = {"bytes": path.stat().st_size, "sha256": sha256(path.read_bytes())}
    edit_leaf(study, manifest)


def manifest_with_byte_order_mark(study: Path) -> None:
    """An editor stored a manifest with a byte order mark."""
    path = first(study, "source/*" + MANIFEST)
    write(path, b"\xef\xbb\xbf" + path.read_bytes())


def leaf_manifest_other_encoding(study: Path) -> None:
    """The leaf's manifest is stored as UTF-16, which some readers decode unasked."""
    path = study / (LEAF + MANIFEST)
    write(path, path.read_bytes().decode().encode("utf-16"))


def manifest_is_list(study: Path) -> None:
    """A manifest is valid JSON, but a list."""
    path = first(study, "shard_plan/*" + MANIFEST)
    write(path, b"[" + path.read_bytes() + b"]\n")


def manifest_very_deep(study: Path) -> None:
    """A manifest is nested more deeply than a parser can go."""
    write(study / (LEAF + MANIFEST), b'{"files": ' + b"[" * 200_000 + b"]" * 200_000 + b"}\n")


def manifest_is_pipe(study: Path) -> None:
    """A named pipe stands in the place of a manifest."""
    path = first(study, "summary/*" + MANIFEST)
    path.unlink()
    os.mkfifo(path)


def manifest_missing(study: Path) -> None:
    """The leaf's manifest is deleted; data and record stay."""
    (study / (LEAF + MANIFEST)).unlink()


def manifest_file_cut(study: Path) -> None:
    """The end of a manifest became zeros, as after a power failure."""
    path = first(study, "image_index/*" + MANIFEST)
    content = path.read_bytes()
    write(path, content[:256].ljust(len(content), b"\0"))


def file_dropped_from_manifest(study: Path) -> None:
    """A middle artifact loses a file, and so do its manifest, its record and its cache entry; consumers stay."""
    name = "select_captions/original"
    manifest, folder = read(study / (name + MANIFEST)), entry(study, name)
    del manifest["files"][".json"]
    for path in (study / (name + ".json"), folder / "files" / "_.json"):
        path.unlink()
    for path in (study / (name + MANIFEST), folder / "manifest.json"):
        write(path, dump(manifest))
    for path in (study / (name + RUN), folder / "run.json"):
        edit_record(path, manifest=digest(manifest))
