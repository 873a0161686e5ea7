"""Where copies on a node are kept."""

from pydantic import Field, PositiveFloat

from workflow_scripts.core.settings import Settings


class StageIn(Settings):
    """Where each node keeps copies of the shards or packs that it reads; never changes results."""

    folder: str = Field(
        pattern=r"^[/$]",
        description="folder on a disk of the node (or in its memory, such as /dev/shm, which counts as memory of the "
        "job); may contain environment variables of the job",
        examples=["$TMPDIR", "/local/scratch"],
    )
    max_gb: PositiveFloat = Field(
        500,
        description="size of all copies in it; copies that no job uses are removed to make room for others. At least "
        "5 % of the disk stays free",
        examples=[2000],
        json_schema_extra={"unit": "GB"},
    )
