"""What the manipulations share."""

import hashlib
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

LEAF = "report/index"
MANIFEST, RUN = ".manifest.json", ".run.json"


def write(path: Path, content: bytes) -> None:
    """Put a new file with this content in the place of the old one, whose other names keep the old content."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


def write_through(path: Path, content: bytes) -> None:
    """Overwrite the bytes in place, so that every hard link to them changes, and restore mode and times."""
    before = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()
    path.chmod(stat.S_IMODE(before.st_mode))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def flip(content: bytes, at: int) -> bytes:
    """The content with one bit of one byte changed."""
    changed = bytearray(content)
    changed[at] ^= 1
    return bytes(changed)


def remove(path: Path) -> None:
    """Remove a file, link or folder."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def digest(value: Any) -> str:
    """sha256 of the compact, sorted JSON, as run records use it."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def dump(value: Any) -> bytes:
    """JSON in the form that the study's own files have."""
    return (json.dumps(value, sort_keys=True, indent=1) + "\n").encode()


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_bytes())


def signed(record: dict[str, Any]) -> dict[str, Any]:
    """The record with a valid digest of itself."""
    rest = {name: value for name, value in record.items() if name != "self"}
    return {**rest, "self": digest(rest)}


def keyed(record: dict[str, Any]) -> dict[str, Any]:
    """The record with the key that its own fields give."""
    names = ("stage", "unit", "code", "settings", "inputs", "environment")
    return {**record, "key": digest({"schema": 1, **{name: record[name] for name in names}})}


def edit_record(path: Path, **fields: Any) -> None:
    """Rewrite fields of a run record and make it valid again."""
    write(path, dump(signed({**read(path), **fields})))


def edit_leaf(study: Path, manifest: dict[str, Any]) -> None:
    """Give the leaf artifact another manifest, and a run record that agrees with it."""
    write(study / (LEAF + MANIFEST), dump(manifest))
    record = read(study / (LEAF + RUN))
    edit_record(study / (LEAF + RUN), manifest=digest({**manifest, "unit": record["unit"]}))


def insert(path: Path, text: str) -> None:
    """Put text behind the first brace of a JSON file."""
    write(path, path.read_bytes().replace(b"{", b"{" + text.encode(), 1))


def first(study: Path, pattern: str) -> Path:
    """The first path by name that the pattern finds."""
    return min(study.glob(pattern))


def pair(study: Path, pattern: str) -> tuple[Path, Path]:
    """The first two paths by name that the pattern finds."""
    one, other = sorted(study.glob(pattern))[:2]
    return one, other


def swap(one: Path, other: Path) -> None:
    """Let two files or folders change places."""
    between = one.with_name(".between")
    one.rename(between)
    other.rename(one)
    between.rename(other)


def parts(study: Path, artifact: str) -> list[Path]:
    """Everything that belongs to an artifact."""
    stage, name = artifact.split("/")
    return sorted(path for path in (study / stage).iterdir() if path.name == name or path.name.startswith(name + "."))


def swap_artifacts(study: Path, one: str, other: str) -> None:
    """Let all files of two artifacts of one stage change places, and correct what their records say of themselves."""
    for path in parts(study, one):
        swap(path, study / (other + path.name.removeprefix(one.split("/")[1])))
    for artifact in (one, other):
        unit = {"name": artifact.split("/")[1]}
        edit_record(study / (artifact + RUN), artifact=artifact, unit=unit)


def entry(study: Path, artifact: str = LEAF) -> Path:
    """The cache entry of an artifact."""
    return study.parent / ".cache" / artifact.split("/")[0] / read(study / (artifact + RUN))["key"]


def outside(study: Path) -> Path:
    """A folder that is neither in the study nor in its cache."""
    folder = study.parent / "elsewhere"
    folder.mkdir(exist_ok=True)
    return folder
