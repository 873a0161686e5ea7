"""One shard of images: fetched politely, every row in one final state."""

from typing import Any

from workflow_scripts.core.settings.download import Download
from workflow_scripts.core.stage import Job, run_stage

FORMAT = 1  # raise it when the same answers would give other bytes
NOT_IN_KEY = frozenset(
    {
        "hosts",
        "share_of_rate",
        "max_connections",
        "attempts",
        "backoff",
        "max_wait",
        "deadline",
        "max_redirects",
        "seed",
    }
    | {"user_agent", "contact", "allow_addresses", "connect_to", "serve_host", "min_ok_share", "ok_window"}
)


def download(job: Job[Download]) -> None:
    """Fetch what the work folder does not hold yet, then pack the shard in plan order."""
    from collections import Counter
    from contextlib import ExitStack

    from workflow_scripts.acquisition.fetch import fetch
    from workflow_scripts.acquisition.journal import Journal
    from workflow_scripts.acquisition.packing import attempts, pack
    from workflow_scripts.acquisition.plan import shard_rows
    from workflow_scripts.core.tables import write_table

    rows = shard_rows(job.input("plan").path(".parquet"), int(job.unit["shard"]))
    urls = rows["url"].to_pylist()
    connect_to = dict(job.settings.connect_to)
    with ExitStack() as held:
        if job.inputs("world"):
            from workflow_scripts.demo.server import serve_zip

            address, port = held.enter_context(serve_zip(job.input("world").path(".images.zip")))
            connect_to[job.settings.serve_host] = f"{address}:{port}"
        journal = held.enter_context(Journal(job.work))
        journal.forget_failures()
        fetch(urls, journal, job.settings, connect_to, job.workers, job.results / ".hosts")
        table = pack(rows, journal, job.file(".tar"))
        tried = attempts(urls, journal)
    write_table(job.file(".parquet"), table)
    write_table(job.beside(".attempts.parquet"), tried)
    states = Counter(table["state"].to_pylist())
    job.rows(len(table), states.pop("ok", 0), dict(states))
    job.note(requests=len(tried), bytes_read=sum(tried["read"].to_pylist()))


def identity(job: Job[Download]) -> dict[str, Any]:
    """What a shard's bytes are a copy of: its rows; not which code fetched them, nor what number it has."""
    import json

    plan = json.loads(job.input("plan").path(".json").read_bytes())
    named = {"slice": plan["slices"][int(job.unit["shard"])], "format": FORMAT}
    if job.inputs("world"):
        # The demo's answers come from a zip of our own, which may change while its urls stay.
        named["served"] = job.input("world").manifest["files"][".images.zip"]["sha256"]
    return named


def main(argv: list[str] | None = None) -> None:
    """Entry point of the stage."""
    run_stage(download, Download, argv, packages=("pillow",), identity=identity, not_in_key=NOT_IN_KEY)


if __name__ == "__main__":
    main()
