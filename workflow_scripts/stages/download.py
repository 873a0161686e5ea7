"""One shard of images: fetched politely, every row in one final state."""

from typing import Any

from workflow_scripts.acquisition.settings import Download
from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.files.names import HOSTS
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage


def download(job: Job[Download]) -> None:
    """Fetch what the store does not hold yet, then pack the shard in plan order."""
    from concurrent.futures import ThreadPoolExecutor
    from contextlib import ExitStack

    from workflow_scripts.acquisition.shards.download_state import DownloadState
    from workflow_scripts.acquisition.shards.fetch import fetch
    from workflow_scripts.acquisition.shards.imports import bring_in, bring_local
    from workflow_scripts.acquisition.shards.packing import attempts, pack
    from workflow_scripts.acquisition.shards.plan import shard_rows
    from workflow_scripts.acquisition.store.store import Store
    from workflow_scripts.core.files.names import FETCHED

    rows = shard_rows(job.input("plan").path(".parquet"), int(job.unit["shard"]))
    urls = rows["url"].to_pylist()
    settings, folder = job.settings, job.results / FETCHED
    with ExitStack() as held:
        if job.inputs("world"):
            from workflow_scripts.demo.server import serve_zip
            from workflow_scripts.demo.world import feed

            address, port = held.enter_context(serve_zip(job.input("world").path(".images.zip")))
            targets = settings.connect_to | {feed.HOST: f"{address}:{port}"}
            settings = settings.model_copy(update={"connect_to": targets})
            folder /= _served(job)
        store = held.enter_context(Store(folder, job.work.name[:16]))
        downloads = held.enter_context(DownloadState(store, job.work, settings, urls))
        downloads.prepare(job.workers)
        bring_local(downloads, lambda: job.source("annotations"), settings.max_bytes, job.workers)
        bring_in(rows, downloads, settings, job.results, job.workers)
        fetch(downloads, settings, job.workers, job.results / HOSTS)
        sealed = held.enter_context(ThreadPoolExecutor(1)).submit(store.seal)  # waits for the disk
        states = pack(rows, downloads, job.file(".tar"), job.file(".parquet"))
        sealed.result()
        job.note(**attempts(urls, downloads, job.beside(".attempts.parquet")))
    job.rows(states.total(), states.pop("ok", 0), dict(states))


def _served(job: Job[Download]) -> str:
    """The hash of the zip that the demo's responses come from: it may change while their URLs stay the same."""
    return str(job.input("world").manifest["files"][".images.zip"]["sha256"])


def identity(job: Job[Download]) -> dict[str, Any]:
    """What identifies a shard's content: its rows, but not the code that fetched them or the shard's number."""
    import json

    plan = json.loads(job.input("plan").path(".json").read_bytes())
    content = {"slice": plan["slices"][int(job.unit["shard"])], "format": STAGE.format}
    if job.inputs("world"):
        content["served"] = _served(job)
    return content


STAGE = Stage(
    run=download,
    settings=Download,
    artifact="{shard}",
    packages=("pillow",),
    not_in_key=frozenset(  # how bytes are fetched, not which
        {"keep", "hosts", "share_of_rate", "attempts", "backoff", "deadline"}
        | {"contact", "allow_addresses", "connect_to", "min_ok_share"}
    ),
    numbered=True,
    identity=identity,
    format=4,
)

MAIN_HOST = "i.redd.it"  # has all but a few of the images
TAR_MEMBER = 3_000  # bytes of headers, padding and the JSON beside an image
AS_FETCHED = {"fetched": 10, "prepared": 1}  # setting ``keep``: bytes in the store per byte of a prepared image


def _rate(hosts: dict[str, dict[str, float]]) -> float:
    """Requests per second to the host that has nearly all images."""
    return hosts.get(MAIN_HOST, hosts["default"])["rate"]


FACTS = Facts(
    files={
        ".tar": File("WebDataset (`<key>.jpg`, `<key>.json`)"),
        ".parquet": File("**every** row with its final state. [States, politeness, what is stored](download.md)"),
        ".attempts.parquet": File("attempts and times", hashed=False),
    },
    # The profile sets how many of these jobs a SLURM job runs at a time.
    resources=Resources(minutes=120, memory_mb=4_000, resumes=True, slot="downloads"),
    cost=Cost(
        per="row",
        units=lambda load: load.rows,
        core_ms=9.2,
        wait_s=lambda load: load.rows / _rate(load.settings["hosts"]),
        source="measured: photos of 1,600 pixels scaled to 512; the wait for hosts is added",
    ),
    disk=lambda load: load.rows * (load.image_bytes + TAR_MEMBER),
    store=lambda load: load.rows * load.image_bytes * AS_FETCHED[load.settings["keep"]],
    section="download",
    group="download",
    names=lambda units: units.shards,
    inputs={"plan": "shard_plan/plan", "world": "demo_world/*"},
    sources={"annotations": lambda units, _: "annotations" if units.study.annotations.has_local_images else ""},
)

if __name__ == "__main__":
    run_stage(STAGE)
