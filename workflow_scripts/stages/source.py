"""An external thing: what it holds, by sha256; bytes fetched by url are kept, all else stays where it is."""

from typing import Any

from workflow_scripts.acquisition.settings.source import Source
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.stage import Job, run_stage

FORMAT = 1


def source(job: Job[Source]) -> None:
    """Hash the files behind the source; for a url, fetch it first."""
    from workflow_scripts.acquisition.http.fetch_file import fetch_file
    from workflow_scripts.core.files.jsonio import pretty

    settings = job.settings
    if settings.is_url:
        assert settings.sha256 is not None
        data = job.file(".data")
        fetch_file((settings.at, *settings.mirrors), settings.sha256, job.work / "part", data)
        files: list[dict[str, Any]] = [{"path": "", "bytes": data.stat().st_size, "sha256": settings.sha256}]
    else:
        files = _files(job)
    job.file(".files.json").write_bytes(pretty(files))
    job.rows(len(files), len(files))


def _files(job: Job[Source]) -> list[dict[str, Any]]:
    """Listing of a local source, checked against the hashes that the config expects."""
    from workflow_scripts.core.sources import listing, local_path

    settings = job.settings
    path = local_path(settings.at, may_fetch=True)
    if settings.torchvision and not path.exists():
        from workflow_scripts.evaluation.datasets.torchvision_download import download

        download(settings.torchvision, path)
    files = listing(path, job.results)
    found = {entry["path"]: entry["sha256"] for entry in files}
    expected = dict(settings.expect) | ({"": settings.sha256} if settings.sha256 else {})
    for name, sha256 in expected.items():
        if found.get(name) != sha256:
            value = f"{name or 'the file'} has {found.get(name, 'gone')}"
            raise PipelineError("unexpected content of source", settings.at, value, f"{sha256} is expected")
    return files


def content(job: Job[Source]) -> dict[str, Any]:
    """A source's key holds what is there now, and the place for the hints that follow from it."""
    if job.settings.is_url:
        return {"sha256": job.settings.sha256}
    return {"files": _files(job), "unit": job.unit}


def main(argv: list[str] | None = None) -> None:
    """The stage's command."""
    run_stage(source, Source, argv, identity=content)


if __name__ == "__main__":
    main()
