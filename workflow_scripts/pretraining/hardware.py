"""Settings of what a run computes with: precision, processes, memory, and what makes it faster."""

from operator import not_
from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from workflow_scripts.core.runtime.precision import Precision
from workflow_scripts.core.settings import Settings, quantity

TRAINING = Precision(products="`precision`; float32 convolutions TF32, losses float32", training=True)


class StageIn(Settings):
    """Where each node keeps copies of the shards or packs that it reads; never changes results."""

    folder: str = Field(
        pattern=r"^[/$]",
        description="folder on a disk of the node (or in its memory, such as /dev/shm, which counts as memory of the "
        "job); may contain environment variables of the job",
        examples=["$TMPDIR", "/local/scratch"],
    )
    max_gb: PositiveFloat = quantity(
        500,
        unit="GB",
        description="size of all copies in it; copies that no job uses are removed to make room for others. At least "
        "5 % of the disk stays free",
        examples=[2000],
    )


class HardwareSettings(Settings):
    """How a run uses GPUs and memory."""

    precision: Literal["no", "fp16", "bf16"] = Field(
        "no", description="mixed precision; no: float32", examples=["bf16"]
    )
    processes: PositiveInt = quantity(
        1, unit="GPUs", description="processes of a run, with one GPU each; batch_size must be a multiple", examples=[4]
    )
    nodes: PositiveInt = quantity(
        1,
        unit="nodes",
        description="nodes that share the processes evenly; more than one only under SLURM",
        examples=[2],
    )
    micro_batch_size: int | None = quantity(
        None,
        unit="pairs",
        ge=2,
        exclude_if=not_,
        description="pairs that pass through the network at a time, over all processes; a divisor of batch_size. About "
        "a third more time, the memory of this many pairs, and the gradients of the whole batch (docs/methods.md). "
        "null: all pairs at once",
        examples=[128],
    )
    cache_mb: int = quantity(
        1_024, unit="MiB", ge=0, description="memory for decoded images, which are kept if all fit", examples=[8192]
    )
    stage_in: StageIn | None = Field(
        None,
        exclude_if=not_,
        description="where each node that trains keeps copies of shards or packs (docs/cluster.md); null: no copies",
        examples=[{"folder": "$TMPDIR"}],
    )
