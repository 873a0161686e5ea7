"""Records what a program does to a folder: entries that change, data that is written, and what is synced.

Calls of ``os`` and ``open`` are wrapped. Before each of them the folder is compared with what is known of it, so that
writes by libraries which make their own system calls are recorded too.
"""

import builtins
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

DURABLE = "core.files.durable"
ROOT = 0  # the node of the recorded folder itself
OURS = f"{Path(__file__).resolve().parents[2] / 'workflow_scripts'}{os.sep}"


@dataclass(frozen=True)
class Entries:
    """Names that change together: (folder's node, name, node or None where the name is removed)."""

    changes: tuple[tuple[int, str, int | None], ...]


@dataclass(frozen=True)
class Written:
    """A file's whole content after a write."""

    node: int
    content: bytes


@dataclass(frozen=True)
class Synced:
    """A file's data or a folder's entries were forced to disk; ``site`` says by which lines of code."""

    node: int
    site: str


@dataclass(frozen=True)
class Said:
    """What the program has reported, or relied on, by now."""

    fact: Any


Operation = Entries | Written | Synced | Said


@dataclass
class Recording:
    """What happened, and what was there (and on disk) before.

    Attributes:
        folders: entries of each folder, by node.
        files: content of each file, by node.
        operations: in order.
        folder_nodes: nodes that are folders, those made later too.
    """

    folders: dict[int, dict[str, int]] = field(default_factory=lambda: {ROOT: {}})
    files: dict[int, bytes] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)
    folder_nodes: set[int] = field(default_factory=lambda: {ROOT})

    def without(self, site: str) -> "Recording":
        """The same program without the sync at ``site``."""
        kept = [one for one in self.operations if not (isinstance(one, Synced) and one.site == site)]
        return Recording(self.folders, self.files, kept, self.folder_nodes)

    def sites(self) -> set[str]:
        """Where it syncs."""
        return {one.site for one in self.operations if isinstance(one, Synced)}


class Recorder:
    """Records below ``root`` while :meth:`recording` lasts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.done = Recording()
        self._folders: dict[int, dict[str, int]] = {ROOT: {}}
        self._files: dict[int, bytes] = {}
        self._inodes: dict[int, int] = {ROOT: root.stat().st_ino}
        self._busy = False

    def say(self, fact: Any) -> None:
        """Record that the program reports something now."""
        self.look()
        self.done.operations.append(Said(fact))

    def _add(self, operation: Entries | Written) -> None:
        self.done.operations.append(operation)
        if isinstance(operation, Written):
            self._files[operation.node] = operation.content
            return
        for folder, name, node in operation.changes:
            if node is None:
                self._folders[folder].pop(name, None)
            else:
                self._folders[folder][name] = node

    def _node(self, status: os.stat_result, is_folder: bool) -> int:
        live = {ROOT} | {node for entries in self._folders.values() for node in entries.values()}
        known = next((node for node in live if self._inodes[node] == status.st_ino), None)
        if known is not None and (known in self._folders) == is_folder:
            return known
        node = len(self._inodes)
        self._inodes[node] = status.st_ino
        if is_folder:
            self._folders[node] = {}
            self.done.folder_nodes.add(node)
        else:
            self._files[node] = b""
        return node

    def look(self) -> None:
        """Record what changed without a call that is wrapped."""
        waiting = [(self.root, ROOT)]
        while waiting:
            path, folder = waiting.pop()
            there = {entry.name: entry for entry in os.scandir(path)}
            for name in self._folders[folder].keys() - there.keys():
                self._add(Entries(((folder, name, None),)))
            for name, entry in sorted(there.items()):
                status, is_folder = entry.stat(follow_symlinks=False), entry.is_dir(follow_symlinks=False)
                node = self._folders[folder].get(name)
                if node is None or self._inodes[node] != status.st_ino:
                    node = self._node(status, is_folder)
                    self._add(Entries(((folder, name, node),)))
                if is_folder:
                    waiting.append((path / name, node))
                    continue
                with io.FileIO(path / name) as stream:
                    content = stream.readall()
                if content != self._files[node]:
                    self._add(Written(node, content))

    def _place(self, path: Any) -> tuple[int, str] | None:
        """Node of the folder, and name in it; None outside of the recorded folder."""
        whole = os.path.abspath(os.fsdecode(path))
        if not whole.startswith(f"{self.root}{os.sep}"):
            return None
        *folders, name = os.path.relpath(whole, self.root).split(os.sep)
        node = ROOT
        for folder in folders:
            found = self._folders.get(node, {}).get(folder)
            if found is None:
                return None
            node = found
        return node, name

    def _renamed(self, source: Any, target: Any) -> None:
        one, other = self._place(source), self._place(target)
        if one and other:
            self._add(Entries(((*one, None), (*other, self._folders[one[0]][one[1]]))))

    def _linked(self, source: Any, target: Any) -> None:
        one, other = self._place(source), self._place(target)
        if one and other:
            self._add(Entries(((*other, self._folders[one[0]][one[1]]),)))

    def _removed(self, path: Any) -> None:
        place = self._place(path)
        if place:
            self._add(Entries(((*place, None),)))

    def _fsynced(self, descriptor: Any) -> None:
        path = os.readlink(f"/proc/self/fd/{descriptor if isinstance(descriptor, int) else descriptor.fileno()}")
        place = (ROOT, ".") if path == str(self.root) else self._place(path)
        if place:
            node = ROOT if place[1] == "." else self._folders[place[0]][place[1]]
            self.done.operations.append(Synced(node, _site()))

    def _wrap(self, real: Callable[..., Any], after: Callable[..., None] | None = None) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if self._busy:
                return real(*args, **options)
            self._busy = True
            try:
                self.look()
                value = real(*args, **options)
                if after is not None:
                    after(*args)
                return value
            finally:
                self._busy = False

        return call

    def _wrap_open(self, real: Callable[..., Any]) -> Callable[..., Any]:
        wrapped = self._wrap(real)

        def call(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
            return (real if set(mode) <= set("rbt") else wrapped)(file, mode, *args, **options)

        return call

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        """Record what is done within; what is there at first counts as on disk."""
        self.look()
        self.done.folders = {node: dict(entries) for node, entries in self._folders.items()}
        self.done.files = dict(self._files)
        self.done.operations.clear()
        known: dict[str, Callable[..., None] | None] = {
            "rename": self._renamed,
            "replace": self._renamed,
            "link": self._linked,
            "fsync": self._fsynced,
            "unlink": self._removed,
            "remove": self._removed,
            "rmdir": self._removed,
            **dict.fromkeys(("mkdir", "open", "write", "pwrite", "ftruncate")),
        }
        with ExitStack() as patched:
            for name, after in known.items():
                patched.enter_context(mock.patch.object(os, name, self._wrap(getattr(os, name), after)))
            for module in (builtins, io):
                patched.enter_context(mock.patch.object(module, "open", self._wrap_open(io.open)))
            yield self.done
            self.look()


def _site() -> str:
    """The lines of the project that led to a sync: ``<module>:<line> <function>``, from the caller of durable.py in."""
    lines: list[str] = []
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(OURS):
            module = code.co_filename.removeprefix(OURS).removesuffix(".py").replace(os.sep, ".")
            lines.insert(0, f"{module}:{frame.f_lineno} {code.co_name}")
            if module != DURABLE:
                break
        frame = frame.f_back
    return " > ".join(lines)
