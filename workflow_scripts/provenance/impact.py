"""What a file, model, package, row or commit reached: artifacts, runs, numbers and verdicts, by the records alone.

An artifact depends on a cause if its own record names the cause, or if it read an artifact that does. What was read is
known by its hash, so another version under the same name does not count.
"""

import os
import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from workflow_scripts.core.artifact import label_of
from workflow_scripts.core.digest import ROOT
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.errors.text import printed
from workflow_scripts.core.files.bounded_json import Unfit
from workflow_scripts.core.sources import HUB, LISTING, PACKAGE, TORCHVISION, local_path, read_listing
from workflow_scripts.provenance.nodes import Node, inputs_of, load, locate
from workflow_scripts.provenance.run_metadata import short, value_text
from workflow_scripts.provenance.summary_tables import CONTRASTS, KINDS, SUMMARY, has_verdict, read_rows, title_of

# Stages that make each row from the same row alone -> the file with its key: one without the row does not depend on it.
BY_ROW = {
    "annotations": ".parquet",
    "shard_plan": ".parquet",
    "download": ".parquet",
    "image_hashes": ".parquet",
    "image_index": ".parquet",
    "recaption": ".parquet",
    "embed_images": ".keys.parquet",
}
ANNOTATIONS, DROPPED = "annotations", ".apart.parquet"
SHOWN = 20  # of a stage or kind, shown to people
FIGURES = ("value", "difference", "low", "high")
_PACKAGE = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[^@\s]+)(@(?P<record>[0-9a-f]{4,64}))?")
_SEPARATORS = re.compile(r"[-_.]+")
_OF_MODEL = re.compile("^(encoder|judge|network)-")  # prefixes of sources
_COMMIT = re.compile(r"[0-9a-f]{7,40}")


class Missing(NamedTuple):
    """An artifact that a record names as an input, and that is no longer in a study."""

    label: str
    sha256: str


Vertex = Path | Missing  # manifest of an artifact


class Graph:
    """The artifacts below some folders, and which of them read which.

    Args:
        roots: results folders, studies or folders in one.
    """

    def __init__(self, roots: Iterable[Path]) -> None:
        self.nodes = {node.path: node for root in roots for node in load(Path(os.path.abspath(root)))}
        self.by_hash: dict[str, list[Path]] = {}
        for node in self.nodes.values():
            self.by_hash.setdefault(node.hash, []).append(node.path)
        self.readers: dict[Vertex, list[Path]] = {}
        self.versions: dict[tuple[Path, str], set[Vertex]] = {}
        for node in self.nodes.values():
            for label, vertex in self._edges(node):
                self.readers.setdefault(vertex, []).append(node.path)
                self.versions.setdefault((node.study, label), set()).add(vertex)

    def inputs(self, node: Node) -> list[Vertex]:
        """What an artifact read, each once."""
        return list(dict.fromkeys(vertex for _, vertex in self._edges(node)))

    def _edges(self, node: Node) -> Iterator[tuple[str, Vertex]]:
        for edge in inputs_of(node, self.nodes):
            same = self.by_hash.get(edge.recorded_hash, [])
            if edge.path in same:
                yield edge.label, edge.path
            elif edge.path is not None:
                yield edge.label, same[0] if same else Missing(edge.label, edge.recorded_hash)


@dataclass(frozen=True)
class Cause:
    """What may have gone wrong.

    Attributes:
        kind: ``file``, ``model``, ``package``, ``commit`` or ``row``.
        seeds: artifacts that it is or went into directly -> in which way.
        holds: whether an artifact that read an affected one is affected too.
    """

    kind: str
    text: str
    seeds: Mapping[Vertex, str]
    holds: Callable[[Node], bool] = lambda node: True


def find_cause(graph: Graph, text: str, kind: str | None, tokens: Collection[str] = ()) -> Cause:
    """The cause that a text names: as the first kind of which something is recorded, unless ``kind`` is given.

    Args:
        tokens: names under which a removed row is still listed.

    Raises:
        PipelineError: nothing that is recorded matches.
    """
    for named in (*FINDERS, ROW) if kind is None else (kind,):
        cause = _of_row(graph, text, tokens) if named == ROW else Cause(named, text, FINDERS[named](graph, text))
        if cause.seeds:
            return cause
    advice = "give a file such as results/STUDY/pretrain/RUN, a model, PACKAGE==VERSION, an image id, a URL or a commit"
    raise PipelineError("unknown cause", text, f"no {f'{kind} in the records' if kind else 'record'} matches", advice)


def _of_file(graph: Graph, text: str) -> dict[Vertex, str]:
    """An artifact's file, a file of a source, or a module or data file of the code."""
    path = Path(os.path.abspath(text))
    if path.is_relative_to(ROOT / "workflow_scripts"):
        inner = path.relative_to(ROOT)
        names = {inner.as_posix(), ".".join(inner.with_suffix("").parts).removesuffix(".__init__")}
        closures = {path: (node.computation or {}).get("closure", {}) for path, node in graph.nodes.items()}
        code: dict[Vertex, str]
        code = {path: "its code" for path, closure in closures.items() if not names.isdisjoint(closure)}
        if code:
            return code
    found: dict[Vertex, str] = {
        node.path: f"read from {node.at} as a whole" for node in graph.nodes.values() if node.at and _lists(node, path)
    }
    study, label = path.parent.parent, f"{path.parent.name}/{path.name.partition('.manifest.json')[0]}"
    try:
        node = locate(path).node
    except PipelineError:  # an artifact that is missing may still be named as an input
        pass
    else:
        study, label = node.study, node.label
        found |= dict.fromkeys(graph.by_hash.get(node.hash, ()), "the artifact itself")
    earlier = dict.fromkeys(graph.versions.get((study, label), ()), "an earlier version of the artifact")
    return earlier | found


def _lists(source: Node, path: Path) -> bool:
    """Whether a source was read from this file, or from files in this folder."""
    at = source.at or ""
    if at.startswith(PACKAGE):
        with suppress(PipelineError, ImportError, ValueError):  # it may not be installed here
            at = str(local_path(at, may_fetch=False))
    if at.startswith((HUB, PACKAGE)) or "://" in at:
        return False
    for base in {source.study.parent.parent, ROOT, Path.cwd()}:
        root = Path(os.path.abspath(base / at.removeprefix(TORCHVISION)))
        if root.is_relative_to(path):
            return True
        if path.is_relative_to(root):
            with suppress(OSError, Unfit):
                listed = {str(one.get("path")) for one in read_listing(source.file(LISTING))}
                return path.relative_to(root).as_posix() in listed
    return False


def _of_model(graph: Graph, text: str) -> dict[Vertex, str]:
    """A source by its name, its location, or its repository with or without ``hub:`` and revision."""
    wanted = text.removeprefix(HUB) or None
    nodes = (node for node in graph.nodes.values() if node.stage == "source")
    sources = [(node, (node.at or node.name).removeprefix(HUB)) for node in nodes]
    places = [
        at for node, at in sources if wanted in (node.name, _OF_MODEL.sub("", node.name), at, at.partition("@")[0])
    ]
    return {node.path: f"read from {node.at}" for node, at in sources if at in places}  # also by another name


def _of_package(graph: Graph, text: str) -> dict[Vertex, str]:
    wanted = _PACKAGE.fullmatch(text)
    if wanted is None:
        return {}
    found: dict[Vertex, str] = {}
    for node in graph.nodes.values():
        made = node.computation or {}
        for name, version in made.get("packages", {}).items():
            record = made.get("package_records", {}).get(name) or ""
            same = _normal(name) == _normal(wanted["name"]) and version == wanted["version"]
            if same and record.startswith((wanted["record"] or "")[: len(record) or None]):
                found[node.path] = f"computed with {name} {version}" + (f", its files {record}" if record else "")
    return found


def _normal(name: str) -> str:
    return _SEPARATORS.sub("-", name).lower()


def _of_commit(graph: Graph, text: str) -> dict[Vertex, str]:
    if not _COMMIT.fullmatch(text):
        return {}
    found: dict[Vertex, str] = {}
    for node in graph.nodes.values():
        git = (node.computation or {}).get("git") or {}
        if (git.get("commit") or "").startswith(text):
            found[node.path] = f"computed at commit {short(git['commit'])}{' with changes' if git.get('dirty') else ''}"
    return found


FINDERS = {"file": _of_file, "model": _of_model, "package": _of_package, "commit": _of_commit}
ROW = "row"


def _of_row(graph: Graph, text: str, tokens: Collection[str]) -> Cause:
    """The annotations with a row of this id or URL, and which artifacts made by row hold it."""
    import pyarrow.compute as pc

    ids, seeds = {text, *tokens}, dict[Vertex, str]()
    for node in graph.nodes.values():
        for suffix, detail in ((BY_ROW[ANNOTATIONS], "has the row"), (DROPPED, "left it out")):
            table = _read(node, suffix, ("image_id", "url")) if node.stage == ANNOTATIONS else None
            if table is None or not {"image_id", "url"} <= set(table.column_names):
                continue
            either = pc.or_kleene(pc.is_in(table["image_id"], _values(ids)), pc.is_in(table["url"], _values(ids)))
            rows = table.filter(either)
            if rows.num_rows:
                seeds.setdefault(node.path, detail)
                ids |= {one for one in rows["image_id"].to_pylist() if one}

    def holds(node: Node) -> bool:
        table = _read(node, BY_ROW[node.stage], ("image_id", "key")) if node.stage in BY_ROW else None
        return table is None or bool(pc.any(pc.is_in(table.column(0), _values(ids))).as_py())

    return Cause(ROW, text, seeds, holds)


def _values(texts: Iterable[str]) -> Any:
    import pyarrow as pa

    return pa.array(sorted(texts), pa.string())


def _read(node: Node, suffix: str, names: Sequence[str]) -> Any:
    """Those of the named columns that an artifact's table has; None if it has none of them or can't be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(node.file(suffix)) as file:
            columns = [name for name in names if name in file.schema_arrow.names]
            return file.read(columns=columns) if columns else None
    except (OSError, pa.ArrowException):
        return None


# What it reached -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reached:
    """An artifact that depends on the cause.

    Attributes:
        chain: ``<stage>/<name>`` of itself, of what it read, and so on to the first that the cause went into.
        detail: how the cause went into that.
    """

    node: Node
    chain: tuple[str, ...]
    detail: str


@dataclass(frozen=True)
class Number:
    """A row of a summary that depends on the cause: a score, a difference, or one with a verdict.

    Attributes:
        chain: as of the artifact through which it does.
        joint: what of the study's comparisons it depends on, if it does so only through that; else empty.
    """

    summary: Node
    kind: str
    values: Mapping[str, Any]
    chain: tuple[str, ...]
    joint: str = ""


@dataclass(frozen=True)
class Impact:
    """What depends on a cause.

    Attributes:
        artifacts: in order of studies and names.
        total: number of artifacts that were looked at.
        unknown: of which it is not known whether they do -> why.
        another_key: of those artifacts, by their manifests: why they would get another key if they were planned now;
            None if that was not asked.
    """

    cause: Cause
    artifacts: Sequence[Reached]
    numbers: Sequence[Number]
    total: int
    unknown: Mapping[Path, str]
    another_key: Mapping[Path, str] | None = None

    @property
    def runs(self) -> list[Reached]:
        """The pretrained networks among the artifacts."""
        return [one for one in self.artifacts if one.node.stage == "pretrain"]


def impact(graph: Graph, cause: Cause) -> Impact:
    """Everything that depends on a cause. Its time is linear in artifacts and inputs, besides the tables of rows."""
    came_from = spread(graph, cause.seeds, cause.holds)
    artifacts = [
        Reached(node, *_chain(graph, cause, came_from, path))
        for path, node in sorted(graph.nodes.items())
        if path in came_from
    ]
    numbers: list[Number] = []
    unknown = _unknown(graph, came_from)
    for summary in (one.node for one in artifacts if one.node.stage == SUMMARY):
        try:
            numbers += _numbers(graph, cause, came_from, summary)
        except PipelineError as error:
            unknown[summary.path] = f"its numbers: {error}"
    return Impact(cause, artifacts, numbers, len(graph.nodes), unknown)


def spread(
    graph: Graph, seeds: Iterable[Vertex], holds: Callable[[Node], bool] = lambda node: True
) -> dict[Vertex, Vertex | None]:
    """Everything that was made from some artifacts -> the one through which, by a shortest way; None for themselves."""
    came_from: dict[Vertex, Vertex | None] = dict.fromkeys(sorted(seeds, key=str))
    waiting = deque(came_from)
    while waiting:
        vertex = waiting.popleft()
        for reader in graph.readers.get(vertex, ()):
            if reader not in came_from and holds(graph.nodes[reader]):
                came_from[reader] = vertex
                waiting.append(reader)
    return came_from


def _chain(
    graph: Graph, cause: Cause, came_from: Mapping[Vertex, Vertex | None], vertex: Vertex
) -> tuple[tuple[str, ...], str]:
    labels: list[str] = []
    last, step = vertex, came_from[vertex]
    while step is not None:
        labels.append(_label(graph, last))
        last, step = step, came_from[step]
    return (*labels, _label(graph, last)), cause.seeds[last]


def _label(graph: Graph, vertex: Vertex) -> str:
    if isinstance(vertex, Missing):
        return f"{vertex.label} {short(vertex.sha256)}, no longer there"
    return graph.nodes[vertex].label


def _numbers(graph: Graph, cause: Cause, came_from: Mapping[Vertex, Vertex | None], summary: Node) -> Iterator[Number]:
    """The rows of one summary: all if the cause went into its own computation, else those whose files it reached."""
    read = [vertex for vertex in graph.inputs(summary) if vertex in came_from]
    reached = {vertex.sha256 if isinstance(vertex, Missing) else graph.nodes[vertex].hash: vertex for vertex in read}
    scored: dict[tuple[str, str], tuple[str, ...]] = {}  # chains to scores of trained networks, by metric and step
    corrected: tuple[str, ...] | None = None  # chain to a reached verdict, with which the others are corrected
    waiting: list[Number] = []
    for kind in KINDS:
        for row in read_rows(summary, kind):
            through = next((reached[sha256] for sha256 in row.files.values() if sha256 in reached), None)
            if through is None and summary.path in cause.seeds:
                through = summary.path
            chain = () if through is None else _chain(graph, cause, came_from, through)[0]
            number = Number(summary, kind, row.values, chain)
            if through is not None:
                yield number
                if row.values.get("batch_size"):
                    scored.setdefault(_score(number), chain)
                if has_verdict(row.values):
                    corrected = corrected or chain
            elif has_verdict(row.values) or row.values.get("arms"):
                waiting.append(number)
    # The variance between seeds of a comparison with arms is that of all networks trained.
    moderated = [(number, scored.get(_score(number)) if number.values.get("arms") else None) for number in waiting]
    corrected = corrected or next((chain for number, chain in moderated if chain and has_verdict(number.values)), None)
    for number, of_arms in moderated:
        joint = "the variance between seeds of all networks trained" if of_arms else "the correction of all verdicts"
        if shared := of_arms or (corrected if has_verdict(number.values) else None):
            yield replace(number, chain=shared, joint=joint)


def _score(number: Number) -> tuple[str, str]:
    return str(number.values.get("metric")), str(number.values.get("step"))


def _unknown(graph: Graph, came_from: Collection[Vertex]) -> dict[Path, str]:
    """Artifacts without a readable record, or made from something that is gone, and what was made from them."""
    doubts: dict[Vertex, str] = {}
    for path, node in graph.nodes.items():
        gone = next((vertex for vertex in graph.inputs(node) if isinstance(vertex, Missing)), None)
        if node.record is None:
            doubts[path] = f"no readable run record: {node.record_file.fault}"
        elif gone is not None:
            doubts[path] = f"made from {_label(graph, gone)}"
    found = spread(graph, doubts)
    texts = {path: doubts.get(path) or f"made from {_label(graph, found[path] or path)}" for path in found}
    return {path: texts[path] for path in sorted(graph.nodes) if path in texts and path not in came_from}


# As text and JSON ----------------------------------------------------------------------------------------------------


def as_text(found: Impact) -> str:
    """The answer for people; long lists are cut, and say so."""
    verdicts = [number for number in found.numbers if has_verdict(number.values)]
    counts = f"{len(found.artifacts):,} of {found.total:,} artifacts, {len(found.runs):,} runs, "
    counts += f"{len(found.numbers):,} numbers, {len(verdicts):,} verdicts"
    if found.another_key is not None:
        counts += f"; {len(found.another_key):,} artifacts would get another key"
    lines = [f"{found.cause.kind} {found.cause.text}: {counts}"]
    groups: dict[str, list[str]] = {}
    for one in found.artifacts:
        reason = (found.another_key or {}).get(one.node.path)
        if found.another_key is None or reason is not None:
            text = f"{' <- '.join(one.chain)}: {one.detail}" + (f"; another key: {reason}" if reason else "")
            groups.setdefault(f"{one.node.study.name}: {one.node.stage}", []).append(text)
    if found.another_key is None:
        for number in found.numbers:
            other = "differences" if number.kind == CONTRASTS else "numbers"
            title = "verdicts" if has_verdict(number.values) else other
            groups.setdefault(f"{number.summary.study.name}: {title}", []).append(_number_text(number))
    for path, text in found.unknown.items():
        groups.setdefault("not known", []).append(f"{path.parent.parent.name}/{label_of(path)}: {text}")
    for title, members in groups.items():
        lines += ["", f"{title} ({len(members):,})", *(f"  {text}" for text in members[:SHOWN])]
        lines += [f"  ... and {len(members) - SHOWN:,} more; --json lists all"] if len(members) > SHOWN else []
    return printed(lines)


def _number_text(number: Number) -> str:
    shown = "".join(f", {name} {value_text(number.values[name])}" for name in FIGURES if name in number.values)
    verdict = f", {value_text(number.values['verdict'])}" if has_verdict(number.values) else ""
    joint = f", only through {number.joint}" if number.joint else ""
    return f"{title_of(number.values)}{shown}{verdict} <- {' <- '.join(number.chain)}{joint}"


def as_json(found: Impact) -> dict[str, Any]:
    """The same for programs, with nothing cut."""
    reasons = found.another_key or {}
    artifacts = [
        {
            "study": str(one.node.study),
            "artifact": one.node.label,
            "manifest_sha256": one.node.hash,
            "chain": list(one.chain),
            "detail": one.detail,
            "another_key": reasons.get(one.node.path),
        }
        for one in found.artifacts
        if found.another_key is None or one.node.path in reasons
    ]
    numbers = [
        {"study": str(one.summary.study), "table": one.kind, "row": dict(one.values), "chain": list(one.chain)}
        | {"verdict": one.values["verdict"] if has_verdict(one.values) else None, "joint": bool(one.joint)}
        for one in found.numbers
    ]
    return {
        "cause": {"kind": found.cause.kind, "text": found.cause.text},
        "looked_at": found.total,
        "artifacts": artifacts,
        "runs": [{"study": str(one.node.study), "run": one.node.name} for one in found.runs],
        "numbers": numbers,
        "unknown": [{"artifact": str(path), "reason": text} for path, text in found.unknown.items()],
    }
