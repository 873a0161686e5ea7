"""Ways to damage a finished study, drawn by a seed: each way for several files.

Every way takes the study's folder and a source of chance, and gives the paths of which an audit has to name one.
"""

import json
import os
import random
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.cache import file_hash, results_root, stored
from workflow_scripts.core.files.jsonio import digest, pretty
from workflow_scripts.core.files.seal import sealed

Changed = set[Path]
Way = Callable[[Path, random.Random], Changed]
WAYS: list[Way] = []
LATER = 3600.0


def way(function: Way) -> Way:
    """Add a way to the list."""
    WAYS.append(function)
    return function


@dataclass(frozen=True)
class Manipulation:
    """One way with one draw of chance."""

    way: Way
    seed: int

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.way.__name__}-{self.seed}"

    def __call__(self, study: Path) -> Changed:
        """Carry it out."""
        return self.way(study, random.Random(f"{self.way.__name__} {self.seed}"))


def manipulations(seed: int, at_least: int) -> list[Manipulation]:
    """At least so many, each way equally often."""
    return [Manipulation(one, seed + number) for number in range(-(-at_least // len(WAYS))) for one in WAYS]


# What there is to damage -------------------------------------------------------------------------------------------


def files(study: Path) -> list[Path]:
    """Manifests, run records and data files."""
    return sorted(path for path in study.rglob("*") if path.is_file())


def of_kind(study: Path, kind: str) -> list[Path]:
    """``manifest``, ``record`` or ``data`` files."""
    ends = {"manifest": (MANIFEST,), "record": (RUN,)}
    if kind in ends:
        return [path for path in files(study) if path.name.endswith(ends[kind])]
    return [path for path in files(study) if not path.name.endswith((MANIFEST, RUN))]


def any_file(study: Path, chance: random.Random) -> Path:
    """A file, each kind equally likely."""
    return chance.choice(of_kind(study, chance.choice(["manifest", "record", "data"])))


def stem(path: Path) -> Path:
    """The artifact of a manifest or run record, without suffix."""
    return path.with_name(path.name.removesuffix(MANIFEST).removesuffix(RUN))


def files_of(artifact: Path) -> list[Path]:
    """All files of an artifact."""
    beside = [path for path in artifact.parent.glob(f"{artifact.name}.*") if path.is_file()]
    inside = [path for path in artifact.rglob("*") if path.is_file()] if artifact.is_dir() else []
    names = [other.name.removesuffix(MANIFEST) for other in artifact.parent.glob(f"{artifact.name}.*{MANIFEST}")]
    longer = tuple(f"{name}." for name in names if name != artifact.name)
    return sorted(path for path in [*beside, *inside] if not path.name.startswith(longer or ("\0",)))


def entry_of(record: Path) -> Path:
    """The cache entry of an artifact."""
    content = json.loads(record.read_bytes())
    return results_root(record) / ".cache" / str(content["stage"]) / str(content["key"])


def replace_bytes(path: Path, data: bytes) -> None:
    """Write a new file in place of the old one, so that hard links keep their bytes."""
    path.unlink()
    path.write_bytes(data)


def rewrite(record: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a record and give it a valid digest again."""
    content = json.loads(record.read_bytes())
    content.pop("self")
    change(content)
    replace_bytes(record, pretty(sealed(content)))


def places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every value below a JSON value, as container and key; values of settings and facts have no fixed types."""
    for key, value in list(content.items()) if isinstance(content, dict) else list(enumerate(content)):
        yield content, key
        if isinstance(value, dict | list) and key not in ("settings", "facts", "determinism"):
            yield from places(value)


# Bytes -------------------------------------------------------------------------------------------------------------


@way
def flipped_byte(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= chance.randint(1, 255)
    replace_bytes(path, bytes(data))
    return {path}


@way
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


@way
def truncated(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    data = path.read_bytes()
    replace_bytes(path, data[: chance.randrange(len(data))])
    return {path}


@way
def appended(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    replace_bytes(path, path.read_bytes() + chance.choice([b"\n", b"\0", b" ", b"{}", b"x" * 5000]))
    return {path}


@way
def zeros_of_the_same_size(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    replace_bytes(path, bytes(path.stat().st_size))
    return {path}


@way
def swapped_between_artifacts(study: Path, chance: random.Random) -> Changed:
    kind = chance.choice(["manifest", "record", "data"])
    one, other = chance.sample(of_kind(study, kind), 2)
    first, second = one.read_bytes(), other.read_bytes()
    replace_bytes(one, second)
    replace_bytes(other, first)
    return {one, other}


@way
def swapped_within_an_artifact(study: Path, chance: random.Random) -> Changed:
    one, other = chance.sample(files_of(stem(chance.choice(of_kind(study, "manifest")))), 2)
    first, second = one.read_bytes(), other.read_bytes()
    replace_bytes(one, second)
    replace_bytes(other, first)
    return {one, other}


@way
def hard_link_to_another_artifact(study: Path, chance: random.Random) -> Changed:
    one, other = chance.sample(of_kind(study, "data"), 2)
    one.unlink()
    os.link(other, one)
    return {one}


# Names and kinds of files ------------------------------------------------------------------------------------------


@way
def deleted(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    path.unlink()
    return {path, path.with_name(stem(path).name + MANIFEST)}


@way
def deleted_artifact(study: Path, chance: random.Random) -> Changed:
    """Without a trace in the study, the report too."""
    artifact = stem(chance.choice([*of_kind(study, "manifest"), *study.glob(f"report/*{MANIFEST}")]))
    for path in files_of(artifact):
        path.unlink()
    return {artifact.with_name(artifact.name + MANIFEST)}


@way
def renamed_case(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    name = path.name.swapcase()
    path.rename(path.with_name(name))
    return {path, path.with_name(name), path.with_name(stem(path).name + MANIFEST)}


@way
def hidden_by_a_dot(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    path.rename(path.with_name(f".{path.name}"))
    return {path, path.with_name(f".{path.name}")}


@way
def fifo(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    path.unlink()
    os.mkfifo(path)
    return {path}


@way
def socket_file(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    path.unlink()
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path has 107 bytes at most
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("s")
        os.rename("s", path.name)
    finally:
        os.chdir(here)
    return {path}


@way
def device(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    path.unlink()
    try:
        os.mknod(path, 0o644 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero never ends
    except PermissionError:
        os.mkfifo(path)
    return {path}


@way
def folder_in_place_of_a_file(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    path.unlink()
    path.mkdir()
    if chance.random() < 0.5:
        (path / "inside").write_bytes(b"x")
    return {path}


@way
def file_in_place_of_a_folder(study: Path, chance: random.Random) -> Changed:
    path = chance.choice([path for path in study.rglob("*") if path.is_dir()])
    shutil.rmtree(path)
    path.write_bytes(b"x")
    return {path}


@way
def link_to_a_copy(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    elsewhere = results_root(path).parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    return {path}


@way
def link_to_another_file(study: Path, chance: random.Random) -> Changed:
    one, other = chance.sample(files(study), 2)
    one.unlink()
    one.symlink_to(other)
    return {one}


@way
def link_that_leads_nowhere(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    path.unlink()
    path.symlink_to(chance.choice(["nowhere", path.name, "/proc/self/fd/0/x"]))
    return {path}


@way
def linked_folder(study: Path, chance: random.Random) -> Changed:
    path = chance.choice([path for path in study.rglob("*") if path.is_dir()])
    elsewhere = study.parent.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    return {path}


@way
def linked_study(study: Path, chance: random.Random) -> Changed:
    elsewhere = study.parent.parent / "elsewhere"
    study.rename(elsewhere)
    study.symlink_to(elsewhere)
    return {study}


@way
def closed_file(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    path.chmod(chance.choice([0o000, 0o200, 0o044]))
    return {path}


@way
def closed_folder(study: Path, chance: random.Random) -> Changed:
    path = chance.choice([path for path in study.rglob("*") if path.is_dir()])
    path.chmod(chance.choice([0o000, 0o600, 0o300]))
    return {path}


@way
def time_in_the_future(study: Path, chance: random.Random) -> Changed:
    path = any_file(study, chance)
    later = time.time() + LATER
    os.utime(path, (later, later))
    return {path}


@way
def emptied_folder(study: Path, chance: random.Random) -> Changed:
    path = chance.choice([path for path in study.rglob("*") if path.is_dir()])
    inside = [one for one in path.rglob("*") if one.is_file()]
    for one in inside:
        one.unlink()
    return set(inside)


@way
def deleted_folder(study: Path, chance: random.Random) -> Changed:
    path = chance.choice([path for path in study.rglob("*") if path.is_dir()])
    inside = [one for one in path.rglob("*") if one.is_file()]
    shutil.rmtree(path)
    return set(inside)


# What does not belong there ----------------------------------------------------------------------------------------


@way
def stray_file(study: Path, chance: random.Random) -> Changed:
    names = [".hidden", "notes.txt", ".DS_Store", "x.parquet", "core", " ", "a\nb", "x.run.json.bak", ".x.part"]
    folder = chance.choice([study, *(path for path in study.rglob("*") if path.is_dir())])
    path = folder / chance.choice([*names, "caf\udce9"])
    path.write_bytes(b"x")
    return {path}


@way
def stray_folder(study: Path, chance: random.Random) -> Changed:
    path = chance.choice([study, study / "download", study / "pretrain"]) / chance.choice([".git", "old", "tmp"])
    path.mkdir()
    if chance.random() < 0.5:
        (path / "x").write_bytes(b"x")
    return {path, path / "x"}


@way
def copied_artifact(study: Path, chance: random.Random) -> Changed:
    """Under another name in its own stage, or in another stage's folder."""
    artifact = stem(chance.choice(of_kind(study, "manifest")))
    stage = chance.choice([path for path in study.iterdir() if path.is_dir()])
    name = artifact.name if stage != artifact.parent and chance.random() < 0.5 else "copy"
    made = set()
    for path in files_of(artifact):
        target = stage / f"{name}{str(path).removeprefix(str(artifact))}"
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
        made.add(target)
    return made


@way
def moved_artifact(study: Path, chance: random.Random) -> Changed:
    changed = copied_artifact(study, random.Random(chance.random()))
    artifact = stem(chance.choice(of_kind(study, "manifest")))
    return changed | {artifact}


@way
def foreign_study_inside(study: Path, chance: random.Random) -> Changed:
    target = study / chance.choice(["download", "old", "report/copy"])
    copy = shutil.copytree(study, study.parent.parent / "copy")
    target.mkdir(parents=True, exist_ok=True)
    shutil.copytree(copy, target, dirs_exist_ok=True)
    return {path for path in target.rglob("*") if path.is_file()}


@way
def foreign_artifact(study: Path, chance: random.Random) -> Changed:
    """The files of another artifact of the same stage, with a record and a manifest that fit them."""
    shards = sorted(study.glob(f"download/*{MANIFEST}"))
    one, other = (stem(path) for path in chance.sample(shards, 2))
    for path in files_of(other):
        replace_bytes(one.parent / f"{one.name}{path.name.removeprefix(other.name)}", path.read_bytes())
    return set(files_of(one))


# JSON --------------------------------------------------------------------------------------------------------------


def _json_file(study: Path, chance: random.Random) -> Path:
    return chance.choice(of_kind(study, chance.choice(["manifest", "record"])))


@way
def not_a_number(study: Path, chance: random.Random) -> Changed:
    path = _json_file(study, chance)
    content = json.loads(path.read_bytes())
    where, key = chance.choice(list(places(content)))
    where[key] = chance.choice([float("nan"), float("inf"), -float("inf")])
    replace_bytes(path, json.dumps(content, indent=1).encode())
    return {path}


@way
def repeated_key(study: Path, chance: random.Random) -> Changed:
    path = _json_file(study, chance)
    replace_bytes(path, path.read_bytes().replace(b"{\n", b'{\n "stage": "other",\n', 1))
    return {path}


@way
def not_utf8(study: Path, chance: random.Random) -> Changed:
    path = _json_file(study, chance)
    replace_bytes(path, chance.choice([path.read_text().encode("utf-16"), b"\xff" + path.read_bytes(), b"\x00" * 9]))
    return {path}


@way
def nested(study: Path, chance: random.Random) -> Changed:
    path = _json_file(study, chance)
    depth = chance.choice([40, 900, 100_000])
    inner = b"[" * depth + b"]" * depth
    replace_bytes(path, path.read_bytes().replace(b"{\n", b'{\n "a": ' + inner + b",\n", 1))
    return {path}


@way
def huge(study: Path, chance: random.Random) -> Changed:
    path = _json_file(study, chance)
    with open(path, "r+b") as stream:
        stream.truncate(1 << chance.choice([33, 36]))
    return {path}


@way
def another_json_value(study: Path, chance: random.Random) -> Changed:
    path = _json_file(study, chance)
    replace_bytes(path, chance.choice([b"[]", b"null", b'"x"', b"{}", b"0", b"", b"{}{}", b'{"files": null}']))
    return {path}


@way
def rewritten_form(study: Path, chance: random.Random) -> Changed:
    """The same meaning in other bytes."""
    path = _json_file(study, chance)
    content = json.loads(path.read_bytes())
    replace_bytes(path, chance.choice([json.dumps(content).encode(), path.read_bytes() + b"\n"]))
    return {path}


@way
def wrong_type(study: Path, chance: random.Random) -> Changed:
    """Anywhere in a record, with a valid digest."""
    path = chance.choice(of_kind(study, "record"))

    def change(content: dict[str, Any]) -> None:
        where, key = chance.choice(list(places(content)))
        others = [None, True, 5, -1, 1.5, "x", "", [], {}, [[]], {"a": []}, ["x"], {"": {}}]
        where[key] = chance.choice([one for one in others if type(one) is not type(where[key])])

    rewrite(path, change)
    return {path}


@way
def wrong_value(study: Path, chance: random.Random) -> Changed:
    """Anywhere in a record, of the right type and with a valid digest."""
    path = chance.choice(of_kind(study, "record"))

    def change(content: dict[str, Any]) -> None:
        simple = [(one, key) for one, key in places(content) if isinstance(one[key], int | float | str)]
        where, key = chance.choice(simple)
        old = where[key]
        where[key] = not old if isinstance(old, bool) else old + 1 if isinstance(old, int | float) else f"{old}x"

    rewrite(path, change)
    return {path}


@way
def claimed_reuse(study: Path, chance: random.Random) -> Changed:
    path = chance.choice(of_kind(study, "record"))
    rewrite(path, lambda content: content.update(cached=not content["cached"]))
    return {path}


@way
def other_unit(study: Path, chance: random.Random) -> Changed:
    """Of stages whose key has no unit, among others."""
    path = chance.choice(of_kind(study, "record"))
    rewrite(path, lambda content: content.update(unit={"name": "other"}))
    return {path}


@way
def extra_field(study: Path, chance: random.Random) -> Changed:
    path = chance.choice(of_kind(study, "record"))
    rewrite(path, lambda content: content.update({chance.choice(["note", "Self", ""]): chance.choice([1, {}, None])}))
    return {path}


@way
def lacking_field(study: Path, chance: random.Random) -> Changed:
    path = chance.choice(of_kind(study, "record"))
    rewrite(path, lambda content: content.pop(chance.choice(sorted(content))))
    return {path}


@way
def impossible_times(study: Path, chance: random.Random) -> Changed:
    path = chance.choice(of_kind(study, "record"))
    times = [
        {"end": "2999-01-01T00:00:00.000+00:00"},
        {"start": "2999-01-01T00:00:00.000+00:00", "end": "2999-01-01T00:00:01.000+00:00"},
        {"end": "1999-01-01T00:00:00.000+00:00"},
        {"start": "yesterday"},
        {"start": "2026-13-45T00:00:00.000+00:00"},
    ]
    rewrite(path, lambda content: content.update(chance.choice(times)))
    return {path}


@way
def cycle(study: Path, chance: random.Random) -> Changed:
    """An artifact that was made from one that was made from it."""
    reader = chance.choice([path for path in of_kind(study, "record") if json.loads(path.read_bytes())["input_files"]])
    files_ = json.loads(reader.read_bytes())["input_files"]
    made_from = Path(next(iter(files_.values()))[0])
    first = study / made_from.parent.name / made_from.name.replace(MANIFEST, RUN)
    consumer = reader.with_name(reader.name.replace(RUN, MANIFEST))

    def change(content: dict[str, Any]) -> None:
        content["inputs"]["again"] = [file_hash(consumer)]
        content["input_files"]["again"] = [str(consumer)]

    rewrite(first, change)
    return {first}


@way
def name_that_leads_out(study: Path, chance: random.Random) -> Changed:
    path = chance.choice(of_kind(study, "manifest"))
    content = json.loads(path.read_bytes())
    suffix = next(iter(content["files"]))
    name = chance.choice(["/../../../../../outside/redcaps.zip", "//etc/passwd", "../x", "", "x", "/a/../../b", ".\0"])
    content["files"][name] = content["files"].pop(suffix)
    replace_bytes(path, pretty(content))
    rewrite(stem(path).with_name(stem(path).name + RUN), lambda record: record.update(manifest=digest(content)))
    return {path, stem(path).with_name(stem(path).name + RUN)}


@way
def input_that_leads_out(study: Path, chance: random.Random) -> Changed:
    path = chance.choice([path for path in of_kind(study, "record") if json.loads(path.read_bytes())["input_files"]])
    names = ["../../../etc/passwd", "/dev/zero", "", "x", f"results/study/../..{MANIFEST}", f"{MANIFEST}"]

    def change(content: dict[str, Any]) -> None:
        some = content["input_files"][next(iter(content["input_files"]))]
        some[0] = chance.choice(names)

    rewrite(path, change)
    return {path}


@way
def rewritten_but_for_the_cache(study: Path, chance: random.Random) -> Changed:
    """Other data with a manifest and a record that fit; the report, which nothing was made from, among others."""
    path = chance.choice([study / "report" / f"index{MANIFEST}", *of_kind(study, "manifest")])
    content = json.loads(path.read_bytes())
    suffix = chance.choice(sorted(content["files"]))
    data = path.parent / f"{stem(path).name}{suffix}"
    replace_bytes(data, b"other bytes")
    content["files"][suffix] = {"sha256": file_hash(data), "bytes": data.stat().st_size}
    replace_bytes(path, pretty(content))
    record = stem(path).with_name(stem(path).name + RUN)
    rewrite(record, lambda one: one.update(manifest=digest(content)))
    return {path, record}


# Beside the study --------------------------------------------------------------------------------------------------


@way
def damaged_note(study: Path, chance: random.Random) -> Changed:
    path = study.parent / ".configs" / f"{study.name}.json"
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= chance.randint(1, 255)
    replace_bytes(path, bytes(data))
    return {path}


@way
def note_of_another_kind(study: Path, chance: random.Random) -> Changed:
    path = chance.choice([study.parent / ".configs" / f"{study.name}.json", study.parent / ".accepted.json"])
    path.unlink()
    chance.choice([os.mkfifo, os.mkdir, lambda one: one.symlink_to("nowhere"), lambda one: one.write_text("[]")])(path)
    return {path}


@way
def deleted_note(study: Path, chance: random.Random) -> Changed:
    path = study.parent / ".configs" / f"{study.name}.json"
    path.unlink()
    return {path}


@way
def damaged_acceptances(study: Path, chance: random.Random) -> Changed:
    path = study.parent / ".accepted.json"
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= chance.randint(1, 255)
    replace_bytes(path, bytes(data))
    return {path}


@way
def damaged_cache_entry(study: Path, chance: random.Random) -> Changed:
    record = chance.choice(of_kind(study, "record"))
    entry = entry_of(record)
    path = chance.choice([path for path in entry.rglob("*") if path.is_file()])
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= chance.randint(1, 255)
    replace_bytes(path, bytes(data))
    return {path, entry}


@way
def incomplete_cache_entry(study: Path, chance: random.Random) -> Changed:
    record = chance.choice(of_kind(study, "record"))
    entry = entry_of(record)
    path = chance.choice([path for path in entry.rglob("*") if path.is_file()])
    path.unlink()
    if chance.random() < 0.5:
        os.mkfifo(path)
    return {path, entry}


@way
def stray_file_in_the_cache(study: Path, chance: random.Random) -> Changed:
    entry = entry_of(chance.choice(of_kind(study, "record")))
    path = chance.choice([entry / "x", stored(entry, ".x"), entry / ".hidden"])
    path.write_bytes(b"x")
    return {path, entry}
