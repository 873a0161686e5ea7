"""Is it reproducible? Recompute artifacts in a clean folder from their recorded inputs and compare the files.

The originals are read, never written: inputs are given by their paths, everything else goes to a folder of its own.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.declaration.facts import Tolerance
from workflow_scripts.core.digest import ROOT, code_digest, uses_of
from workflow_scripts.core.errors import last_error
from workflow_scripts.core.errors.text import printed
from workflow_scripts.core.files.jsonio import canonical
from workflow_scripts.core.runtime.environment import package_records, version
from workflow_scripts.core.runtime.machine import cpu_model
from workflow_scripts.core.runtime.progress import progress
from workflow_scripts.core.runtime.variables import RECORDED, recorded_variables
from workflow_scripts.core.sources import HUB, PACKAGE, TORCHVISION
from workflow_scripts.provenance.nodes import Node, ancestors, inputs_of, read_node

Arrays = dict[str, np.ndarray]  # name of a column, an array, or a place in JSON -> its values
WEIGHTS = "weights"  # all floating-point tensors of a file in one


class Kind(StrEnum):
    """A verdict on a file."""

    EXACT = "bit-exact"
    WITHIN = "within tolerance"
    DIFFERS = "differs"
    BY_DESIGN = "not reproducible by design"
    IMPOSSIBLE = "can't be recomputed"


GOOD = (Kind.EXACT, Kind.WITHIN, Kind.BY_DESIGN)


@dataclass(frozen=True)
class Verdict:
    """The verdict on one file of one artifact.

    Attributes:
        artifact: ``<stage>/<name>``.
        suffix: of the file; empty for the artifact as a whole.
        detail: deviation and its bound, or the reason.
    """

    artifact: str
    suffix: str
    kind: Kind
    detail: str = ""


@dataclass(frozen=True)
class Options:
    """How to recompute.

    Attributes:
        scratch: folder for everything that is written; of :func:`verify_all`, the folder that holds one for each.
        threads: math threads; None: the recorded number.
        device: ``cpu`` or ``cuda``; None: the recorded one.
        workers: processes or threads for reading.
        timeout: seconds for one stage; None: no limit.
        tolerance: bound of a stage's file, given stage and suffix; None where bytes must be the same.
    """

    scratch: Path
    tolerance: Callable[[str, str], Tolerance | None]
    threads: int | None = None
    device: str | None = None
    workers: int = 1
    timeout: float | None = None


def sample(nodes: Sequence[Node], count: int, seed: int) -> list[Node]:
    """``count`` artifacts drawn with ``seed``: each stage once before one comes twice; in order of stage and name."""
    drawn = random.Random(seed).sample(sorted(nodes, key=lambda node: str(node.path)), len(nodes))
    before: Counter[str] = Counter()
    turns = []
    for node in drawn:
        turns.append((before[node.stage], node))
        before[node.stage] += 1
    chosen = sorted(turns, key=lambda turn: turn[0])[:count]
    return sorted((node for _, node in chosen), key=lambda node: (node.stage, node.name))


def verify_all(nodes: Sequence[Node], options: Options) -> list[Verdict]:
    """Verdicts on all artifacts; the clean folder of each is removed unless a file of it differs."""
    scratch = Path(tempfile.mkdtemp(prefix="verify-", dir=options.scratch)).absolute()
    verdicts: list[Verdict] = []
    for number, node in enumerate(progress(nodes, len(nodes), "artifacts")):
        folder = scratch / str(number)
        found = verify(node, replace(options, scratch=folder))
        verdicts += found
        if any(one.kind == Kind.DIFFERS for one in found):
            sys.stderr.write(printed([f"{node.label} differs; the recomputed files are kept in {folder}"]))
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if not any(scratch.iterdir()):
        scratch.rmdir()
    return verdicts


def verify(node: Node, options: Options) -> list[Verdict]:
    """Recompute one artifact and compare each of its files."""
    reason = not_by_design(node)
    if reason is not None:
        return [Verdict(node.label, suffix, Kind.BY_DESIGN, reason) for suffix in sorted(node.files)]
    target = options.scratch / "results" / node.study.name / node.stage / node.name
    reason = _obstacle(node, options) or _run(node, target, options)
    if reason is not None:
        return [Verdict(node.label, "", Kind.IMPOSSIBLE, reason)]
    made = read_node(target.with_name(f"{target.name}{MANIFEST}"))
    changes = differences(node, options)
    suffixes = sorted(node.files.keys() | made.files.keys())
    verdicts = [_compare(node, made, one, changes, options.tolerance(node.stage, one)) for one in suffixes]
    if node.manifest["rows"] != made.manifest["rows"]:
        detail = f"row counts {canonical(made.manifest['rows'])}, recorded {canonical(node.manifest['rows'])}"
        verdicts.append(Verdict(node.label, "", Kind.DIFFERS, detail))
    return verdicts


def not_by_design(node: Node) -> str | None:
    """Why an artifact is not reproducible by design, or None."""
    if node.stage == "download" and "world" not in (node.record or {}).get("inputs", {}):
        return "a second fetch depends on servers that may have changed or lost the images"
    if (node.at or "").startswith("http"):
        return "fetched by URL; its bytes are checked against the sha256 in the config"
    if node.stage == "crate":
        return "it contains times"
    return None


def _obstacle(node: Node, options: Options) -> str | None:
    """Why an artifact can't be recomputed, or None."""
    record = node.record
    if record is None:
        return f"no run record: {node.record_file.fault}"
    if not (ROOT / "workflow_scripts" / "stages" / f"{node.stage}.py").is_file():
        return f"no stage {node.stage} in this code"
    if lacking := sorted({"settings", "unit", "code", "environment"} - record.keys()):
        return f"its run record lacks {', '.join(lacking)}"
    for edge in inputs_of(node):
        if edge.node is not None and edge.node.stage == "source" and edge.node.at is None:
            return f"its source {edge.name} has no run record that gives its location"
        if edge.path is None:
            return f"its source {edge.name} has no manifest that gives its location"
        if edge.node is None:
            return f"its input {edge.name} is missing: {edge.path}"
        if edge.node.hash != edge.recorded_hash:
            return f"its input {edge.name} is not the recorded one: {edge.path}"
    # All of them: an image index, for one, reads the shards beside its own inputs.
    above = [source for source in ancestors([node]).values() if source is not node]
    files = (source.file(suffix) for source in above for suffix in source.files)
    missing = next((path for path in files if not path.exists()), None)
    if missing is not None:
        return f"a file of its inputs is missing: {missing}"
    if (options.device or record["environment"]["device"]) == "cuda" and not Path("/dev/nvidiactl").exists():
        return "made on a GPU, and none is available; compare within tolerance with --device cpu"
    return None


def command(node: Node, target: Path, options: Options) -> list[str]:
    """The stage's command line with recorded settings, unit and inputs, writing to ``target``."""
    record: dict[str, Any] = node.record or {}
    where = record["environment"]
    words = [sys.executable, "-m", f"workflow_scripts.stages.{node.stage}", "--artifact", str(target)]
    words += ["--settings", canonical(record["settings"])]
    words += ["--unit", *(f"{name}={value}" for name, value in record["unit"].items())]
    by_name: dict[str, list[Node]] = defaultdict(list)
    for edge in inputs_of(node):
        if edge.node is not None:
            by_name[edge.name].append(edge.node)
    for name, nodes in by_name.items():
        first, *rest = [str(one.path.absolute()) for one in nodes]
        words += ["--input", f"{name}={first}", *rest]
    sources = {name: nodes[0] for name, nodes in by_name.items() if nodes[0].stage == "source"}
    if sources:
        words += ["--source", *(f"{name}={one.at}" for name, one in sources.items())]
    words += ["--device", options.device or where["device"], "--threads", str(options.threads or where["threads"])]
    return [*words, "--workers", str(options.workers)]


def start_folder(node: Node) -> Path:
    """Where the paths of the node's sources count from: beside the results, or in the checkout if those were moved."""
    beside = node.study.absolute().parent.parent
    nodes = [node, *(edge.node for edge in inputs_of(node) if edge.node is not None)]
    wanted = [node.at for node in nodes if node.at is not None and not node.at.startswith((HUB, PACKAGE))]
    local = [Path(at.removeprefix(TORCHVISION)) for at in wanted]
    return beside if all((beside / path).exists() for path in local) else ROOT


def _run(node: Node, target: Path, options: Options) -> str | None:
    """Run the stage; returns None, or the error."""
    words, folder, limit = command(node, target, options), start_folder(node), options.timeout
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    try:
        done = subprocess.run(words, cwd=folder, env=variables, capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return f"not finished after {options.timeout:.0f} s"
    if done.returncode == 0:
        return None
    return last_error(done.stderr.decode(errors="replace")) or f"the stage ended with status {done.returncode}"


def differences(node: Node, options: Options) -> list[str]:
    """In what code and machine of today differ from the recorded ones; what was not recorded is not known to."""
    record, origin = node.record or {}, node.computation or {}
    where = record["environment"]
    found = []
    if record["code"] != code_digest(node.stage, uses_of(record.get("uses", {}))):
        found.append("other code")
    device, threads = options.device or where["device"], options.threads or where["threads"]
    found += [f"device {device}, {where['device']} before"] if device != where["device"] else []
    found += [f"{threads} math threads, {where['threads']} before"] if threads != where["threads"] else []
    found += ["a GPU"] if device == "cuda" else []
    processor = origin.get("cpu_model")
    if processor is None:
        found.append("processor not recorded")
    elif processor != cpu_model():
        found.append(f"processor {cpu_model()}, {processor} before")
    before_of = origin.get("packages", {})
    for name, before in sorted(before_of.items()):
        if name in where["packages"] and version(name) != before:
            found.append(f"{name} {version(name)}, {before} before")
    files = origin.get("package_records") or {}
    now = package_records(sorted(files.keys() & where["packages"].keys()))
    other = [name for name, record in now.items() if record != files[name]]
    found += [f"other files of {name}, of the same version" for name in other if version(name) == before_of.get(name)]
    flags, variables = origin.get("determinism") or {}, recorded_variables()
    then = {name: value for name, value in flags.items() if name in RECORDED and value is not None}
    names = sorted(name for name in then | variables if variables.get(name) != then.get(name))
    return found + [f"{name} {variables.get(name, 'not set')}, {then.get(name, 'not set')} before" for name in names]


def _compare(node: Node, made: Node, suffix: str, changes: list[str], allowed: Tolerance | None) -> Verdict:
    """The verdict on one file. The recorded sha256 counts, not the file that lies there: that is audit's to check."""
    told = ", ".join(changes) or "though code, threads, processor, versions and variables are the recorded ones"
    if suffix not in made.files or suffix not in node.files:
        missing = "is no longer made" if suffix in node.files else "was not made before"
        return Verdict(node.label, suffix, Kind.DIFFERS, f"the file {missing}; {told}")
    recorded = node.files[suffix]
    if recorded == made.files[suffix]:
        return Verdict(node.label, suffix, Kind.EXACT, "though " + ", ".join(changes) if changes else "")
    original = node.file(suffix)
    if not original.exists() or file_hash(original) != recorded["sha256"]:
        return Verdict(node.label, suffix, Kind.DIFFERS, "and the original does not match its manifest: run audit")
    bound = allowed.number if allowed is not None else 0.0
    found = deviation(made.file(suffix), original, suffix, bound)
    if isinstance(found, str):
        return Verdict(node.label, suffix, Kind.DIFFERS, f"{found}; {told}")
    apart = f"by {found.number:.1e} at most, {found.unequal:.2%} of cells by more than {bound:.0e} ({found.where})"
    if allowed is None:
        return Verdict(node.label, suffix, Kind.DIFFERS, f"{apart}; no tolerance for this file; {told}")
    kind = Kind.WITHIN if found.unequal <= allowed.unequal and changes else Kind.DIFFERS
    return Verdict(node.label, suffix, kind, f"{apart}; allowed {allowed.unequal:.1%}, {allowed.source}; {told}")


@dataclass(frozen=True)
class Deviation:
    """How much a file deviates from another.

    Attributes:
        number: largest deviation of a floating-point number, as a share of the largest absolute value of its column,
            array or place (of 1 where that is less); of weights, the norm of the difference of all of them together, as
            a share of their norm.
        unequal: largest share of a column's cells that differ: numbers by more than a bound, anything else at all.
        where: the column, array or place that deviates most, for people.
    """

    number: float
    unequal: float
    where: str


def deviation(file: Path, reference: Path, suffix: str, bound: float = 0.0) -> Deviation | str:
    """Deviation of ``file`` from ``reference``, or why the two can't be compared number by number.

    Args:
        suffix: the files' suffix, which tells their kind.
        bound: numbers that deviate by more, measured as in :class:`Deviation`, count as unequal cells.
    """
    reader = next((read for ending, read in READERS.items() if suffix.endswith(ending)), None)
    if reader is None:
        return "files of this kind are compared by bytes only"
    try:
        ours, theirs = reader(file), reader(reference)
    except Exception as error:  # noqa: BLE001 - readers of seven formats raise nearly anything on damaged files
        return f"it can't be read ({error})"
    if ours.keys() != theirs.keys():
        return f"names differ: {', '.join(sorted(ours.keys() ^ theirs.keys())[:3])}"
    found = Deviation(0.0, 0.0, "")
    for name, values in ours.items():
        other = theirs[name]
        if values.shape != other.shape or values.dtype.kind != other.dtype.kind:
            return f"{name} has another type or shape: {values.dtype}{values.shape}, {other.dtype}{other.shape} before"
        if name == WEIGHTS:
            number = _norm_apart(values, other)
            unequal = float(number > bound)
        else:
            number, unequal = _apart(values, other, bound)
        if number > found.number or unequal > found.unequal:
            found = Deviation(max(number, found.number), max(unequal, found.unequal), name)
    return found


def _apart(values: np.ndarray, other: np.ndarray, bound: float) -> tuple[float, float]:
    """Largest deviation and share of unequal cells of one column."""
    if values.size == 0:
        return 0.0, 0.0
    if values.dtype.kind != "f":
        return 0.0, float(np.mean(values != other))
    ours, theirs = values.astype(np.float64), other.astype(np.float64)
    known = np.isfinite(theirs)
    if not np.array_equal(ours[~known], theirs[~known], equal_nan=True) or not np.isfinite(ours[known]).all():
        return float("inf"), 1.0
    if not known.any():
        return 0.0, 0.0
    scale = max(1.0, float(np.abs(theirs[known]).max()))
    apart = np.abs(ours[known] - theirs[known]) / scale
    return float(apart.max()), float(np.mean(apart > bound))


def _norm_apart(values: np.ndarray, other: np.ndarray) -> float:
    if not np.isfinite(values).all() or not np.isfinite(other).all():
        return 0.0 if np.array_equal(values, other, equal_nan=True) else float("inf")
    norm = float(np.linalg.norm(other))
    return float(np.linalg.norm(values - other)) / norm if norm else float(np.abs(values).max(initial=0.0))


def _read_parquet(path: Path) -> Arrays:
    import pyarrow.parquet as pq

    return _columns(pq.read_table(path))


def _columns(table: Any) -> Arrays:
    return dict(part for name in table.column_names for part in _column(name, table[name].combine_chunks()))


def _column(name: str, column: Any) -> Iterator[tuple[str, np.ndarray]]:
    """A column as one array; a column of lists as their lengths, then their members."""
    import pyarrow.types as kinds

    if kinds.is_list(column.type) or kinds.is_large_list(column.type):
        yield f"{name} (lengths)", np.array([len(one or ()) for one in column.to_pylist()])
        yield from _column(name, column.flatten())
    elif kinds.is_floating(column.type):
        yield name, column.to_numpy(zero_copy_only=False)
    else:
        yield name, np.array([repr(value) for value in column.to_pylist()])


def _read_npz(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _read_safetensors(path: Path) -> Arrays:
    from safetensors.numpy import load_file

    tensors = dict(sorted(load_file(path).items()))
    floats = {name: tensor for name, tensor in tensors.items() if tensor.dtype.kind == "f"}
    rest = {name: tensor for name, tensor in tensors.items() if name not in floats}
    shapes = np.array([f"{name} {tensor.shape}" for name, tensor in floats.items()])
    flat = [tensor.ravel().astype(np.float64) for tensor in floats.values()]
    return {**rest, "shapes": shapes, WEIGHTS: np.concatenate([np.zeros(0), *flat])}


def _read_csv(path: Path) -> Arrays:
    import pyarrow as pa
    from pyarrow import csv

    table = csv.read_csv(path)
    # A column of floats that are all whole, or all missing, is written without a point.
    fields = [
        field.with_type(pa.float64()) if pa.types.is_integer(field.type) or pa.types.is_null(field.type) else field
        for field in table.schema
    ]
    return _columns(table.cast(pa.schema(fields), safe=False))


def _read_json(path: Path) -> Arrays:
    places = dict(_places("", json.loads(path.read_bytes())))
    floats = {place: np.array(value) for place, value in places.items() if isinstance(value, float)}
    rest = [f"{place}={value!r}" for place, value in places.items() if place not in floats]
    return {**floats, "values": np.array(rest)}


def _places(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _places(f"{place}.{name}", inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _places(f"{place}[{number}]", inner)
    else:
        yield place, value


def _read_png(path: Path) -> Arrays:
    """A picture by its share of unequal bytes: a line may move by a pixel."""
    from PIL import Image

    with Image.open(path) as image:
        return {"pixels": np.asarray(image.convert("RGB"))}


READERS: dict[str, Callable[[Path], Arrays]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".npy": lambda path: {"array": np.load(path, allow_pickle=False)},
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
    ".json": _read_json,
    ".png": _read_png,
}
