"""The answer of ``faithful-pairs diff`` as text, A and B side by side, and as JSON."""

from collections.abc import Sequence
from typing import Any

from workflow_scripts.core.errors.text import printed
from workflow_scripts.provenance import format as fmt
from workflow_scripts.provenance.diff.code_diff import ModuleDifference
from workflow_scripts.provenance.diff.diff import Findings
from workflow_scripts.provenance.nodes import Input

WIDEST = 64  # characters of a column


def as_text(found: Sequence[Findings]) -> str:
    """First the ancestors where it begins, then what follows from them."""
    top = found[-1]
    lines = [f"A  {top.a.label}  {top.a.hash}", f"B  {top.b.label}  {top.b.hash}"]
    lines.append("the same content" if top.same_content else f"other content in {', '.join(top.files) or 'rows alone'}")
    first = [one for one in found if one.first and one is not top]
    for one in first:
        lines += ["", f"first differing ancestor: {_pair_title(one)}", *_sides(one)]
    for one in found:
        if not one.first and one is not top:
            lines += ["", f"then: {_pair_title(one)}", *_sides(one)]
    where = "A and B themselves" + ("; nothing above them differs" if top.first and not top.same_content else "")
    return printed([*lines, "", where, *_sides(top)])


def as_json(found: Sequence[Findings]) -> list[dict[str, Any]]:
    """The same for programs: one entry a differing pair, ancestors first, A and B themselves last."""
    return [_entry(one) for one in found]


def _entry(one: Findings) -> dict[str, Any]:
    modules = one.modules
    return {
        "a": {"artifact": one.a.label, "manifest_sha256": one.a.hash},
        "b": {"artifact": one.b.label, "manifest_sha256": one.b.hash},
        **{"first": one.first, "same_content": one.same_content, "unexplained": one.unexplained},
        **{name: getattr(one, name) for name in ("files", "rows", "unit", "settings", "code", "versions")},
        "modules": None if modules is None else [vars(module) for module in modules],
        "inputs": [{"name": pair.name, "a": _input(pair.a), "b": _input(pair.b)} for pair in one.inputs],
    }


def _input(one: Input | None) -> dict[str, Any] | None:
    return None if one is None else {"artifact": one.label, "sha256": one.recorded_hash}


def _pair_title(one: Findings) -> str:
    return one.a.label if one.a.label == one.b.label else f"{one.a.label} | {one.b.label}"


def _sides(one: Findings) -> list[str]:
    table = [
        (f"{title} {name}", fmt.value(a), fmt.value(b))
        for title in ("rows", "unit", "settings")
        for name, (a, b) in getattr(one, title).items()
    ]
    if one.code is not None:
        table.append(("code", fmt.short(one.code[0]), fmt.short(one.code[1])))
    table += [(f"version {name}", fmt.value(a), fmt.value(b)) for name, (a, b) in one.versions.items()]
    table += [(f"input {pair.name}", _input_text(pair.a), _input_text(pair.b)) for pair in one.inputs]
    widths = [min(WIDEST, max((len(row[column]) for row in table), default=0)) for column in (0, 1)]
    lines = [f"  {title:<{widths[0]}}  {a:<{widths[1]}} | {b}" for title, a, b in table]
    lines += _modules(one)
    if one.unexplained:
        lines.append(
            "  same code, settings and inputs, other bytes: edited (see faithful-pairs audit) or not reproducible"
        )
    return lines or ["  nothing differs in settings, code, inputs or versions"]


def _modules(one: Findings) -> list[str]:
    """The modules that differ, also where they count as the same code: by a format number, or by ``accept``."""
    if one.code is not None and one.modules is None:
        return ["  which modules differ is not recorded"]
    if one.code is not None and not one.modules:
        return ["  no module differs: the format number of the stage does"]
    counted = ", counted as the same code" if one.code is None else ""
    return [f"  code in {module.module}: {_changed_names(module)}{counted}" for module in one.modules or ()]


def _changed_names(module: ModuleDifference) -> str:
    if module.kind != "changed":
        return module.kind
    if module.names is None:
        return "changed; neither today's file nor the recorded commit has that text"
    return ", ".join(module.names) or "order of definitions"


def _input_text(one: Input | None) -> str:
    """Label and recorded hash; says so where the artifact with that hash is missing or was replaced."""
    if one is None:
        return "none"
    is_there = one.path is None or (one.node is not None and one.node.hash == one.recorded_hash)
    return f"{one.label} {fmt.short(one.recorded_hash)}" + ("" if is_there else ", no longer there")
