"""All annotation rows in canonical order; unused rows are kept separately, with reasons."""

from typing import Annotated

from pydantic import Field

from workflow_scripts.acquisition.annotations.formats.columns import Columns
from workflow_scripts.acquisition.annotations.formats.layout import Choose, Format
from workflow_scripts.acquisition.annotations.removal_tokens import token
from workflow_scripts.core.declaration.facts import Cost, Facts, File, Resources
from workflow_scripts.core.runtime.stage import Job, Stage, run_stage
from workflow_scripts.core.settings import Settings, quantity
from workflow_scripts.stages.source import WORLD


class Annotations(Settings):
    """Which annotation rows the study uses."""

    format: Format | None = Field(default=None, examples=["webdataset"])
    """Format of the source. redcaps: the zip; folder: images with a text file beside each; table: parquet, CSV or JSON
    rows; webdataset: tars; coco: COCO-style JSON; null: it is detected."""
    table: str | None = Field(default=None, min_length=1, examples=["train.csv"])
    """Table or COCO JSON in the source folder; null: the only one."""
    images: str = Field(default="", examples=["train2017"])
    """Folder in the source to which the image paths of a table are relative."""
    columns: Columns = Field(default=Columns())
    """Column or field names of your own table."""
    choose: Choose | None = Field(default=None, examples=["longest"])
    """Which caption is used where an image has several, in a list, in the lines of its text file or in several rows.
    random: the same one in every run; each: all of them, as rows of their own with ids that end with a number; null:
    the first, but the lines of a text file are one caption."""
    years: list[int] | None = Field(default=None, examples=[[2019]])
    """Years of the posts that are used; null: all."""
    subreddits: list[str] | None = Field(default=None, examples=[["birdpics", "bonsai"]])
    """Subreddits that are used; null: all."""
    exclude: list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(default=[])
    """Removal list as hashes of image ids and URLs; every trace of these rows is removed."""
    max_caption_chars: int = quantity(1000, unit="characters", gt=0, examples=[300])
    """Maximum length of a caption; longer ones are cut, at a space if possible; Reddit allows 300."""


def annotations(job: Job[Annotations]) -> None:
    """Read the source (the demo's world if there is one) and write kept rows, unused rows and counts."""
    from workflow_scripts.acquisition.annotations.formats.files import SourceFiles
    from workflow_scripts.acquisition.annotations.formats.layout import layout_of
    from workflow_scripts.acquisition.annotations.formats.sample import one_each
    from workflow_scripts.acquisition.annotations.own import gather, samples_of
    from workflow_scripts.acquisition.annotations.redcaps import redcaps_samples
    from workflow_scripts.acquisition.annotations.removal_tokens import read_tokens
    from workflow_scripts.acquisition.annotations.rows import Filter
    from workflow_scripts.core.files.jsonio import pretty

    settings = job.settings
    removal = set(settings.exclude)
    if "exclude" in job.source_hashes():
        removal.update(read_tokens(job.source("exclude")))
    row_filter = Filter(settings.years, settings.subreddits, removal)
    world = job.inputs("world")
    path = job.input("world").path(".annotations.zip") if world else job.source("annotations")
    layout = layout_of(path, settings.format, settings.table)
    if layout.format == "redcaps":
        samples = one_each(redcaps_samples(path, row_filter), settings.choose)
    else:
        files = SourceFiles(path, job.source_files("annotations"), settings.images)
        samples = samples_of(layout, settings.columns, files, settings.choose)
    kept, apart = job.file(".parquet"), job.file(".apart.parquet")
    counts = gather(path, samples, row_filter, settings.max_caption_chars, kept, apart, job.work)
    job.file(".json").write_bytes(pretty(counts))
    job.file(".exclude.json").write_bytes(pretty(sorted(removal)))
    job.rows(counts["rows"], counts["kept"], {why: n for why, n in counts["apart"].items() if why != "no_row"})


STAGE = Stage(run=annotations, settings=Annotations, artifact="rows", packages=("pyarrow",))

FACTS = Facts(
    files={
        ".parquet": File(
            "rows that are used, in canonical order (subreddit, year, id). Authors are not kept, names of people in "
            "titles are masked as `<usr>`, permalinks are cut before the title, and captions are cut at "
            "`max_caption_chars`"
        ),
        ".apart.parquet": File("the other rows, with the reason"),
        ".json": File("counts", published=True),
        ".exclude.json": File("hashes of the removal list"),
    },
    resources=Resources(minutes=120, memory_mb=2_000, data=lambda load: load.rows * 400),
    cost=Cost(per="row", units=lambda load: load.rows, core_ms=0.018, source="measured on 230,415 real rows"),
    sources={"annotations": "annotations", "exclude": "exclude"},
    group="rows",
    inputs={"world": lambda units, _: ["demo_world/world"] if units.study.annotations.source.at == WORLD else []},
    section="annotations",
    settings=lambda units, _: {"exclude": sorted({token(entry) for entry in units.study.annotations.exclude})},
)

if __name__ == "__main__":
    run_stage(STAGE)
