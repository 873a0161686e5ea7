"""Values of config files with the file and line of every key, so that errors can give their location."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any


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

    def below(self, *path: Any) -> "Node":
        """The node at ``path``; an empty one if there is none."""
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
        """The node with an overlay applied, as Snakemake does: mappings are merged, all else is replaced."""
        if not isinstance(self.items, dict) or not isinstance(overlay.items, dict):
            return overlay
        items = dict(self.items)
        for key, node in overlay.items.items():
            items[key] = items[key].merged(node) if key in items else node
        return replace(overlay, items=items)


def node_of(value: Any, file: str = "") -> Node:
    """Plain values, such as those of ``--config``, as a node."""
    if isinstance(value, Mapping):
        return Node(file, items={str(key): node_of(one, file) for key, one in value.items()})
    if isinstance(value, list | tuple):
        return Node(file, items=[node_of(one, file) for one in value])
    return Node(file, value=value)
