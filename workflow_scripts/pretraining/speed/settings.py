"""Settings of what a run computes with: precision, processes, memory, and what makes it faster."""

from operator import not_
from typing import Literal

from pydantic import Field, PositiveInt

from workflow_scripts.core.settings import Settings
from workflow_scripts.core.stage_in.settings import StageIn
from workflow_scripts.pretraining.data.ring.settings import Loading


class HardwareSettings(Settings):
    """How a run uses GPUs and memory."""

    precision: Literal["no", "fp16", "bf16"] = Field(
        "no", description="mixed precision; no: float32", examples=["bf16"]
    )
    processes: PositiveInt = Field(
        1,
        description="processes of a run, with one GPU each; batch_size must be a multiple",
        examples=[4],
        json_schema_extra={"unit": "GPUs"},
    )
    nodes: PositiveInt = Field(
        1,
        description="nodes that share the processes evenly; more than one only under SLURM",
        examples=[2],
        json_schema_extra={"unit": "nodes"},
    )
    compile: bool = Field(
        False,
        exclude_if=not_,
        description="true: torch.compile makes faster kernels for backbone and heads, which takes minutes at the "
        "start; weights differ by rounding",
        examples=[True],
    )
    cudnn_benchmark: bool = Field(
        True,
        exclude_if=bool,
        description="true: the first steps measure which algorithm of each convolution is the fastest on this GPU; the "
        "choice can differ between starts, which changes rounding. false: cuDNN's heuristics choose. No effect on CPUs",
        examples=[False],
    )
    recompute: bool = Field(
        False,
        exclude_if=not_,
        description="true: activations inside the blocks of backbone and heads are recomputed for the gradients "
        "instead of being kept: about a third more time, far less memory, equal gradients (activation checkpointing)",
        examples=[True],
    )
    micro_batch_size: int | None = Field(
        None,
        ge=2,
        exclude_if=not_,
        description="pairs that pass through the network at a time, over all processes; a divisor of batch_size. About "
        "a third more time, the memory of this many pairs, and the gradients of the whole batch (docs/methods.md). "
        "null: all pairs at once",
        examples=[128],
        json_schema_extra={"unit": "pairs"},
    )
    cache_mb: int = Field(
        1_024,
        ge=0,
        description="memory for decoded images, which are kept if all fit; if loading.processes is not null, each of "
        "those processes keeps its own",
        examples=[8192],
        json_schema_extra={"unit": "MiB"},
    )

    loading: Loading = Field(Loading(), description="how the images of batches are read and decoded; changes no result")
    stage_in: StageIn | None = Field(
        None,
        exclude_if=not_,
        description="where each node that trains keeps copies of shards or packs (docs/cluster.md); null: no copies",
        examples=[{"folder": "$TMPDIR"}],
    )
