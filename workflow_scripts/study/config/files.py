"""Config files read strictly, with the file and line of every key, so that an error can say where it is.

PyYAML alone lets a repeated key pass, forgets lines, and follows nested aliases until memory is exhausted. Values mean
what they mean to Snakemake (YAML 1.1).
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from workflow_scripts.core.errors import PipelineError, PipelineErrors

MAX_BYTES = 16 << 20
MAX_DEPTH = 50
MAX_VALUES = 200_000  # in one file, aliases written out
LARGEST = 2**63 - 1
COMMAND_LINE = "--config"
_MERGE = "tag:yaml.org,2002:merge"
_COLLECTIONS = (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
# Numbers that YAML 1.1 reads in a way that nobody means: 010 is 8, 1:30 is 90.
_SURPRISING = re.compile(r"[-+]?(0[0-7_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Node:
    """A value of a config file, and where it is.

    Attributes:
        file: the file, as people know it; empty where there is none.
        line: of the key, or of the item of a list; 0 where there is no file.
        value: a scalar; of mappings and lists see ``items``.
        text: what stands in the file for an unquoted scalar that is not read as text.
        size: number of values in it, itself included.
    """

    file: str = ""
    line: int = 0
    value: Any = None
    text: str | None = None
    items: "dict[str, Node] | list[Node] | None" = None
    size: int = 1

    def data(self) -> Any:
        """The plain value: dicts, lists and scalars."""
        if isinstance(self.items, dict):
            return {key: node.data() for key, node in self.items.items()}
        return self.value if self.items is None else [node.data() for node in self.items]

    def at(self, path: Sequence[Any]) -> "tuple[Node, tuple[Any, ...]]":
        """The innermost node on ``path`` that exists, and its own path."""
        node: Node = self
        for depth, part in enumerate(path):
            try:
                node = node.items[part]  # type: ignore[index]
            except (KeyError, IndexError, TypeError):
                return node, tuple(path[:depth])
        return node, tuple(path)

    def below(self, *path: Any) -> "Node":
        """The node at ``path``; an empty one where there is none."""
        node, found = self.at(path)
        return node if found == path else Node()

    def where(self, path: Sequence[Any]) -> str:
        """``file:line (dotted.path)``; without a file ``config.dotted.path``."""
        node, _ = self.at(path)
        dotted = ".".join(str(part) for part in path)
        if not node.file:
            return ".".join(filter(None, ["config", dotted]))
        place = f"{node.file}:{node.line}" if node.line else node.file
        return f"{place} ({dotted})" if dotted else place

    def merged(self, overlay: "Node") -> "Node":
        """With an overlay on it, as Snakemake does: mappings are merged, all else is replaced."""
        if not isinstance(self.items, dict) or not isinstance(overlay.items, dict):
            return overlay
        items = dict(self.items)
        for key, node in overlay.items.items():
            items[key] = items[key].merged(node) if key in items else node
        return replace(overlay, items=items)


@dataclass(frozen=True)
class Config:
    """The merged config, and what is wrong in its files although they can be read (a key given twice)."""

    root: Node
    errors: list[PipelineError] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        """The plain values."""
        return dict(self.root.data())


def node_of(value: Any, file: str = "") -> Node:
    """Plain values, such as those of ``--config``, as a node."""
    if isinstance(value, Mapping):
        return Node(file, items={str(key): node_of(one, file) for key, one in value.items()})
    if isinstance(value, list | tuple):
        return Node(file, items=[node_of(one, file) for one in value])
    return Node(file, value=value)


def read_config(files: Sequence[str | Path], overrides: Mapping[str, Any] | None = None) -> Config:
    """Config files merged in order, later ones win, and then what ``--config`` says.

    Raises:
        PipelineErrors: files are missing or can't be read; all of them are named.
    """
    root, errors, unreadable = Node(items={}), [], []
    for file in files:
        try:
            one = read_file(file)
        except PipelineError as error:
            unreadable.append(error)
            continue
        root = root.merged(one.root)
        errors += one.errors
    if unreadable:
        raise PipelineErrors([*unreadable, *errors])
    return Config(root.merged(node_of(overrides or {}, COMMAND_LINE)), errors)


def read_file(file: str | Path) -> Config:
    """One config file.

    Raises:
        PipelineError: it is missing or too large, is no YAML, or its nesting or its aliases go too far.
    """
    path = Path(file)
    name = str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    builder = _Builder(name)
    try:
        for event in yaml.parse(_text(path, name), Loader=_Loader):
            builder.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = name if mark is None else f"{name}:{mark.line + 1}"
        said = getattr(error, "problem", None) or getattr(error, "reason", None) or error
        advice = "correct the YAML; texts with special characters need quotes, and indentation needs spaces"
        raise PipelineError("invalid YAML", place, said, advice) from None
    root = builder.root
    if root is None or not isinstance(root.items, dict):
        value = (
            "empty" if root is None or (root.value is None and root.items is None) else "not a mapping at the top level"
        )
        raise PipelineError("invalid config file", name, value, "write settings as `key: value`, as in config.yaml")
    return Config(root, builder.errors)


def _text(path: Path, name: str) -> str:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise PipelineError("unreadable config file", name, "not a regular file", "give the path of a file")
        with open(path, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        advice = "correct the path; targets go before --configfile, which takes all words after it"
        raise PipelineError("missing config file", name, "no such file", advice) from None
    except OSError as error:
        value, advice = error.strerror, "correct the path, or the permissions of the file"
        raise PipelineError("unreadable config file", name, value, advice) from None
    if len(data) > MAX_BYTES:
        value, advice = f"more than {MAX_BYTES >> 20} MB", "give a config file; long lists belong in files of their own"
        raise PipelineError("config file too large", name, value, advice)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        value = f"byte {data[error.start]:#04x}"
        raise PipelineError("config file is not UTF-8", f"{name}:{line}", value, "save it as UTF-8") from None


@dataclass
class _Open:
    """A mapping or list whose end has not come yet; a mapping has a ``key`` when that came and its value did not."""

    items: dict[str, Node] | list[Node]
    line: int
    anchor: str | None
    key: str | None = None
    key_line: int = 0
    lines: dict[str, int] = field(default_factory=dict)
    inherited: list[Node] = field(default_factory=list)  # mappings merged in by `<<`
    merging: bool = False
    size: int = 1


class _Builder:
    """Makes nodes of YAML events without recursion, so that no nesting is too deep to be refused."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.root: Node | None = None
        self.errors: list[PipelineError] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._resolver, self._constructor = yaml.resolver.Resolver(), yaml.constructor.SafeConstructor()

    def take(self, event: Any) -> None:
        """Add one event of the parser."""
        line = event.start_mark.line + 1
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open(event, line)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._close()
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event, line)
        elif isinstance(event, yaml.AliasEvent):
            anchor = str(event.anchor)
            if anchor not in self._anchors:
                self._stop(line, "unknown alias", f"*{anchor}", "define its anchor before, outside of itself")
            self._add(replace(self._anchors[anchor], line=line))
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            self._stop(line, "second document", "---", "keep one document in the file")

    def _open(self, event: Any, line: int) -> None:
        if event.tag not in _COLLECTIONS:
            self._stop(line, "unsupported tag", event.tag, "write plain mappings and lists")
        if len(self._stack) == MAX_DEPTH:
            self._stop(line, "nesting too deep", f"more than {MAX_DEPTH} levels", "correct the nesting")
        if self._stack and isinstance(self._stack[-1].items, dict) and self._stack[-1].key is None:
            self._stop(line, "invalid key", "a mapping or list", "write a name before the colon")
        mapping = isinstance(event, yaml.MappingStartEvent)
        self._stack.append(_Open({} if mapping else [], line, event.anchor))

    def _close(self) -> None:
        done = self._stack.pop()
        items = done.items
        if isinstance(items, dict):
            for node in done.inherited:
                items = {**node.items, **items}  # type: ignore[dict-item]
        self._add(Node(self.name, done.line, items=items, size=done.size), done.anchor)

    def _scalar(self, event: Any, line: int) -> None:
        tag = event.tag
        if tag in (None, "!"):
            tag = self._resolver.resolve(yaml.ScalarNode, event.value, event.implicit)
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.items, dict) and top.key is None:
            self._key(top, event.value, tag, line)
            return
        try:
            value = self._constructor.construct_object(yaml.ScalarNode(tag, event.value))
        except (yaml.YAMLError, ValueError, KeyError):
            self._stop(line, "unsupported value", f"{tag} {event.value[:80]}", "write a plain value")
        text = None if isinstance(value, str) else event.value
        if isinstance(value, int) and abs(value) > LARGEST:
            self._complain(line, "number too large", event.value[:40], f"take one up to {LARGEST}")
        elif text is not None and isinstance(value, int | float) and _SURPRISING.fullmatch(text):
            advice = f'write the number in decimal digits, or quote it: "{text}"'
            self._complain(line, "ambiguous number", f"{text}, which YAML reads as {value}", advice)
        self._add(Node(self.name, line, value, text), event.anchor)

    def _key(self, top: _Open, text: str, tag: str, line: int) -> None:
        top.merging = tag == _MERGE
        top.key, top.key_line = text, line
        if top.merging:
            return
        if tag != "tag:yaml.org,2002:str":
            kind = tag.rpartition(":")[2]
            self._complain(line, "key is not text", f"{text}, which YAML reads as {kind}", f'quote it: "{text}"')
        if text in top.lines:
            value = f"{text!r}, first on line {top.lines[text]}"
            self._complain(line, "key given twice", value, "keep one of them")
        top.lines[text] = line

    def _add(self, node: Node, anchor: str | None = None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            self.root = node
            return
        top = self._stack[-1]
        top.size += node.size
        if top.size > MAX_VALUES:
            value = f"more than {MAX_VALUES:,} values, with aliases written out"
            self._stop(node.line, "too many values", value, "shorten it; long lists belong in files of their own")
        if isinstance(top.items, list):
            top.items.append(node)
        elif top.key is None:
            self._stop(node.line, "invalid key", "an alias", "write a name before the colon")
        elif top.merging:
            self._inherit(top, node)
        else:
            top.items[top.key] = replace(node, line=top.key_line)
        top.key = None

    def _inherit(self, top: _Open, node: Node) -> None:
        nodes = node.items if isinstance(node.items, list) else [node]
        if not all(isinstance(one.items, dict) for one in nodes):
            self._stop(top.key_line, "invalid merge", "<<", "give a mapping, or a list of mappings")
        top.inherited += nodes

    def _path(self) -> Iterator[str]:
        for level in self._stack:
            yield str(len(level.items)) if isinstance(level.items, list) else level.key or ""

    def _where(self, line: int) -> str:
        dotted = ".".join(filter(None, self._path()))
        return f"{self.name}:{line} ({dotted[:200]})" if dotted else f"{self.name}:{line}"

    def _complain(self, line: int, what: str, value: str, advice: str) -> None:
        self.errors.append(PipelineError(what, self._where(line), value, advice))

    def _stop(self, line: int, what: str, value: str, advice: str) -> None:
        raise PipelineError(what, self._where(line), value, advice)
