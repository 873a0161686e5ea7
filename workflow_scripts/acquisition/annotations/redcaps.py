"""The official RedCaps v1.0 zip: ``annotations/<subreddit>_<year>.json``; other files are ignored."""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import ijson

from workflow_scripts.acquisition.annotations.formats.sample import Sample
from workflow_scripts.acquisition.annotations.rows import Filter
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files import tars
from workflow_scripts.core.files.json_stream import PIECE, BoundedStream

MEMBER = re.compile(r"annotations/(?P<subreddit>[A-Za-z0-9_]{1,64})_(?P<year>\d{4})\.json")
LARGEST_MEMBER = 2 << 30  # bytes of an annotation file, unpacked
MOST_TIMES, SMALL = 50, 64 << 20  # a zip that unpacks to at most SMALL bytes is accepted at any compression ratio
# Unlike these, LZMA may request gigabytes of memory by a few bytes of its header.
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
LAYOUT = "expected annotations/<subreddit>_<year>.json with {info, annotations: [...]}, as in RedCaps v1.0"


@dataclass(frozen=True, order=True)
class Member:
    """One annotation file of the zip; files are read in sort order."""

    subreddit: str
    year: int
    name: str


def members(path: Path) -> list[Member]:
    """The zip's annotation files, sorted, whatever their order in the zip.

    Raises:
        PipelineError: not a zip, no annotation file in it, an unexpected name, or a repeated name.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
            unpacked = sum(one.file_size for one in archive.infolist() if one.filename.startswith("annotations/"))
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise PipelineError("not a zip", path, error, "give the RedCaps annotation zip, or fetch it again") from None
    found = []
    for name in names:
        if not (name.startswith("annotations/") and name.endswith(".json")):
            continue
        match = MEMBER.fullmatch(name)
        if match is None:
            raise PipelineError("unexpected file name", path, name, LAYOUT)
        found.append(Member(match["subreddit"].lower(), int(match["year"]), name))
    if not found:
        raise PipelineError("no annotation files", path, f"{len(names)} members", LAYOUT)
    packed = path.stat().st_size
    if unpacked > max(SMALL, MOST_TIMES * packed):
        value = f"{unpacked} bytes from {packed}, more than {MOST_TIMES} times as many"
        raise PipelineError("zip unpacks to too much data", path, value, "use the official RedCaps zip")
    repeated = [one.name for one, two in pairwise(found) if one.name == two.name]
    if repeated:
        raise PipelineError("repeated file in zip", path, repeated[0], "rebuild the zip with one of them")
    return sorted(found)


def read_member(archive: zipfile.ZipFile, member: Member, max_bytes: int = LARGEST_MEMBER) -> Iterator[Any]:
    """Yield the raw rows of one annotation file of an open zip, which is read in pieces.

    Raises:
        PipelineError: the file is larger than ``max_bytes`` unpacked, damaged, encrypted, not JSON, or has another
            layout; this may be found only at its end.
    """
    where = f"{archive.filename}!{member.name}"
    info = archive.getinfo(member.name)
    if info.file_size > max_bytes:
        raise PipelineError("file too large", where, f"{info.file_size} bytes", "use the official RedCaps zip")
    if info.compress_type not in COMPRESSIONS:
        raise PipelineError("unsupported compression", where, f"method {info.compress_type}", "repack it with deflate")
    is_empty = True
    try:
        # zipfile reads up to the size in the directory and then verifies the checksum.
        with archive.open(info) as stream:
            for row in ijson.items(BoundedStream(stream), "annotations.item", use_float=True, buf_size=PIECE):
                is_empty = False
                yield row
        if is_empty:
            with archive.open(info) as stream:
                kinds = {event for prefix, event, _ in ijson.parse(BoundedStream(stream)) if prefix == "annotations"}
            if "start_array" not in kinds:
                raise PipelineError("no list of annotations", where, "no such key, or another value", LAYOUT)
    except (ijson.JSONError, zipfile.BadZipFile, RuntimeError, *tars.BROKEN) as error:
        raise PipelineError("unreadable annotation file", where, error, f"fetch the zip again; {LAYOUT}") from None


def redcaps_samples(zip_path: Path, wanted: Filter) -> Iterator[Sample]:
    """The rows of all annotation files, sorted by subreddit, file name and position, whatever their order in the zip.

    Raises:
        PipelineError: the zip or a file is not RedCaps', or a wanted subreddit is not in it.
    """
    found = members(zip_path)
    missing = (wanted.subreddits or frozenset()) - {member.subreddit for member in found}
    if missing:
        advice = "correct annotations.subreddits; use the names of the files in the zip"
        raise PipelineError("unknown subreddit", zip_path, ", ".join(sorted(missing)), advice)
    with zipfile.ZipFile(zip_path) as archive:
        for member in found:
            for raw in read_member(archive, member):
                size = sum(len(text) for text in raw.values() if isinstance(text, str)) if isinstance(raw, dict) else 0
                yield Sample(raw, group=member.subreddit, year=member.year, size=size)
