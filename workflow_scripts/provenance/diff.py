"""Why two artifacts differ: the ancestors that differ, and in each the settings, code, inputs and versions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow_scripts.core.errors.text import printed
from workflow_scripts.provenance.nodes import Input, Node, inputs_of
from workflow_scripts.provenance.run_metadata import flat, mattering, short, value_text

Sides = tuple[Any, Any]
ABSENT = "not set"
WIDEST = 64  # characters of a column
OUTSIDE = {"source": "what was read", "download": "what was fetched"}  # stages whose data comes from outside
RECORD = ", its files"  # a package, by what its wheel holds


def module_differences(a: Mapping[str, str], b: Mapping[str, str]) -> dict[str, str]:
    """Modules and data files whose digests differ -> ``changed``, ``only in A`` or ``only in B``."""
    names = sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))
    return {name: "only in A" if name not in b else "only in B" if name not in a else "changed" for name in names}


@dataclass(frozen=True)
class InputPair:
    """An input of A beside its counterpart of B; ``None`` where one side has none."""

    name: str
    a: Input | None
    b: Input | None


@dataclass(frozen=True)
class Findings:
    """How two artifacts and their origins differ; equal parts are left out.

    Attributes:
        first: whether they differ while none of their common ancestors that can be followed does.
        files: suffix -> sha256 of both.
        rows: ``in``, ``out`` or a reason -> counts of both.
        settings, versions: name -> values of both; ``not set`` where one has none.
        code: code digests of both, or None when they are the same.
        modules: modules that differ, and how; None when a record does not name its modules.
        commits: of both.
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
    modules: dict[str, str] | None
    commits: Sides
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

    @property
    def reasons(self) -> dict[str, list[str]]:
        """``data``, ``setting``, ``code``, ``package`` or ``machine`` -> what of it differs; empty if unexplained."""
        packages = {name for node in (self.a, self.b) for name in (node.computation or {}).get("packages", {})}
        packages |= {"python"} | {f"{name}{RECORD}" for name in packages}
        found = {
            "data": [pair.name for pair in self.inputs],
            "setting": [*self.settings, *self.unit],
            "code": list(self.modules or {}) or ["its digest"] if self.code is not None else [],
            "package": [name for name in self.versions if name in packages],
            "machine": [name for name in self.versions if name not in packages],
        }
        if self.a.stage in OUTSIDE and not self.same_content and not found["data"]:
            found["data"] = [OUTSIDE[self.a.stage]]
        return {kind: names for kind, names in found.items() if names}


@dataclass
class Walk:
    """Compares pairs of artifacts and what they were made from, each pair once.

    Attributes:
        found: how pairs differ, ancestors first.
        roots: manifests of a pair -> the first ancestors that differ: those whose own ancestors don't.
    """

    found: list[Findings] = field(default_factory=list)
    roots: dict[tuple[Path, Path], tuple[Findings, ...]] = field(default_factory=dict)
    _known: dict[Path, Node] = field(default_factory=dict)

    def visit(self, a: Node, b: Node) -> tuple[Findings, ...]:
        """Compare two artifacts that differ, ancestors first; returns the first ancestors that do."""
        key = (a.path, b.path)
        if key in self.roots:
            return self.roots[key]
        self.roots[key] = ()  # a cycle in edited records ends here
        pairs = list(paired(self._inputs(a), self._inputs(b)))
        above: dict[int, Findings] = {}
        for pair in pairs:
            old, new = [side.read if side is not None else None for side in (pair.a, pair.b)]
            if old is not None and new is not None and old.stage == new.stage:
                above |= {id(one): one for one in self.visit(old, new)}
        own = _compare(a, b, pairs, first=not above)
        self.found.append(own)
        self.roots[key] = tuple(above.values()) or (own,)
        return self.roots[key]

    def _inputs(self, node: Node) -> list[Input]:
        found = inputs_of(node, self._known)
        self._known |= {one.node.path: one.node for one in found if one.node is not None}
        return found


def diff(a: Node, b: Node) -> list[Findings]:
    """Every pair of ancestors that differs, ancestors before what was made of them; the last is A and B themselves.

    Pairs with the same content are passed over, but for A and B.
    """
    walk = Walk()
    walk.visit(a, b)
    return walk.found


def paired(a: list[Input], b: list[Input]) -> Iterator[InputPair]:
    """Inputs that differ, side by side: equal content is passed over, then by the artifact's name, then in order."""
    for name in sorted({one.name for one in (*a, *b)}):
        left, right = [one for one in a if one.name == name], [one for one in b if one.name == name]
        for key in (lambda one: one.recorded_hash, lambda one: one.path and one.path.name, lambda _: None):
            rest = []
            for one in left:
                match = next((two for two in right if key(one) == key(two)), None)
                if match is None:
                    rest.append(one)
                    continue
                right.remove(match)
                if match.recorded_hash != one.recorded_hash:
                    yield InputPair(name, one, match)
            left = rest
        yield from (InputPair(name, one, None) for one in left)
        yield from (InputPair(name, None, two) for two in right)


def _compare(a: Node, b: Node, inputs: list[InputPair], first: bool) -> Findings:
    ours, theirs = a.computation or {}, b.computation or {}
    code = (ours.get("code"), theirs.get("code"))
    closures = (ours.get("closure"), theirs.get("closure"))
    commits = ((ours.get("git") or {}).get("commit"), (theirs.get("git") or {}).get("commit"))
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
        modules=module_differences(closures[0], closures[1]) if closures[0] and closures[1] else None,
        commits=commits,
        versions=_other_versions(ours, theirs),
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


def _other_versions(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, Sides]:
    """Versions that differ, and packages of the same version whose wheels hold other files."""
    found = differing(_versions(a), _versions(b))
    files = [made.get("package_records") or {} for made in (a, b)]
    both = files[0].keys() & files[1].keys()
    repacked = differing(*({name: side[name] for name in both} for side in files))
    return found | {f"{name}{RECORD}": sides for name, sides in repacked.items() if name not in found}


def as_text(found: Sequence[Findings]) -> str:
    """First the ancestors where it begins, then what follows from them."""
    top = found[-1]
    lines = [f"A  {top.a.label}  {top.a.hash}", f"B  {top.b.label}  {top.b.hash}"]
    lines.append("the same content" if top.same_content else f"other content in {', '.join(top.files) or 'rows alone'}")
    for one in sorted(found[:-1], key=lambda one: not one.first):
        label = one.a.label if one.a.label == one.b.label else f"{one.a.label} | {one.b.label}"
        lines += ["", f"{'first differing ancestor' if one.first else 'then'}: {label}", *_sides(one)]
    where = "A and B themselves" + ("; nothing above them differs" if top.first and not top.same_content else "")
    return printed([*lines, "", where, *_sides(top)])


def as_json(found: Sequence[Findings]) -> list[dict[str, Any]]:
    """The same for programs: an entry for each differing pair, ancestors first, A and B themselves last."""
    return [
        {
            "a": {"artifact": one.a.label, "manifest_sha256": one.a.hash},
            "b": {"artifact": one.b.label, "manifest_sha256": one.b.hash},
            "first": one.first,
            "same_content": one.same_content,
            "unexplained": one.unexplained,
            **{name: getattr(one, name) for name in ("files", "rows", "unit", "settings", "code", "versions")},
            "modules": one.modules,
            "inputs": [{"name": pair.name, "a": _input(pair.a), "b": _input(pair.b)} for pair in one.inputs],
        }
        for one in found
    ]


def _input(one: Input | None) -> dict[str, Any] | None:
    return None if one is None else {"artifact": one.label, "sha256": one.recorded_hash}


def _sides(one: Findings) -> list[str]:
    table = [
        (f"{title} {name}", value_text(a), value_text(b))
        for title in ("rows", "unit", "settings")
        for name, (a, b) in getattr(one, title).items()
    ]
    if one.code is not None:
        table.append(("code", short(one.code[0]), short(one.code[1])))
    table += [(f"version {name}", value_text(a), value_text(b)) for name, (a, b) in one.versions.items()]
    table += [(f"input {pair.name}", _input_text(pair.a), _input_text(pair.b)) for pair in one.inputs]
    widths = [min(WIDEST, max((len(row[column]) for row in table), default=0)) for column in (0, 1)]
    lines = [f"  {title:<{widths[0]}}  {a:<{widths[1]}} | {b}" for title, a, b in table]
    lines += _modules(one)
    if one.unexplained:
        read = "other data was read, " if one.a.stage in OUTSIDE else ""
        said = f"{read}edited (see faithful-pairs audit) or not reproducible"
        lines.append(f"  same code, settings and inputs, other bytes: {said}")
    return lines or ["  nothing differs in settings, code, inputs or versions"]


def _modules(one: Findings) -> list[str]:
    """The modules that differ, also where they count as the same code: by a format number, or by ``accept``."""
    if one.code is not None and one.modules is None:
        return ["  which modules differ is not recorded"]
    if one.code is not None and not one.modules:
        return ["  no module differs: the format number of the stage does"]
    counted = ", counted as the same code" if one.code is None else ""
    lines = [f"  code in {module}: {kind}{counted}" for module, kind in (one.modules or {}).items()]
    if lines and None not in one.commits and one.commits[0] != one.commits[1]:
        lines.append(f"  their commits: git diff {short(one.commits[0])} {short(one.commits[1])}")
    return lines


def _input_text(one: Input | None) -> str:
    """Label and recorded hash; says so where the artifact with that hash is missing or was replaced."""
    if one is None:
        return "none"
    there = one.path is None or one.read is not None
    return f"{one.label} {short(one.recorded_hash)}" + ("" if there else ", no longer there")
