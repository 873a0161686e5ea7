"""Manifests and run records that somebody edited, as every tool reads them."""

import json
import random
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from tests.fuzz.mutate import json_text, mutate_bytes, mutate_tree
from tests.fuzz.target import Files, Target
from tests.provenance.hand_made import HandMade, cached
from workflow_scripts.core.artifact import MANIFEST, RUN, Artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import pretty
from workflow_scripts.core.files.notes import sealed
from workflow_scripts.provenance import diff as differences
from workflow_scripts.provenance import verify
from workflow_scripts.provenance.lineage import load as load_made
from workflow_scripts.provenance.lineage import sound
from workflow_scripts.provenance.nodes import Node, load, locate
from workflow_scripts.provenance.why import as_json, as_text, why
from workflow_scripts.removal.gc import plan

STUDY, OTHER = "study", "other"


class Fuzzed(Target):
    """A study of four artifacts; of one or two of its files something is changed, often with a digest that fits."""

    def make(self, rng: random.Random) -> Files:
        """All files of two studies and a cache entry."""
        files = dict(template())
        changed = [name for name in files if name.startswith((f"{STUDY}/", ".cache"))]
        for name in rng.sample(changed, rng.choice((1, 1, 2))):
            files[name] = _edited(files[name], rng)
        return {**files, "edited": "\n".join(name for name in files if files[name] is not template()[name]).encode()}

    def run(self, folder: Path) -> str:
        """What each tool does with them; the first that refuses does not keep the others from trying."""
        edited = {folder / name.replace(RUN, MANIFEST) for name in (folder / "edited").read_text().splitlines()}
        nodes = [node for node in load(folder / STUDY) if node.path in edited or node.stage == "report"]
        tries: list[Callable[[], object]] = [
            *[lambda node=node: _told(node) for node in nodes],
            *[lambda node=node: _against(folder / OTHER, node) for node in nodes],
            *[lambda node=node: _recomputed(node, folder) for node in nodes],
            *[lambda node=node: _consumed(node.path) for node in nodes],
            lambda: sound(load_made(folder), lambda _: True),
            lambda: plan(folder, None, 1.0, now=0.0),
        ]
        return "refused" if [one for one in tries if not _passes(one)] else "accepted"


def _passes(one: Callable[[], object]) -> bool:
    try:
        one()
    except PipelineError:
        return False
    return True


def _told(node: Node) -> None:
    for path in (node.path, node.record_path):
        if path.exists():
            found = why(locate(path))
            as_text(found)
            json.dumps(as_json(found), ensure_ascii=False).encode()


def _against(other: Path, node: Node) -> None:
    found = differences.diff(node, locate(other / node.stage / node.path.name).node)
    differences.as_text(found)
    json.dumps(differences.as_json(found), ensure_ascii=False).encode()


def _recomputed(node: Node, folder: Path) -> None:
    options = verify.Options(folder / "scratch", lambda stage, suffix: None)
    if verify.not_by_design(node) is None and verify._obstacle(node, options) is None:
        verify.command(node, folder / "target", options)
        verify.start_folder(node)
        verify.differences(node, options)


def _consumed(manifest: Path) -> None:
    artifact = Artifact(manifest)
    assert isinstance(artifact.unit, dict) and isinstance(artifact.rows, dict)
    for suffix in artifact.suffixes:
        _passes(lambda suffix=suffix: artifact.path(suffix))


@cache
def template() -> Files:
    """The files of two small studies by name below the results folder."""
    with tempfile.TemporaryDirectory() as place:
        results = Path(place)
        for study in (STUDY, OTHER):
            _study(HandMade(results, study, study))
        record = results / STUDY / "shard_plan" / f"plan{RUN}"
        record.write_bytes(pretty(cached(json.loads(record.read_bytes()))))
        entry = results / ".cache" / "shard_plan" / json.loads(record.read_bytes())["key"]
        entry.mkdir(parents=True)
        (entry / "manifest.json").write_bytes((record.parent / f"plan{MANIFEST}").read_bytes())
        (entry / "run.json").write_bytes(pretty(json.loads(record.read_bytes())["original"]))
        paths = [path for path in sorted(results.rglob("*")) if path.is_file()]
        return {path.relative_to(results).as_posix(): path.read_bytes() for path in paths}


def _study(one: HandMade) -> None:
    at = {"at": "redcaps.zip", "sha256": None}
    one.make("source/annotations", [".files.json"], settings=at, rows=(1, 1, {}), code="format-1", not_in_key=["at"])
    (one.study / "source" / "annotations.files.json").write_text('[{"path": "", "bytes": 1, "sha256": "00"}]')
    one.make(
        "annotations/rows", [".json"], {"annotations": ["source/annotations"]}, {"years": [2019]}, (4, 3, {"a": 1})
    )
    one.make("shard_plan/plan", [".parquet"], {"annotations": ["annotations/rows"]}, {"rows": 200}, (3, 3, {}))
    one.make("report/index", [".html", "/page.css"], {"plan": ["shard_plan/plan"]}, {}, None, beside={})


def _edited(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.15:
        return mutate_bytes(data, rng)
    tree: Any = json.loads(data)
    changed = mutate_tree(tree, rng)
    if isinstance(changed, dict) and "self" in changed and rng.random() < 0.8:
        try:
            return pretty(sealed({name: value for name, value in changed.items() if name != "self"}))
        except (ValueError, TypeError, RecursionError):
            pass
    return json_text(changed, rng)
