"""Detects the format of an annotation source from the files at its path."""

import os
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workflow_scripts.core.errors import PipelineError

Format = Literal["redcaps", "folder", "table", "webdataset", "coco"]
Choose = Literal["first", "random", "longest", "each"]  # among several captions of an image
TABLES = (".parquet", ".csv", ".tsv", ".jsonl")
FLICKR = ("captions.txt", ".token.txt", ".token")  # tables of Flickr8k and Flickr30k, at the end of a file's name
PACKED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")
HEAD = 1 << 16  # bytes at the start of a file that tell its format


@dataclass(frozen=True)
class Layout:
    """An annotation source of a known format.

    Attributes:
        source: its path, a folder or a file.
        table: the table or COCO JSON in it; the source itself where that is one file.
        tars: WebDataset shards, sorted.
    """

    format: Format
    source: Path
    table: Path | None = None
    tars: tuple[Path, ...] = ()


def layout_of(source: Path, wanted: Format | None = None, table: str | None = None) -> Layout:
    """The format of the annotation source at ``source``.

    Args:
        source: a folder or file that exists.
        wanted: the format that the config states; None detects it.
        table: name of the table or JSON file in the folder, where the config states one.

    Raises:
        PipelineError: no format matches, or several do.
    """
    if source.is_dir():
        return _folder(source, wanted, table)
    if table is not None:
        value = f"annotations.table is {table}"
        raise PipelineError("source is a single file", source, value, "give its folder, or remove the setting")
    format = wanted or _format_of_file(source)
    tars = (source,) if format == "webdataset" else ()
    return Layout(format, source, source if format in ("table", "coco") else None, tars)


def _folder(source: Path, wanted: Format | None, table: str | None) -> Layout:
    if wanted == "redcaps":
        raise PipelineError("not a zip", source, "a folder", "give the RedCaps annotation zip, or remove its format")
    if table is not None:
        path = _inside(source, table)
        if not path.is_file():
            raise PipelineError("missing table", source, f"no {table}", "correct annotations.table in the config")
        return Layout(wanted or ("coco" if path.suffix.lower() == ".json" else "table"), source, path)
    with os.scandir(source) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and os.path.isfile(entry.path))
    found = _candidates(source, names)
    if wanted is not None:
        found = {format: files for format, files in found.items() if format == wanted}
    if len(found) > 1:
        value = " and ".join(f"{files[0].name} ({format})" for format, files in found.items())
        raise PipelineError("several formats", source, value, "set annotations.format, or annotations.table, to one")
    format, files = next(iter(found.items()), (wanted or "folder", []))
    if format == "folder" and wanted is None:
        _check_no_table_below(source)
    if format == "webdataset":
        if not files:
            packed = next((name for name in names if name.lower().endswith(PACKED_TARS)), None)
            value = f"{packed} is compressed" if packed else "no *.tar"
            raise PipelineError("no WebDataset shards", source, value, "put uncompressed tars into the folder")
        return Layout(format, source, tars=tuple(files))
    if format in ("table", "coco"):
        if len(files) != 1:
            value = f"{len(files)} files: {', '.join(file.name for file in files[:5])}" if files else "no such file"
            raise PipelineError(f"no single {format} file", source, value, "name it in annotations.table")
        return Layout(format, source, _inside(source, files[0].name))
    return Layout(format, source)


def _check_no_table_below(source: Path) -> None:
    """Raise PipelineError for a folder with JSON or tables in subfolders, as COCO's, but without any text file."""
    tables: list[str] = []
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if any(name.lower().endswith(".txt") and not name.startswith(".") for name in names):
            return
        there = [name for name in sorted(names) if name.lower().endswith((*TABLES, ".json")) and name[0] != "."]
        tables += [os.path.relpath(os.path.join(folder, name), source) for name in there]
    if tables:
        best = next((name for name in tables if "caption" in name.lower()), tables[0])
        advice = f"set annotations.table: {best} and, if its paths start from a subfolder, annotations.images"
        raise PipelineError("captions in a subfolder", source, f"no text files beside the images, but {best}", advice)


def _inside(source: Path, table: str) -> Path:
    """Path of a table in the source. Raises PipelineError if it leads out of it."""
    path = source / table
    if not os.path.realpath(path).startswith(os.path.realpath(source) + os.sep):
        raise PipelineError("path outside the source", source, table, "copy the table into it, or correct its name")
    return path


def _candidates(source: Path, names: list[str]) -> dict[Format, list[Path]]:
    """Files at the top of a folder, by the format that their names suggest.

    img2dataset writes ``<shard>.parquet`` and ``<shard>_stats.json`` beside each tar; these do not count as sources.
    """
    tars = [name for name in names if name.lower().endswith(".tar")]
    companions = {Path(name).stem + end for name in tars for end in (".parquet", "_stats.json")}
    others = [name for name in names if name not in companions]
    by_format: dict[Format, list[str]] = {
        "webdataset": tars,
        "table": [name for name in others if name.lower().endswith((*TABLES, *FLICKR))],
        "coco": [name for name in others if name.lower().endswith(".json")],
    }
    return {format: [source / name for name in found] for format, found in by_format.items() if found}


def _format_of_file(path: Path) -> Format:
    """The format by content, since a fetched file has no suffix."""
    with open(path, "rb") as stream:
        head = stream.read(HEAD)
    if path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
        return "redcaps"
    if _is_tar(head):
        return "webdataset"
    if head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ")):
        raise PipelineError("compressed source", path, "gzip, bzip2 or xz", "unpack it; zips and tars are read")
    return "table" if kind_of_table(head) != "json" else "coco"


def _is_tar(head: bytes) -> bool:
    """Whether a file starts with the header of a tar; text may have the header's mark in the same place by chance."""
    try:
        tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


def kind_of_table(head: bytes) -> Literal["parquet", "csv", "tsv", "jsonl", "json"]:
    """The kind of a table from its first ``HEAD`` bytes; ``json`` is a single object or list, as in COCO files."""
    if head.startswith(b"PAR1"):
        return "parquet"
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    line = first.partition(b"\n")[0].rstrip()
    if first.startswith(b"["):
        return "json"
    if first.startswith(b"{"):
        # A COCO file is often a single line, longer than what was read; a row of JSON lines ends within it.
        is_row = line.endswith(b"}") and b'"annotations"' not in line
        return "jsonl" if is_row else "json"
    return "tsv" if b"\t" in line else "csv"
