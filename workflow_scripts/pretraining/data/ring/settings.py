"""Settings of how batches are loaded. Bytes don't depend on them."""

from pydantic import Field, PositiveInt

from workflow_scripts.core.settings import Settings


class Loading(Settings):
    """How the images of batches are read and decoded."""

    processes: int | None = Field(
        None,
        ge=0,
        description="processes per training process that decode and crop images; 0: threads of the training process. "
        "null: its share of compute.workers, or 0 if that is 1 or decoded images are kept in memory (cache_mb)",
        examples=[12],
        json_schema_extra={"unit": "processes"},
    )
    readers: PositiveInt = Field(
        16,
        description="threads that read images, in each of these processes; more hide the latency of a slow file server",
        examples=[32],
        json_schema_extra={"unit": "threads"},
    )

    def loaders(self, workers: int, kept: bool) -> int:
        """Loader processes of a training process with ``workers`` cores for loading; ``kept``: images, in memory."""
        if self.processes is not None:
            return self.processes
        return 0 if kept or workers == 1 else workers
