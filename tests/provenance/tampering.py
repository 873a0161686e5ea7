"""Ways in which a finished study goes wrong, each with what an audit has to call it."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import MANIFEST, RUN

Expected = dict[Path, set[str]]  # file -> kinds, one of which must be found


class Tampering:
    """Draws and carries out tamperings; ``undo`` puts everything back."""

    def __init__(self, study: Path, outside: Path, seed: int) -> None:
        self.random = random.Random(seed)
        files = sorted(path for path in study.rglob("*") if path.is_file() and "logs" not in path.parts)
        self.study = study
        self.manifests = [path for path in files if path.name.endswith(MANIFEST)]
        self.records = [path for path in files if path.name.endswith(RUN)]
        self.data = [path for path in files if not path.name.endswith((MANIFEST, RUN)) and path.stat().st_size]
        self.sources = sorted(path for path in outside.rglob("*") if path.is_file())
        self._kept: dict[Path, tuple[bytes | None, os.stat_result | None]] = {}

    def ways(self) -> list[Callable[[], Expected]]:
        """Every way, in a fixed order."""
        return [
            *(self.flipped, self.flipped_with_old_time, self.truncated, self.grown, self.swapped, self.deleted),
            *(self.edited_manifest, self.flipped_manifest, self.swapped_manifests, self.deleted_manifest),
            *(self.edited_record, self.flipped_record, self.swapped_records, self.deleted_record),
            *(self.stray, self.edited_source, self.lost_pair),
        ]

    def undo(self) -> None:
        """Put back what was changed, times too."""
        for path, (data, status) in self._kept.items():
            if data is None or status is None:
                path.unlink()
                continue
            self._write(path, data)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        self._kept.clear()

    # Data files ----------------------------------------------------------------------------------------------------

    def flipped(self) -> Expected:
        path = self.random.choice(self.data)
        self._set(path, self._with_flip(path.read_bytes()))
        return {path: {"changed-file"}}

    def flipped_with_old_time(self) -> Expected:
        path = self.random.choice(self.data)
        status = path.stat()
        self._set(path, self._with_flip(path.read_bytes()))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        return {path: {"changed-file"}}

    def truncated(self) -> Expected:
        path = self.random.choice(self.data)
        data = path.read_bytes()
        self._set(path, data[: self.random.randrange(len(data))])
        return {path: {"changed-file"}}

    def grown(self) -> Expected:
        path = self.random.choice(self.data)
        self._set(path, path.read_bytes() + self.random.randbytes(self.random.randint(1, 20)))
        return {path: {"changed-file"}}

    def swapped(self) -> Expected:
        one, other = self._two(self.data)
        first, second = one.read_bytes(), other.read_bytes()
        self._set(one, second)
        self._set(other, first)
        return {one: {"changed-file"}, other: {"changed-file"}}

    def deleted(self) -> Expected:
        path = self.random.choice(self.data)
        self._remove(path)
        return {path: {"missing"}}

    # Manifests and records -----------------------------------------------------------------------------------------

    def edited_manifest(self) -> Expected:
        path = self.random.choice(self.manifests)
        self._set(path, self._edited(path.read_bytes()))
        return {path: {"edited-record"}}

    def flipped_manifest(self) -> Expected:
        path = self.random.choice(self.manifests)
        self._set(path, self._with_flip(path.read_bytes()))
        return {path: {"edited-record"}}

    def swapped_manifests(self) -> Expected:
        return self._swapped(self.manifests)

    def deleted_manifest(self) -> Expected:
        path = self.random.choice(self.manifests)
        self._remove(path)
        return {path: {"missing"}}

    def edited_record(self) -> Expected:
        path = self.random.choice(self.records)
        self._set(path, self._edited(path.read_bytes()))
        return {path: {"edited-record"}}

    def flipped_record(self) -> Expected:
        path = self.random.choice(self.records)
        self._set(path, self._with_flip(path.read_bytes()))
        return {path: {"edited-record"}}

    def swapped_records(self) -> Expected:
        return self._swapped(self.records)

    def deleted_record(self) -> Expected:
        path = self.random.choice(self.records)
        self._remove(path)
        return {path: {"missing"}}

    def lost_pair(self) -> Expected:
        """Manifest and run record gone: the report, which was made from everything, misses the artifact."""
        inner = [path for path in self.manifests if path.parent.name != "report"]
        path = self.random.choice(inner)
        name = path.name.removesuffix(MANIFEST)
        self._remove(path)
        self._remove(path.with_name(name + RUN))
        mine = [one for one in self.data if str(one).startswith((f"{path.parent / name}.", f"{path.parent / name}/"))]
        return {path: {"missing"}, **{one: {"unnamed"} for one in mine}}

    # Others --------------------------------------------------------------------------------------------------------

    def stray(self) -> Expected:
        path = self.random.choice(self.data).parent / f"stray-{self.random.randrange(10**6)}.parquet"
        self._kept[path] = (None, None)
        path.write_bytes(b"stray")
        return {path: {"unnamed"}}

    def edited_source(self) -> Expected:
        """A source's file, with size and time as before."""
        path = self.random.choice(self.sources)
        status = path.stat()
        self._set(path, self._with_flip(path.read_bytes()))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        return {path: {"changed-source"}}

    def _two(self, paths: list[Path]) -> tuple[Path, Path]:
        while True:
            one, other = self.random.sample(paths, 2)
            if one.read_bytes() != other.read_bytes():
                return one, other

    def _swapped(self, paths: list[Path]) -> Expected:
        one, other = self._two(paths)
        first, second = one.read_bytes(), other.read_bytes()
        self._set(one, second)
        self._set(other, first)
        return {one: {"edited-record"}, other: {"edited-record"}}

    def _with_flip(self, data: bytes) -> bytes:
        at = self.random.randrange(len(data))
        return data[:at] + bytes([data[at] ^ self.random.randint(1, 255)]) + data[at + 1 :]

    def _edited(self, data: bytes) -> bytes:
        """JSON with one value changed somewhere, in the form in which we write it."""
        content = json.loads(data)
        places: list[tuple[Any, Any]] = []
        waiting = [content]
        while waiting:
            one = waiting.pop()
            for key, value in one.items() if isinstance(one, dict) else enumerate(one):
                if isinstance(value, dict | list) and value:
                    waiting.append(value)
                else:
                    places.append((one, key))
        where, key = self.random.choice(places)
        value = where[key]
        where[key] = value + 1 if isinstance(value, int | float) else f"{value} edited"
        return (json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode()

    def _set(self, path: Path, data: bytes) -> None:
        self._kept.setdefault(path, (path.read_bytes(), path.stat()))
        self._write(path, data)

    def _write(self, path: Path, data: bytes) -> None:
        """In place: a hard link in the cache sees it too."""
        if path.exists():
            path.chmod(0o644)
        path.write_bytes(data)

    def _remove(self, path: Path) -> None:
        self._kept.setdefault(path, (path.read_bytes(), path.stat()))
        path.unlink()
