"""Why two artifacts differ: the ancestors that differ, and in each the settings, code, inputs and versions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow_scripts.provenance.diff.code_diff import ModuleDifference, module_differences
from workflow_scripts.provenance.nodes import Input, Node, inputs_of
from workflow_scripts.provenance.run_metadata import flat, mattering

Sides = tuple[Any, Any]
ABSENT = "not set"


@dataclass(frozen=True)
class InputPair:
    """An input of A beside its counterpart of B; ``None`` where one side has none."""

    name: str
    a: Input | None
    b: Input | None

    @property
    def same(self) -> bool:
        """Whether both read the same content."""
        return self.a is not None and self.b is not None and self.a.recorded_hash == self.b.recorded_hash


@dataclass(frozen=True)
class Findings:
    """How two artifacts and their origins differ; equal parts are left out.

    Attributes:
        first: whether they differ while none of their common ancestors that can be followed does.
        files: suffix -> sha256 of both.
        rows: ``in``, ``out`` or a reason -> counts of both.
        settings, versions: name -> values of both; ``not set`` where one has none.
        code: code digests of both, or None when they are the same.
        modules: modules that differ; None when a record does not name its modules.
        inputs: the inputs that differ.
    """

    a: Node
    b: Node
    first: bool
    files: dict[str, Sides]
    rows: dict[str, Sides]
    unit: dict[str, Sides]
    settings: dict[str, Sides]
    code: Sides | None
    modules: list[ModuleDifference] | None
    versions: dict[str, Sides]
    inputs: list[InputPair]

    @property
    def same_content(self) -> bool:
        """Whether both have the same manifest."""
        return self.a.hash == self.b.hash

    @property
    def unexplained(self) -> bool:
        """Other content from the same code, settings and inputs: edited since, or not reproducible."""
        recipe = (self.unit, self.settings, self.code, self.modules, self.versions, self.inputs)
        return not self.same_content and not any(recipe)


@dataclass
class _Walk:
    done: dict[tuple[Path, Path], bool] = field(default_factory=dict)
    found: list[Findings] = field(default_factory=list)

    def visit(self, a: Node, b: Node) -> bool:
        """Ancestors first; returns whether the two, or what they were made from, differ."""
        key = (a.path, b.path)
        if key in self.done:
            return self.done[key]
        pairs = [pair for pair in paired(inputs_of(a), inputs_of(b)) if not pair.same]
        above = False
        for pair in pairs:
            old, new = _followed(pair.a), _followed(pair.b)
            if old is not None and new is not None and old.stage == new.stage:
                above |= self.visit(old, new)
        self.done[key] = True
        self.found.append(_compare(a, b, pairs, first=not above))
        return True


def diff(a: Node, b: Node) -> list[Findings]:
    """Every pair of ancestors that differs, ancestors before what was made of them; the last is A and B themselves.

    Pairs with the same content are passed over, but for A and B.
    """
    walk = _Walk()
    walk.visit(a, b)
    return walk.found


def _followed(one: Input | None) -> Node | None:
    """The artifact that was read, if it is still the one on disk."""
    return one.node if one is not None and one.node is not None and one.node.hash == one.recorded_hash else None


def paired(a: list[Input], b: list[Input]) -> Iterator[InputPair]:
    """Inputs side by side: equal content first, then the same artifact's name, then the order."""
    for name in sorted({one.name for one in (*a, *b)}):
        left, right = [one for one in a if one.name == name], [one for one in b if one.name == name]
        for same in (_content, _label, None):
            rest = []
            for one in left:
                match = next((two for two in right if same is None or same(one) == same(two)), None)
                if match is None:
                    rest.append(one)
                    continue
                right.remove(match)
                yield InputPair(name, one, match)
            left = rest
        yield from (InputPair(name, one, None) for one in left)
        yield from (InputPair(name, None, two) for two in right)


def _content(one: Input) -> str:
    return one.recorded_hash


def _label(one: Input) -> str | None:
    return one.path.name if one.path else None


def _compare(a: Node, b: Node, inputs: list[InputPair], first: bool) -> Findings:
    ours, theirs = a.computation or {}, b.computation or {}
    code = (ours.get("code"), theirs.get("code"))
    closures = (ours.get("closure"), theirs.get("closure"))
    commits = ((ours.get("git") or {}).get("commit"), (theirs.get("git") or {}).get("commit"))
    modules = module_differences(closures[0], closures[1], commits) if closures[0] and closures[1] else None
    hashes = [{suffix: entry["sha256"] for suffix, entry in node.files.items()} for node in (a, b)]
    return Findings(
        a=a,
        b=b,
        first=first,
        files=differing(*hashes),
        rows=differing(*(_counts(node) for node in (a, b))),
        unit=differing(a.manifest.get("unit", {}), b.manifest.get("unit", {})),
        settings=differing(*(_settings(node) for node in (a, b))),
        code=None if code[0] == code[1] else code,
        modules=modules,
        versions=differing(_versions(ours), _versions(theirs)),
        inputs=inputs,
    )


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Sides]:
    """Names whose values differ, with both values; ``not set`` where one side has none."""
    pairs = {name: (a.get(name, ABSENT), b.get(name, ABSENT)) for name in sorted(a.keys() | b.keys())}
    return {name: sides for name, sides in pairs.items() if sides[0] != sides[1]}


def _settings(node: Node) -> dict[str, Any]:
    return {name: value for name, value in flat(mattering(node.record or {})).items() if value is not None}


def _counts(node: Node) -> dict[str, Any]:
    rows = node.manifest.get("rows") or {}
    return {name: rows[name] for name in ("in", "out") if name in rows} | dict(rows.get("dropped", {}))


def _versions(made: Mapping[str, Any]) -> dict[str, Any]:
    """Packages, Python, device, math threads and determinism flags: what of the machine can change bytes."""
    environment = made.get("environment") or {}
    named = {name: environment[name] for name in ("device", "threads") if name in environment}
    named |= {name: made[name] for name in ("python", "cpu_model", "gpu_model", "driver") if made.get(name)}
    return named | dict(made.get("determinism") or {}) | dict(made.get("packages") or {})
