"""A whole study written by hand: real stages, fixed times and hashes, no bytes but those that the tools read."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import MANIFEST, RUN, manifest_hash
from workflow_scripts.core.files.jsonio import digest, pretty
from workflow_scripts.core.files.notes import sealed
from workflow_scripts.core.key import SCHEMA

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SIMCLR = {"method": "simclr", "steps": 200, "simclr": {"temperature": 0.1, "projector": [64, 32]}, "clip": None}


def fake_hash(text: str) -> str:
    """A made-up sha256."""
    return hashlib.sha256(text.encode()).hexdigest()


def edit_record(path: Path, **fields: object) -> None:
    """Change fields of a run record, which stays consistent in itself."""
    record = {name: value for name, value in json.loads(path.read_bytes()).items() if name != "self"}
    path.write_bytes(pretty(sealed({**record, **fields})))


class HandMade:
    """Writes artifacts of ``results/<study>``; the minutes of the clock count the artifacts."""

    def __init__(self, results: Path, study: str = "study", made_by: str = "") -> None:
        self.study = results / study
        self._made_by = made_by
        self._count = 0

    def make(
        self,
        artifact: str,
        suffixes: Sequence[str],
        inputs: Mapping[str, Sequence[str]] | None = None,
        settings: Mapping[str, Any] | None = None,
        rows: tuple[int, int, dict[str, int]] | None = None,
        **record: Any,
    ) -> Path:
        """Manifest and run record of ``<stage>/<name>``; gives the manifest's path. ``record`` overrides fields."""
        stage, _, name = artifact.partition("/")
        folder = self.study / stage
        folder.mkdir(parents=True, exist_ok=True)
        given = {role: [self.study / f"{one}{MANIFEST}" for one in names] for role, names in (inputs or {}).items()}
        hashes = {role: [manifest_hash(path) for path in paths] for role, paths in given.items()}
        recipe = {"settings": dict(settings or {}), "inputs": hashes, "code": fake_hash(f"code of {stage}"), **record}
        about = digest([artifact, {name: recipe[name] for name in ("settings", "inputs", "code")}, self._made_by])
        files = {suffix: {"sha256": fake_hash(f"{about}{suffix}"), "bytes": 1000 + len(suffix)} for suffix in suffixes}
        counts = {} if rows is None else {"in": rows[0], "out": rows[1], "dropped": rows[2]}
        manifest = {"schema": SCHEMA, "stage": stage, "unit": {"name": name}, "files": files, "rows": counts}
        self._count += 1
        paths = {
            role: [f"results/{one.relative_to(self.study.parent)}" for one in made] for role, made in given.items()
        }
        whole: dict[str, Any] = {"stage": stage, "unit": {"name": name}, "key": fake_hash(f"key {artifact}")}
        whole |= {"cached": False, "beside": {}, "input_files": paths, "facts": {}, "not_in_key": []}
        whole |= {"environment": {"device": "cpu", "threads": 2, "packages": {"numpy": "2.4"}}, "slurm_job": None}
        whole |= {"packages": {"numpy": "2.4.6"}, "python": "3.11.7", "host": "node7", "cpu_model": None}
        whole |= {"git": {"commit": COMMIT, "dirty": False, "diff": None}, "gpu_model": None, "driver": None}
        whole |= {"start": self._time(0), "end": self._time(30), "seconds": 30.0, "cpu_seconds": 41.5}
        whole |= {"figures": {"memory_peak_bytes": 262144000}}
        whole |= {"peak_bytes": 314572800, "manifest": digest(manifest)}
        whole |= {"closure": {f"workflow_scripts.stages.{stage}": fake_hash(f"module of {stage}")}}
        path = folder / f"{name}{MANIFEST}"
        path.write_bytes(pretty(manifest))
        path.with_name(f"{name}{RUN}").write_bytes(pretty(sealed({**whole, **recipe})))
        return path

    def _time(self, second: int) -> str:
        hour, minute = divmod(self._count % 900, 60)
        return f"2026-03-01T{8 + hour:02d}:{minute:02d}:{second:02d}.000+00:00"


def cached(record: Mapping[str, Any]) -> dict[str, Any]:
    """``record`` as that of an artifact that was taken from the cache a day later."""
    later = {"start": "2026-03-02T09:00:00.000+00:00", "end": "2026-03-02T09:00:00.300+00:00", "seconds": 0.3}
    own = {name: value for name, value in record.items() if name not in ("self", "closure", "packages", "host")}
    return sealed({**own, **later, "cached": True, "original": dict(record)})


def whole_study(results: Path, study: str = "study", margin: float = 0.0, made_by: str = "") -> Path:
    """All stages of a small study from a RedCaps zip on; gives the study's folder."""
    one = HandMade(results, study, made_by)
    _sources(one)
    _images(one)
    _captions_and_pairs(one, margin)
    _models(one)
    _summary(one)
    return one.study


def _sources(one: HandMade) -> None:
    at = {"at": "annotations/redcaps_v1.0.zip", "sha256": None}
    one.make("source/annotations", [".files.json"], settings=at, rows=(1, 1, {}), code="format-1", not_in_key=["at"])
    listing = [{"path": "", "bytes": 123456789, "sha256": fake_hash("the zip")}]
    (one.study / "source" / "annotations.files.json").write_bytes(pretty(listing))
    for name in ("captioner", "matcher", "encoder-minilm"):
        at = {"at": f"hub:example/{name}@abc123", "expect": {}}
        one.make(f"source/{name}", [".files.json"], settings=at, rows=(3, 3, {}), code="format-1", not_in_key=["at"])


def _images(one: HandMade) -> None:
    lost = {"empty_caption": 4, "repeated_id": 6}
    inputs, both = {"annotations": ["source/annotations"]}, [".parquet", ".json"]
    one.make("annotations/rows", both, inputs, {"years": [2019]}, (400, 390, lost))
    inputs = {"annotations": ["annotations/rows"]}
    one.make("shard_plan/plan", both, inputs, {"rows_per_shard": 200}, (390, 390, {}))
    shards = (("00000", 200, {"http_404": 9, "placeholder": 3}), ("00001", 190, {"http_404": 7}))
    for shard, count, lost in shards:
        settings = {"max_side": 512, "attempts": 3, "hosts": {"default": {"rate": 2.0}}}
        rows = (count, count - sum(lost.values()), lost)
        beside = {".attempts.parquet": {"sha256": fake_hash("attempts"), "bytes": 9}}
        outside = {"code": "format-1", "not_in_key": ["attempts", "hosts"], "beside": beside}
        one.make(f"download/{shard}", [".tar", ".parquet"], {"plan": ["shard_plan/plan"]}, settings, rows, **outside)
    names = [f"download/{shard}" for shard, _, _ in shards]
    lost = {"http_404": 16, "placeholder": 3}
    one.make("image_index/images", [".parquet", ".json"], {"download": names}, None, (390, 371, lost))
    for shard, count, _ in shards:
        inputs = {"captioner": ["source/captioner"], "matcher": ["source/matcher"], "shard": [f"download/{shard}"]}
        job = {"host": "gpu3", "slurm_job": "4711", "gpu_model": ["Some GPU"], "driver": "550.1"}
        settings = {"batch_size": 64, "prompt": None}
        one.make(f"recaption/{shard}", [".parquet"], inputs, settings, (count, count, {}), **job)


def _captions_and_pairs(one: HandMade, margin: float) -> None:
    inputs = {"images": ["image_index/images"], "recaption": ["recaption/00000", "recaption/00001"]}
    one.make("caption_table/captions", [".parquet"], inputs, None, (371, 371, {}))
    for arm in ("original", "revised"):
        settings = {"kind": arm, "margin": margin if arm == "revised" else 0.0}
        inputs = {"captions": ["caption_table/captions"]}
        one.make(f"select_captions/{arm}", [".parquet", ".json"], inputs, settings, (371, 371, {}))
        inputs = {"captions": [f"select_captions/{arm}"], "encoder": ["source/encoder-minilm"]}
        one.make(f"embed_captions/{arm}.minilm", [".npy", ".keys.parquet"], inputs, {"batch_size": 256}, (371, 371, {}))
        inputs = {"vectors": [f"embed_captions/{arm}.minilm"]}
        settings, rows = {"k": 1, "scope": "global"}, (371, 368, {"no_pair": 3})
        one.make(f"pair_table/{arm}", [".parquet", ".json"], inputs, settings, rows)


def _models(one: HandMade) -> None:
    one.make("eval_dataset/pets", [".tar", ".parquet", ".json"], None, {"kind": "torchvision"}, (3680, 3680, {}))
    for arm in ("original", "revised"):
        for seed in (0, 1):
            run = f"simclr-{arm}-crop-s{seed}"
            inputs = {"images": ["image_index/images"], "pairs": [f"pair_table/{arm}"]}
            dirty = {"commit": COMMIT, "dirty": True, "diff": fake_hash("diff")}
            one.make(f"pretrain/{run}", ["/last.safetensors", "/run.json"], inputs, {**SIMCLR, "seed": seed}, git=dirty)
            inputs = {"dataset": ["eval_dataset/pets"], "run": [f"pretrain/{run}"]}
            one.make(f"features/{run}.last.pets", [".npy"], inputs, {"batch_size": 256}, (3680, 3680, {}))
            inputs = {"dataset": ["eval_dataset/pets"], "features": [f"features/{run}.last.pets"]}
            files = [".parquet", ".predictions.parquet"]
            one.make(f"linear_probe/{run}.last.pets", files, inputs, {"costs": [0.1, 1.0]})
    record = one.study / "linear_probe" / f"simclr-revised-crop-s0.last.pets{RUN}"
    record.write_bytes(pretty(cached(json.loads(record.read_bytes()))))


def _summary(one: HandMade) -> None:
    probes = [f"linear_probe/simclr-{arm}-crop-s{seed}.last.pets" for arm in ("original", "revised") for seed in (0, 1)]
    suffixes = [".parquet", ".csv", ".contrasts.parquet", ".contrasts.csv", ".sources.json"]
    one.make("summary/summary", suffixes, {"probe": probes}, {"bootstrap": 200})
    runs = [name.split("/")[1].removesuffix(".last.pets") for name in probes]
    rows = [
        {"run": run, "dataset": "pets", "metric": metric, "value": value, "n": 3669}
        for number, run in enumerate(runs)
        for metric, value in (("linear_probe.accuracy", 0.5 + number / 100), ("linear_probe.top5", 0.75))
    ]
    contrast = {"contrast": "revised - original", "dataset": "pets", "difference": 0.02, "low": 0.01, "high": 0.03}
    folder = one.study / "summary"
    pq.write_table(pa.Table.from_pylist(rows), folder / "summary.parquet")
    pq.write_table(pa.Table.from_pylist([contrast]), folder / "summary.contrasts.parquet")
    hashes = {f"{name}.parquet": manifest_hash(one.study / f"{name}{MANIFEST}") for name in probes}
    files = [{"file": name, "manifest_sha256": value} for name, value in hashes.items()]
    listed = {"files": files, "rows": [[number // 2] for number in range(len(rows))], "contrasts": [[0, 1, 2, 3]]}
    (folder / "summary.sources.json").write_text(json.dumps(listed))
    one.make("report/index", [".html"], {"probe": probes, "summary": ["summary/summary"], "plan": ["shard_plan/plan"]})
