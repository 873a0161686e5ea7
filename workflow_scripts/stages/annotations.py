"""All annotation rows of the RedCaps zip in canonical order; what is not used is kept apart, by reason."""

from typing import Annotated

from pydantic import Field

from workflow_scripts.core.settings import Settings
from workflow_scripts.core.stage import Job, run_stage


class Annotations(Settings):
    """Which annotation rows the study is about."""

    years: list[int] | None = Field(default=None, description="years of the posts to keep; null keeps all")
    subreddits: list[str] | None = Field(default=None, description="subreddits to keep; null keeps all")
    exclude: list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(
        default=[], description="removal list, as tokens of image ids and URLs: the study keeps no trace of these rows"
    )
    max_caption_chars: int = Field(
        default=1000,
        gt=0,
        description="maximum characters of a caption; longer ones are cut, at a space if possible; Reddit allows 300",
    )
    max_member_mb: int = Field(
        default=2048, gt=0, description="largest annotation file inside the zip, unpacked, in MiB (zip-bomb guard)"
    )


def annotations(job: Job[Annotations]) -> None:
    """Read the zip (the demo's own world where there is one) and write kept rows, unused rows and counts."""
    from workflow_scripts.acquisition.annotations.read import Filter, gather
    from workflow_scripts.acquisition.annotations.removal_list import read_tokens
    from workflow_scripts.core.files.jsonio import pretty

    removal = set(job.settings.exclude)
    if "exclude" in job.source_hashes():
        removal.update(read_tokens(job.source("exclude")))
    wanted = Filter(job.settings.years, job.settings.subreddits, removal)
    world = job.inputs("world")
    path = job.input("world").path(".annotations.zip") if world else job.source("annotations")
    limits = (job.settings.max_member_mb << 20, job.settings.max_caption_chars)
    counts = gather(path, wanted, *limits, job.file(".parquet"), job.file(".apart.parquet"))
    job.file(".json").write_bytes(pretty(counts))
    job.file(".exclude.json").write_bytes(pretty(sorted(removal)))
    job.rows(counts["rows"], counts["kept"], counts["apart"])


def main(argv: list[str] | None = None) -> None:
    """Entry point of the stage."""
    run_stage(annotations, Annotations, argv, packages=("pyarrow",))


if __name__ == "__main__":
    main()
