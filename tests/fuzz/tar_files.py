"""Tars as other tools may have written them: links, devices, wrong sizes, strange names, compressed, damaged."""

import bz2
import gzip
import io
import lzma
import random
import tarfile
from collections.abc import Mapping

from tests.fuzz.mutate import NUMBERS, mutate_bytes

NAMES = (
    "../outside.jpg",
    "/etc/passwd",
    "train/../../x.png",
    "a\\b.png",
    "train/a/\udcff\udcfe.png",
    "train/a/-rf.png",
    "__MACOSX/train/a/._x.png",
    "train/a/.hidden.png",
    "train/a/" + "n" * 300 + ".png",
    "train/a/a\nb.png",
    "",
    "train/a/b/c.png",
    "train//a//x.png",
    "./train/a/y.png",
    "train/a",
    ".",
    "train/é/ü.png",
    "images/x.png",
)
KINDS = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE, b"S", b"z")


def tar(good: Mapping[str, bytes], rng: random.Random) -> bytes:
    """A tar of the members ``good``, in some order, some of them twisted; perhaps compressed, perhaps damaged."""
    target = io.BytesIO()
    form = rng.choice((tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))
    whole = rng.random() < 0.3
    with tarfile.open(fileobj=target, mode="w", format=form, errors="surrogateescape", encoding="utf-8") as made:
        members = list(good.items())
        if rng.random() < 0.3:
            rng.shuffle(members)
        for name, data in members:
            _add(made, name, data, rng, strange=not whole and rng.random() < 0.15)
    data = target.getvalue()
    packers = {"gz": lambda: gzip.compress(data, 1), "bz2": lambda: bz2.compress(data, 1), "xz": lambda: _xz(data)}
    chosen = rng.choice(("", "", "", "gz", "bz2", "xz"))
    data = packers[chosen]() if chosen else data
    return mutate_bytes(data, rng, (data,), most=3) if not whole and rng.random() < 0.5 else data


def _xz(data: bytes) -> bytes:
    return lzma.compress(data, preset=0)


def _add(made: tarfile.TarFile, name: str, data: bytes, rng: random.Random, strange: bool) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    content = io.BytesIO(data)
    way = rng.randrange(6) if strange else -1
    if way == 0:
        member.name = rng.choice(NAMES)
    elif way == 1:
        member.type, member.size, member.linkname = rng.choice(KINDS), 0, rng.choice((name, *NAMES))
        content = io.BytesIO()
    elif way == 2:
        member.mtime, member.uid, member.mode = rng.choice(NUMBERS), rng.choice(NUMBERS[:8]), 0
    elif way == 3 and made.format == tarfile.PAX_FORMAT:
        keys = ("size", "path", "GNU.sparse.map", "GNU.sparse.major", "GNU.sparse.size", "mtime", "hdrcharset")
        member.pax_headers = {rng.choice(keys): rng.choice(("", "x", "-1", "1e400", str(2**63), "1,2,3", "BINARY"))}
    elif way == 4:
        _claim(made, member, rng)
        return
    try:
        made.addfile(member, content)
    except (ValueError, OverflowError, UnicodeError):
        return  # no tar can say that


def _claim(made: tarfile.TarFile, member: tarfile.TarInfo, rng: random.Random) -> None:
    """A header that claims a size which no data follows."""
    member.size = rng.choice((1, 512, 2**20, 2**33 - 1, 2**40))
    try:
        header = member.tobuf(made.format, "utf-8", "surrogateescape")
    except ValueError:
        return
    assert made.fileobj is not None
    made.fileobj.write(header)
    made.offset += len(header)
