"""What a file system may hold after a crash at any moment of a recording.

All models lose data that was not synced: of a file's writes since its last sync the disk has none, some, or the last
one cut short. They differ in what they do to names:

- ``nfs``: every change of a name reached the server, in order (a synchronous export). A file that was closed without a
  sync counts as lost too, which is stricter than close-to-open.
- ``journal`` (ext4, xfs): changes of names reach the disk in order, and any sync takes all earlier ones along.
- ``btrfs``: a commit has all changes up to some moment; each later sync of a file or folder adds just that one.
- ``posix``: each name has any of the values that it had since its folder was synced, and lost data may be zeros.
"""

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.replay.recording import ROOT, Entries, Recording, Said, Synced, Written

Tree = dict[int, dict[str, int]]  # entries of each folder, by node


@dataclass(frozen=True)
class State:
    """A disk after a crash.

    Attributes:
        folders: relative paths of all folders, parents first.
        files: relative path -> (node, content); names of one node are hard links.
        facts: what the program had reported before.
    """

    folders: tuple[str, ...]
    files: dict[str, tuple[int, bytes]]
    facts: tuple[Any, ...]

    def digest(self) -> bytes:
        """Equal for equal disks of which the same was reported."""
        files = sorted((path, content) for path, (_, content) in self.files.items())
        return sha256(repr((self.folders, files, self.facts)).encode()).digest()

    def write(self, root: Path) -> None:
        """Make it real in ``root``, an empty folder."""
        for folder in self.folders:
            (root / folder).mkdir()
        first: dict[int, Path] = {}
        for name, (node, content) in self.files.items():
            path = root / name
            if node in first:
                path.hardlink_to(first[node])
            else:
                path.write_bytes(content)
                first[node] = path


class Replay:
    """A recording step by step; at moment m, its first m operations have happened.

    Attributes:
        trees: what a running program sees, at each moment.
        contents: what the disk may have of each file, the newest last, at each moment.
        names: the nodes that the disk may have under each (folder, name), None for no entry, at each moment.
        facts: what had been said, at each moment.
    """

    def __init__(self, recording: Recording) -> None:
        self.operations, self.folder_nodes = recording.operations, recording.folder_nodes
        self.trees: list[Tree] = [recording.folders]
        self.contents = [{node: (content,) for node, content in recording.files.items()}]
        entries = ((folder, name, node) for folder, names in recording.folders.items() for name, node in names.items())
        self.names: list[dict[tuple[int, str], tuple[int | None, ...]]] = [{(f, n): (node,) for f, n, node in entries}]
        self.facts: list[tuple[Any, ...]] = [()]
        for operation in self.operations:
            for history in (self.trees, self.contents, self.names, self.facts):
                history.append(history[-1])  # type: ignore[attr-defined] # each is a list of its own kind
            self._happen(operation)

    def _happen(self, operation: Any) -> None:
        if isinstance(operation, Said):
            self.facts[-1] = (*self.facts[-1], operation.fact)
        elif isinstance(operation, Entries):
            self.trees[-1] = changed(self.trees[-1], operation.changes)
            self.names[-1] = dict(self.names[-1])
            for folder, name, node in operation.changes:
                self.names[-1][folder, name] = (*self.names[-1].get((folder, name), (None,)), node)
        elif isinstance(operation, Written):
            before = self.contents[-1].get(operation.node, (b"",))
            cut = _cut(before[-1], operation.content)
            possible = tuple(one for one in before if one not in (cut, operation.content))
            self.contents[-1] = {**self.contents[-1], operation.node: (*possible, cut, operation.content)}
        elif operation.node in self.folder_nodes:
            self.names[-1] = {
                place: values[-1:] if place[0] == operation.node else values for place, values in self.names[-1].items()
            }
        else:
            newest = self.contents[-1].get(operation.node, (b"",))[-1:]
            self.contents[-1] = {**self.contents[-1], operation.node: newest}

    def state(self, tree: Tree, moment: int, contents: Mapping[int, bytes]) -> State:
        """The disk with these entries and contents of files; a file without one is empty."""
        folders: list[str] = []
        files: dict[str, tuple[int, bytes]] = {}
        waiting = [("", ROOT)]
        while waiting:
            path, folder = waiting.pop()
            for name, node in tree.get(folder, {}).items():
                if node in self.folder_nodes:
                    folders.append(f"{path}{name}")
                    waiting.append((f"{path}{name}/", node))
                else:
                    files[f"{path}{name}"] = (node, contents.get(node, b""))
        return State(tuple(sorted(folders)), files, self.facts[moment])

    def every_content(self, tree: Tree, moment: int) -> Iterator[State]:
        """The disk with these entries and every mix of what may be left of its files."""
        contents = self.contents[moment]
        reached = {node for node, _ in self.state(tree, moment, {}).files.values()}
        open_nodes = sorted(node for node in reached if len(contents.get(node, ())) > 1)
        for mix in itertools.product(*(contents[node] for node in open_nodes)):
            chosen = {node: values[-1] for node, values in contents.items()} | dict(zip(open_nodes, mix, strict=True))
            yield self.state(tree, moment, chosen)


def changed(tree: Tree, changes: tuple[tuple[int, str, int | None], ...]) -> Tree:
    """A tree with other entries."""
    tree = {node: dict(entries) for node, entries in tree.items()}
    for folder, name, node in changes:
        entries = tree.setdefault(folder, {})
        if node is None:
            entries.pop(name, None)
        else:
            entries[name] = node
    return tree


def _cut(old: bytes, new: bytes) -> bytes:
    """``new`` with half of what it adds to ``old``."""
    kept = len(old) if new.startswith(old) else 0
    return new[: kept + (len(new) - kept) // 2]


def distinct(states: Iterator[State]) -> Iterator[State]:
    """Each state once."""
    seen = set()
    for state in states:
        digest = state.digest()
        if digest not in seen:
            seen.add(digest)
            yield state


def nfs(replay: Replay) -> Iterator[State]:
    """All states of the model."""
    for moment, tree in enumerate(replay.trees):
        yield from replay.every_content(tree, moment)


def journal(replay: Replay) -> Iterator[State]:
    """All states of the model."""
    committed = 0
    for moment in range(len(replay.trees)):
        if moment and isinstance(replay.operations[moment - 1], Synced):
            committed = moment
        for reached in range(committed, moment + 1):
            yield from replay.every_content(replay.trees[reached], moment)


def btrfs(replay: Replay) -> Iterator[State]:
    """All states of the model."""
    for committed in range(len(replay.trees)):
        if committed and not isinstance(replay.operations[committed - 1], Entries):
            continue  # nothing that the commit before did not have
        tree = replay.trees[committed]
        yield from replay.every_content(tree, committed)
        for moment in range(committed + 1, len(replay.trees)):
            operation = replay.operations[moment - 1]
            if isinstance(operation, Synced):
                tree = _logged(tree, replay.trees[moment], operation.node, replay.folder_nodes)
            if not isinstance(operation, Entries):
                yield from replay.every_content(tree, moment)


def _logged(disk: Tree, now: Tree, node: int, folder_nodes: set[int]) -> Tree:
    """The disk after a file with all its names, or a folder with all its entries, was added to it."""
    above = {one: (folder, name) for folder, names in now.items() for name, one in names.items()}
    if node in folder_nodes:
        disk = {**disk, node: dict(now.get(node, {}))}
        places = [(*above[node], node)] if node in above else []
    else:
        places = [(folder, name, node) for folder, names in now.items() for name, one in names.items() if one == node]
        stale = [(f, n, None) for f, names in disk.items() for n, one in names.items() if one == node]
        disk = changed(disk, tuple(place for place in stale if now.get(place[0], {}).get(place[1]) != node))
    while places:
        folder, name, one = places.pop()
        disk = changed(disk, ((folder, name, one),))
        if folder in above:
            places.append((*above[folder], folder))
    return disk


def posix(replay: Replay, random_: random.Random, first: int = 0) -> Iterator[State]:
    """A random sample of the model's states from moment ``first`` on, without end."""
    while True:
        moment = random_.randrange(first, len(replay.trees))
        newest = random_.choice((0.1, 0.5, 0.9))  # how often the newest value is on disk anyway

        def one(values: tuple[Any, ...], newest: float = newest) -> Any:
            return values[-1] if random_.random() < newest else random_.choice(values)

        tree: Tree = {}
        for (folder, name), values in replay.names[moment].items():
            node = one(values)
            if node is not None:
                tree.setdefault(folder, {})[name] = node
        contents = replay.contents[moment]
        chosen = {
            node: one((bytes(len(values[-1])), *values) if len(values) > 1 else values)
            for node, values in contents.items()
        }
        yield replay.state(tree, moment, chosen)


COMPLETE = {"nfs": nfs, "journal": journal, "btrfs": btrfs}  # all states of these are built
