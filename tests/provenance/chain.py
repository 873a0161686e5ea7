"""A finished study of real stages' names, put into place by the same functions as a stage's own artifacts."""

import random
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import MANIFEST, Artifact
from workflow_scripts.core.cache import lookup
from workflow_scripts.core.code_equivalence import counted_code, in_force
from workflow_scripts.core.digest import code_parts
from workflow_scripts.core.files.jsonio import digest, pretty
from workflow_scripts.core.key import artifact_key
from workflow_scripts.core.publish import Staging, publish
from workflow_scripts.core.runtime.machine import Clock, machine
from workflow_scripts.core.sources import listing
from workflow_scripts.study.active_config import remember
from workflow_scripts.study.config.stages import declaration

RUNS = ("simclr-self-crop-s0", "simclr-revised-crop-s0")


class Chain:
    """Makes artifacts below ``results/study``; their bytes follow from a seed."""

    def __init__(self, results: Path, seed: int = 0) -> None:
        self.results, self.study = results, results / "study"
        self._random = random.Random(seed)

    def make(
        self,
        artifact: str,
        suffixes: Sequence[str],
        inputs: Mapping[str, Sequence[str]] | None = None,
        settings: Mapping[str, Any] | None = None,
        beside: Sequence[str] = (),
        content: bytes | Mapping[str, bytes] | None = None,
    ) -> Path:
        """Compute ``<stage>/<name>`` (from the cache when its key is there); gives its manifest's path.

        ``content`` is that of every data file, or of each by its suffix; by default, it is random.
        """
        stage, _, name = artifact.partition("/")
        given = {role: [self.study / f"{one}{MANIFEST}" for one in names] for role, names in (inputs or {}).items()}
        recipe: dict[str, Any] = {
            "artifact": artifact,
            "stage": stage,
            "unit": {"name": name},
            "code": counted_code(stage, self.results),
            **({} if (entry := in_force(stage, self.results)) is None else {"accepted": entry}),
            "settings": dict(settings or {}),
            "not_in_key": [],
            "workers": 1,
            "environment": {"device": "cpu", "threads": 1, "packages": {}},
            "inputs": {role: [Artifact(path).hash for path in paths] for role, paths in given.items()},
            "input_files": {role: [str(path) for path in paths] for role, paths in given.items()},
        }
        declared = declaration(stage)
        unit = declared.manifest_unit(recipe["unit"])
        parts = (recipe["settings"], recipe["inputs"], recipe["environment"])
        recipe["key"] = digest(recipe)  # in place of what was fetched or found
        if not declared.by_content:
            recipe["key"] = artifact_key(stage, unit, recipe["code"], *parts)
        entry = self.results / ".cache" / stage / recipe["key"]
        staging = Staging(self.study / stage / name)
        clock = Clock()
        manifest, ours = lookup(entry), False
        if manifest is None:
            staging.open(self.results, stage, recipe["key"])
            given = content if isinstance(content, Mapping) else dict.fromkeys(suffixes, content)
            for suffix in suffixes:
                data = given[suffix] or self._random.randbytes(self._random.randint(50, 5000))
                staging.file(suffix).write_bytes(data)
            for suffix in beside:
                data = given.get(suffix) or self._random.randbytes(300)
                staging.file(suffix, hashed=False).write_bytes(data)
            rows = {"in": 5, "out": 4, "dropped": {"empty": 1}}
            code = {"closure": code_parts(stage), "git": {"commit": None, "dirty": None, "diff": None}}
            fresh = {**recipe, **code, "facts": {}, **_machine(), **clock.read()}
            manifest, ours = staging.seal(entry, unit, rows, fresh)
        publish(entry, staging.artifact, manifest, {**recipe, **clock.read()}, ours=ours)
        return Path(f"{staging.artifact}{MANIFEST}")

    def source(self, name: str, path: Path) -> Path:
        """The ``source`` artifact of a file or folder outside."""
        listed = pretty(listing(path, self.results))
        return self.make(f"source/{name}", [".files.json"], settings={"at": str(path)}, content=listed)


@cache
def _machine() -> dict[str, Any]:
    few = {"packages": {"numpy": "2.4.6"}, "package_records": {"numpy": "0123456789abcdef"}}
    return {**machine((), "cpu"), **few}  # not the hundreds that the tests have loaded


def finished(results: Path, outside: Path, seed: int = 0) -> Chain:
    """A whole small study; ``outside`` gets an annotation zip and a model folder."""
    chain = Chain(results, seed)
    outside.mkdir(parents=True)
    (outside / "redcaps.zip").write_bytes(random.Random(seed).randbytes(4000))
    (outside / "model").mkdir()
    (outside / "model" / "weights.bin").write_bytes(random.Random(seed + 1).randbytes(3000))
    chain.source("annotations", outside / "redcaps.zip")
    chain.source("matcher", outside / "model")
    chain.make("annotations/rows", [".parquet", ".apart.parquet"], {"annotations": ["source/annotations"]})
    chain.make("shard_plan/plan", [".parquet"], {"annotations": ["annotations/rows"]})
    shards = [f"{number:05d}" for number in range(4)]
    for shard in shards:
        made = [".tar", ".parquet"]
        chain.make(f"download/{shard}", made, {"plan": ["shard_plan/plan"]}, {}, [".attempts.parquet"])
        made_from = {"shard": [f"download/{shard}"], "matcher": ["source/matcher"]}
        chain.make(f"recaption/{shard}", [".parquet"], made_from)
    of_shards = {stage: [f"{stage}/{shard}" for shard in shards] for stage in ("download", "recaption")}
    chain.make("image_index/images", [".parquet", ".json"], {"download": of_shards["download"]})
    chain.make("caption_table/captions", [".parquet"], {**of_shards, "images": ["image_index/images"]})
    for arm in ("original", "revised"):
        chain.make(f"select_captions/{arm}", [".parquet", ".json"], {"captions": ["caption_table/captions"]})
    for run in RUNS:
        made_from = {"images": ["image_index/images"], "captions": ["select_captions/revised"]}
        chain.make(f"pretrain/{run}", ["/last.safetensors", "/run.json"], made_from, {"steps": 9, "run": run})
        chain.make(f"linear_probe/{run}.last", [".parquet"], {"runs": [f"pretrain/{run}"]}, {"run": run})
    probes = [f"linear_probe/{run}.last" for run in RUNS]
    chain.make("summary/summary", [".parquet", ".csv"], {"probe": probes})
    everything = [f"{p.parent.name}/{p.name.removesuffix(MANIFEST)}" for p in chain.study.glob(f"*/*{MANIFEST}")]
    chain.make("report/index", [".html"], {"behind": sorted(everything)})
    remember(results, chain.study.name, [], {})
    return chain
