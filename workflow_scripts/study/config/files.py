"""Config files, read strictly, with the file and line of every key, and merged.

PyYAML parses; it alone would accept repeated keys, drop line numbers, and expand nested aliases until memory is
exhausted. Values are interpreted as Snakemake does (YAML 1.1).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import yaml

from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.errors import PipelineError, PipelineErrors
from workflow_scripts.core.files.bounded_json import Unfit, read_bytes

MAX_BYTES = 16 << 20
MAX_DEPTH = 50
MAX_VALUES = 200_000  # in one file, with aliases expanded
LARGEST = 2**63 - 1
COMMAND_LINE = "--config"
TARGETS = "put targets before --configfile, which takes all arguments after it"
LOCK = ".lock.yaml"  # in place of a config file's suffix
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
# Numbers that YAML 1.1 reads in an unexpected way: 010 is 8, 1:30 is 90.
_SURPRISING = re.compile(r"[-+]?(0[0-7_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")


@dataclass(frozen=True)
class Node:
    """A value of a config file, and its location.

    Attributes:
        file: the file's name as the user gave it; empty if there is none.
        line: line of the key, or of the list item; 0 without a file.
        value: a scalar; for mappings and lists see ``items``.
        text: the text in the file of an unquoted scalar that is not read as text.
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

    def where(self, path: Sequence[Any]) -> str:
        """``file:line (dotted.path)``; without a file ``config.dotted.path``."""
        node, _ = self.at(path)
        dotted = ".".join(str(part) for part in path)
        if not node.file:
            return ".".join(filter(None, ["config", dotted]))
        place = f"{node.file}:{node.line}" if node.line else node.file
        return f"{place} ({dotted})" if dotted else place

    def merged(self, overlay: "Node") -> "Node":
        """The node with an overlay applied, as Snakemake does: mappings are merged, all else is replaced."""
        if not isinstance(self.items, dict) or not isinstance(overlay.items, dict):
            return overlay
        items = dict(self.items)
        for key, node in overlay.items.items():
            items[key] = items[key].merged(node) if key in items else node
        return replace(overlay, items=items)


def node_of(value: Any, file: str = "") -> Node:
    """Plain values, such as those of ``--config``, as a node.

    Raises:
        PipelineError: a number has more than 64 bits.
    """
    if isinstance(value, Mapping):
        return Node(file, items={str(key): node_of(one, file) for key, one in value.items()})
    if isinstance(value, list | tuple):
        return Node(file, items=[node_of(one, file) for one in value])
    if isinstance(value, int) and abs(value) > LARGEST:
        raise PipelineError("number too large", file or "a value", str(value)[:40], f"use at most {LARGEST}")
    return Node(file, value=value)


class _Reader:
    """Turns the nodes of PyYAML into ours.

    Args:
        name: the file's name, for errors.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.errors: list[PipelineError] = []
        self._done: dict[int, Node] = {}  # aliases refer to the same node of PyYAML
        self._open: set[int] = set()
        self._constructor = yaml.constructor.SafeConstructor()

    def read(self, text: str) -> Node | None:
        """The value of the only document of a text; None if there is none."""
        depth = documents = 0
        try:
            event: Any
            for event in yaml.parse(text, Loader=_Loader):  # composing recurses, so nesting is checked before
                line = event.start_mark.line + 1
                depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
                documents += isinstance(event, yaml.DocumentStartEvent)
                if depth > MAX_DEPTH:
                    self._stop(line, "nesting too deep", f"more than {MAX_DEPTH} levels", "correct the nesting")
                if documents > 1:
                    self._stop(line, "second document", "---", "keep one document in the file")
            root = yaml.compose(text, Loader=_Loader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = self.name if mark is None else f"{self.name}:{mark.line + 1}"
            said = getattr(error, "problem", None) or getattr(error, "reason", None) or error
            advice = "correct the YAML; quote text with special characters, and indent with spaces"
            raise PipelineError("invalid YAML", where, said, advice) from None
        return None if root is None else self._node(root)

    def _node(self, node: Any) -> Node:
        if id(node) not in self._done:
            self._done[id(node)] = self._scalar(node) if isinstance(node, yaml.ScalarNode) else self._collection(node)
        return self._done[id(node)]

    def _collection(self, node: yaml.CollectionNode) -> Node:
        line = node.start_mark.line + 1
        if node.tag not in (f"{_TAG}map", f"{_TAG}seq"):
            self._stop(line, "unsupported tag", node.tag, "write plain mappings and lists")
        if id(node) in self._open:
            self._stop(line, "unknown alias", "an alias of what it is in", "define its anchor outside of it")
        self._open.add(id(node))
        if isinstance(node, yaml.MappingNode):
            items: dict[str, Node] | list[Node] = self._mapping(node)
        else:
            items = [self._node(member) for member in node.value]
        self._open.remove(id(node))
        size = 1 + sum(member.size for member in (items.values() if isinstance(items, dict) else items))
        if size > MAX_VALUES:
            value = f"more than {MAX_VALUES:,} values, with aliases written out"
            self._stop(line, "too many values", value, "shorten it; long lists belong in files of their own")
        return Node(self.name, line, items=items, size=size)

    def _mapping(self, mapping: yaml.MappingNode) -> dict[str, Node]:
        items: dict[str, Node] = {}
        inherited: dict[str, Node] = {}  # of the mappings merged in by `<<`
        for key, value in mapping.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._stop(line, "invalid key", "a mapping or list", "write a name before the colon")
            node = self._node(value)
            if key.tag == f"{_TAG}merge":
                for one in node.items if isinstance(node.items, list) else [node]:
                    if not isinstance(one.items, dict):
                        self._stop(line, "invalid merge", "<<", "give a mapping, or a list of mappings")
                    inherited = one.items | inherited
                continue
            if key.tag != f"{_TAG}str":
                said = f"{key.value}, which YAML reads as {key.tag.rpartition(':')[2]}"
                self._complain(line, "key is not text", said, f'quote it: "{key.value}"')
            if key.value in items:
                said = f"{key.value!r}, first on line {items[key.value].line}"
                self._complain(line, "repeated key", said, "keep one of them")
            items[key.value] = replace(node, line=line)
        return inherited | items

    def _scalar(self, node: yaml.ScalarNode) -> Node:
        line, text = node.start_mark.line + 1, node.value
        try:
            value = self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError, KeyError):
            self._stop(line, "unsupported value", f"{node.tag} {text[:80]}", "write a plain value")
        if isinstance(value, str):
            return Node(self.name, line, value)
        if isinstance(value, int) and abs(value) > LARGEST:
            self._complain(line, "number too large", text[:40], f"use at most {LARGEST}")
        elif isinstance(value, int | float) and _SURPRISING.fullmatch(text):
            advice = f'write the number in decimal digits, or quote it: "{text}"'
            self._complain(line, "ambiguous number", f"{text}, which YAML reads as {value}", advice)
        return Node(self.name, line, value, text)

    def _complain(self, line: int, what: str, value: str, advice: str) -> None:
        self.errors.append(PipelineError(what, f"{self.name}:{line}", value, advice))

    def _stop(self, line: int, what: str, value: str, advice: str) -> NoReturn:
        raise PipelineError(what, f"{self.name}:{line}", value, advice)


@dataclass(frozen=True)
class Config:
    """The merged config, and the errors in files that could still be read (repeated keys).

    Attributes:
        lock_file: where its lock is, if it has one: beside the last config file.
    """

    root: Node
    errors: list[PipelineError] = field(default_factory=list)
    lock_file: Path | None = None

    def data(self) -> dict[str, Any]:
        """The plain values."""
        return dict(self.root.data())


def read_config(files: Sequence[str | Path], overrides: Mapping[str, Any] | None = None) -> Config:
    """Merge config files in order, with later ones taking precedence, and then the values of ``--config``.

    Raises:
        PipelineErrors: files are missing or can't be read; all of them are listed.
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
    lock_file = Path(files[-1]).with_suffix(LOCK) if files else None
    return Config(root.merged(node_of(overrides or {}, COMMAND_LINE)), errors, lock_file)


def read_file(file: str | Path) -> Config:
    """One config file.

    Raises:
        PipelineError: it is missing, too large, not YAML, or has too deep nesting or too many aliases.
    """
    path = Path(file)
    name = shown(path)
    if name.endswith(MANIFEST):
        raise PipelineError("a target, not a config file", name, "a manifest", TARGETS)
    reader = _Reader(name)
    root = reader.read(_text(path, name))
    if root is None or not isinstance(root.items, dict):
        advice = "write settings as `key: value`, as in config.yaml"
        raise PipelineError("invalid config file", name, "empty, or not a mapping at the top level", advice)
    return Config(root, reader.errors)


def shown(path: Path) -> str:
    """A path for messages: relative if it is below the working directory."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _text(path: Path, name: str) -> str:
    try:
        return read_bytes(path, MAX_BYTES).decode("utf-8-sig")
    except FileNotFoundError:
        raise PipelineError("missing config file", name, "no such file", f"correct the path; {TARGETS}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        value = f"byte {error.object[error.start]:#04x}"
        raise PipelineError("config file is not UTF-8", f"{name}:{line}", value, "save it as UTF-8") from None
    except (Unfit, OSError) as error:
        advice = "correct the path or the file's permissions; long lists belong in files of their own"
        reason = error.strerror if isinstance(error, OSError) else error
        raise PipelineError("unreadable config file", name, reason, advice) from None
