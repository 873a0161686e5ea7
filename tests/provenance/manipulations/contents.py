"""Bytes of files."""

import os
import random
from pathlib import Path

from tests.provenance.manipulations.tools import Changed, any_file, files_of, of_kind, replace_bytes, stem
from workflow_scripts.core.artifact import RUN


def flipped_byte(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= chance.randint(1, 255)
    replace_bytes(path, bytes(data))
    return {path}


def flipped_in_place(study: Path, chance: random.Random) -> Changed:
    """Through a hard link the cache's file changes too; size and time stay."""
    path = chance.choice(of_kind(study, "data"))
    status = path.stat()
    path.chmod(0o644)
    with open(path, "r+b") as stream:
        stream.seek(chance.randrange(status.st_size))
        old = stream.read(1)
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([old[0] ^ 1]))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return {path}


def truncated(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    data = path.read_bytes()
    replace_bytes(path, data[: chance.randrange(len(data))])
    return {path}


def appended(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    replace_bytes(path, path.read_bytes() + chance.choice([b"\n", b"\0", b" ", b"{}", b"x" * 5000]))
    return {path}


def zeros_of_the_same_size(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    replace_bytes(path, bytes(path.stat().st_size))
    return {path}


def swapped_between_artifacts(study: Path, chance: random.Random) -> Changed:
    kind = chance.choice(["manifest", "record", "data"])
    one, other = chance.sample(of_kind(study, kind), 2)
    first, second = one.read_bytes(), other.read_bytes()
    replace_bytes(one, second)
    replace_bytes(other, first)
    return {one, other}


def swapped_within_an_artifact(study: Path, chance: random.Random) -> Changed:
    one, other = chance.sample(files_of(stem(chance.choice(of_kind(study, "manifest")))), 2)
    first, second = one.read_bytes(), other.read_bytes()
    replace_bytes(one, second)
    replace_bytes(other, first)
    return {one, other}


def hard_link_to_another_artifact(study: Path, chance: random.Random) -> Changed:
    one, other = chance.sample(of_kind(study, "data"), 2)
    one.unlink()
    os.link(other, one)
    return {one}


def lost_pair(study: Path, chance: random.Random) -> Changed:
    """Manifest and run record: the report, which was made from everything, misses the artifact."""
    manifest = chance.choice([path for path in of_kind(study, "manifest") if path.parent.name != "report"])
    changed = {path for path in files_of(stem(manifest)) if not path.name.endswith(RUN)}
    manifest.unlink()
    manifest.with_name(stem(manifest).name + RUN).unlink()
    return changed
