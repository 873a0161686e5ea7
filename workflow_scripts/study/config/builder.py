"""Builds values with line numbers from the events of a YAML parser, strictly.

PyYAML alone accepts repeated keys, drops line numbers, and expands nested aliases until memory is exhausted. Values are
interpreted as Snakemake does (YAML 1.1).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.config.nodes import Node

MAX_DEPTH = 50
MAX_VALUES = 200_000  # in one file, with aliases expanded
LARGEST = 2**63 - 1
_MERGE = "tag:yaml.org,2002:merge"
_COLLECTIONS = (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
# Numbers that YAML 1.1 reads in an unexpected way: 010 is 8, 1:30 is 90.
_SURPRISING = re.compile(r"[-+]?(0[0-7_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")


@dataclass
class _Open:
    """An unfinished mapping or list; ``key`` is a mapping's latest key while its value is missing."""

    items: dict[str, Node] | list[Node]
    line: int
    anchor: str | None
    key: str | None = None
    key_line: int = 0
    lines: dict[str, int] = field(default_factory=dict)
    inherited: list[Node] = field(default_factory=list)  # mappings merged in by `<<`
    merging: bool = False
    size: int = 1


class Builder:
    """Builds nodes from YAML events without recursion, so that nesting of any depth can be refused.

    Args:
        name: the file's name, for errors.
        within: the key whose value is read, if it is on a command line, where lines mean nothing.
    """

    def __init__(self, name: str, within: str = "") -> None:
        self.name, self.within = name, within
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
            self._complain(line, "number too large", event.value[:40], f"use at most {LARGEST}")
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
            self._complain(line, "repeated key", value, "keep one of them")
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
        dotted = ".".join(filter(None, (self.within, *self._path())))
        place = self.name if self.within else f"{self.name}:{line}"
        return f"{place} ({dotted[:200]})" if dotted else place

    def _complain(self, line: int, what: str, value: str, advice: str) -> None:
        self.errors.append(PipelineError(what, self._where(line), value, advice))

    def _stop(self, line: int, what: str, value: str, advice: str) -> None:
        raise PipelineError(what, self._where(line), value, advice)
