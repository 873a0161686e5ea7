"""An external source: its files by sha256; bytes fetched by URL are stored, everything else stays in place."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.errors.text import has_secret, redacted
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings

WORLD = "world"
WITHOUT_HASH, ADVICE_WITHOUT_HASH = "URL without a sha256", "give its sha256, or record it: faithful-pairs lock"


class Source(Settings):
    """Location of an external input. A plain text is its `at`."""

    at: str = Field(min_length=1, examples=["data/redcaps_v1.0_annotations.zip"])
    """A path of a file or folder; https://... (needs a sha256; ${NAME} stands for an environment variable);
    hub:<repository>@<revision> (Hugging Face); package:<module>/<folder> (in an installed Python package);
    torchvision:<root folder> (torchvision downloads into it if it does not exist); world (the demo's data)."""
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", examples=["0" * 64])
    """sha256 of the file; a URL needs it here or in the lock (faithful-pairs lock)."""
    mirrors: tuple[str, ...] = Field((), examples=[["https://example.org/annotations.zip"]])
    """Further URLs of the same bytes, tried in order."""
    expect: dict[str, str] = Field({}, examples=[{"model.safetensors": "0" * 64}])
    """sha256 of files in a folder, by file name; files with a different hash are rejected."""
    torchvision: SkipJsonSchema[str | None] = None
    """Class name in torchvision.datasets; set by the workflow."""

    @model_validator(mode="after")
    def _no_secret_in_a_url(self) -> "Source":
        for url in (self.at, *self.mirrors) if self.is_url else ():
            if has_secret(url):
                raise ValueError(
                    f"{redacted(url)} has a secret, which records would store: write ${{NAME}} in its place and set "
                    "the environment variable NAME (a login, or a value in the query that is long or named like a key)"
                )
        return self

    @property
    def is_url(self) -> bool:
        """Whether the bytes are fetched over HTTP and then stored in the artifact."""
        return self.at.startswith(("http://", "https://"))


def _shorthand(value: Any) -> Any:
    return {"at": value} if isinstance(value, str) else value


def _of_user(value: Source) -> Source:
    if value.torchvision is not None:
        raise ValueError("torchvision is set by the workflow; remove it")
    return value


# In the config a source may be written as its location alone.
_LOCATION = Annotated[str, Field(min_length=1)]
SourceField = Annotated[
    Source, BeforeValidator(_shorthand, json_schema_input_type=_LOCATION | Source), AfterValidator(_of_user)
]


def source(job: Job[Source]) -> None:
    """Hash the files of the source; a URL is fetched first."""
    from workflow_scripts.acquisition.http.fetch_file import fetch_file
    from workflow_scripts.core.files.jsonio import pretty

    settings = job.settings
    if settings.is_url:
        assert settings.sha256 is not None
        fetched = job.file(".data")
        fetch_file((settings.at, *settings.mirrors), settings.sha256, job.work / "part", fetched)
        files: list[dict[str, Any]] = [{"path": "", "bytes": fetched.stat().st_size, "sha256": settings.sha256}]
    else:
        files = _local_files(job)
    job.file(".files.json").write_bytes(pretty(files))
    job.rows(len(files), len(files))


def _local_files(job: Job[Source]) -> list[dict[str, Any]]:
    """Listing of a local source, checked against the hashes that the config expects."""
    from workflow_scripts.core.sources import listing, local_path

    settings = job.settings
    path = local_path(settings.at, may_fetch=True)
    if settings.torchvision and not path.exists():
        from workflow_scripts.evaluation.datasets.torchvision_sets import download

        download(settings.torchvision, path)
    files = listing(path, job.results)
    hashes = {entry["path"]: entry["sha256"] for entry in files}
    expected = dict(settings.expect) | ({"": settings.sha256} if settings.sha256 else {})
    for name, sha256 in expected.items():
        if hashes.get(name) != sha256:
            value = f"{name or 'the file'} has {hashes.get(name, 'no sha256: it is missing')}"
            raise PipelineError("unexpected content of source", settings.at, value, f"expected sha256 {sha256}")
    return files


def identity(job: Job[Source]) -> dict[str, Any]:
    """A source's key holds its current content, and its location for the advice that depends on it.

    Raises:
        PipelineError: it is a URL without a sha256.
    """
    if job.settings.is_url:
        if job.settings.sha256 is None:
            raise PipelineError(WITHOUT_HASH, job.stage.name, job.settings.at, ADVICE_WITHOUT_HASH)
        return {"sha256": job.settings.sha256}
    return {"files": _local_files(job), "unit": job.unit}


STAGE = Stage(
    run=source,
    settings=Source,
    artifact="{source}",
    not_in_key=frozenset({"at", "mirrors", "sha256"}),  # where it is; its content is in the key
    identity=identity,
    format=1,
)

FACTS = Facts(
    files={
        ".files.json": File(
            "path, size and sha256 of every file behind a path, a hub model or a package", published=True
        ),
        ".data": File("the file at a URL"),
    },
    environment="train",
    # Compute nodes often have no network; models and datasets are fetched where Snakemake runs.
    resources=Resources(minutes=240, memory_mb=2_000, local=True),
    cost=Cost(per="source", units=lambda _: 1, core_ms=4_000, source="assumed: hashing 5 GB; no download of a model"),
    names=lambda units: list(units.sources_by_name),
    settings=lambda units, unit: units.sources_by_name[unit["source"]].model_dump(mode="json"),
)

if __name__ == "__main__":
    run_stage(STAGE)
