"""A small planned study whose pictures a test serves itself."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.acquisition.zips import row, write_zip
from tests.helpers import run
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.stages import annotations, download, shard_plan

HOST = "photos.test"
SETTINGS = {"hosts": {"default": {"rate": 5000, "connections": 8}}, "backoff": 0.01, "max_side": 64, "deadline": 60.0}


def planned(results: Path, folder: Path, names: list[str], shards: int = 1) -> dict[str, Artifact]:
    """Annotations and plan of one row per name, with url http://photos.test/<name>."""
    rows = [row(name.partition(".")[0], url=f"http://{HOST}/{name}") for name in names]
    path = write_zip(folder / "annotations.zip", {"pics_2020": [*rows, rows[0]]})
    made = run(annotations.STAGE, results, "annotations/rows", {}, sources={"annotations": path})
    inputs = {"annotations": made.manifest_path}
    settings = {"shards": shards, "rows_per_shard": -(-len(names) // shards)}
    return {"annotations": made, "plan": run(shard_plan.STAGE, results, "shard_plan/plan", settings, inputs)}


def download_settings(address: str, **changed: Any) -> dict[str, Any]:
    """Fast settings for a server at ``address``."""
    return {**SETTINGS, "connect_to": {HOST: address}, **changed}


def downloaded(
    results: Path, made: Mapping[str, Artifact], shard: int, address: str, workers: int = 2, **changed: Any
) -> Artifact:
    """Run the download stage for one shard."""
    name = f"{shard:05d}"
    settings = download_settings(address, **changed)
    inputs = {"plan": made["plan"].manifest_path}
    options = ["--workers", str(workers)]
    return run(download.STAGE, results, f"download/{name}", settings, inputs, {"shard": name}, options=options)
